"""Framing of the Wavetronix SmartSensor HD: header, body and their CRC; `drivers.wavetronix_ss125` has the sheet."""

from typing import NamedTuple

from drivers.common.framing import Frames
from gateway.contract import Reject

GENERAL, DATA, VERSION, EVENT, INTERVAL = 0x00, 0x03, 0x04, 0x67, 0x71
READ, RESULT = 0, 2
HEADER, MOST = 11, 244
LONGEST = HEADER + MOST + 1

_SIZES = {GENERAL: 83, DATA: 25, VERSION: 16, EVENT: 20, INTERVAL: 42}
_RESULTS = {1: "size", 2: "CRC", 3: "read only", 15: "no such interval", 16: "no such lane", 24: "not in this state"}


class Body(NamedTuple):
    """What a sound body holds: ``data`` is what follows message, sub id and type."""

    message: int
    sub: int
    data: bytes


def _table() -> bytes:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte << 1 ^ (0x1C if byte & 0x80 else 0)) & 0xFF  # noqa: PLW2901 -- the byte is what is divided
        table.append(byte)
    return bytes(table)


_TABLE = _table()


def crc8(data: bytes) -> int:
    """Return the byte that checks ``data``."""
    register = 0
    for byte in data:
        register = _TABLE[register ^ byte]
    return register


def question(address: int, message: int, data: bytes = b"") -> bytes:
    """Return the question for ``message`` to one sensor."""
    body = bytes((message, 0, READ)) + data
    head = b"Z1\0" + address.to_bytes(2, "big") + bytes((0, 0, 0, 0, len(body)))
    return head + bytes((crc8(head),)) + body + bytes((crc8(body),))


def frames(address: int) -> Frames[Body]:
    """Return a finder of one sensor's answers to the host; those to others are noise."""
    return Frames((b"Z1\0\0\0\0" + address.to_bytes(2, "big"),), LONGEST, _length, _parse)


def _length(head: bytes) -> int:
    if len(head) < HEADER:
        return 0
    if crc8(head[:10]) != head[10]:
        return HEADER  # its size is not reliable
    return HEADER + head[9] + 1 if 3 <= head[9] <= MOST else -1


def _parse(frame: bytes) -> Body | Reject:
    if len(frame) == HEADER:
        return Reject("checksum", frame, f"CRC of the header {crc8(frame[:10]):02X}")
    found = parse_body(frame[HEADER:])
    return found._replace(raw=frame) if isinstance(found, Reject) else found


def parse_body(body: bytes) -> Body | Reject:
    """Parse one body with its CRC; what is sound but no answer of a known size is "unsupported"."""
    if len(body) < 4:
        return Reject("length", body, f"{len(body)} bytes")
    if crc8(body[:-1]) != body[-1]:
        return Reject("checksum", body, f"CRC of the body {crc8(body[:-1]):02X}")
    message, sub, kind, data = body[0], body[1], body[2], body[3:-1]
    if kind == RESULT:
        code = int.from_bytes(data[:2], "big")
        return Reject(
            "unsupported", body, f"message {message:02X} is answered by {code}: {_RESULTS.get(code, 'fault')}"
        )
    if kind != READ or len(data) != _SIZES.get(message):
        return Reject("unsupported", body, f"message {message:02X} of type {kind} with {len(data)} bytes")
    return Body(message, sub, data)
