"""The packets of Houston Radar's binary protocol.

    F3 cc dd .. dd rr rr FC     c code, d data, r CRC over c and d, low byte first: polynomial 1021 from 0, not
                                reflected ("XMODEM"); F3, FA and FC within are written FA 03, FA 0A and FA 0C

    F3 31 72 26 FC              code 31 without data
    F3 32 FA 0C 64 4D FC        code 32 with the byte FC

Source: the packets as in the Minnesota DOT's IRIS (tms.server.comm.dr500).
"""

from binascii import crc_hqx
from enum import IntEnum
from typing import NamedTuple

from drivers.common.framing import Frames
from gateway.contract import Reject

BEGIN, ESCAPE, END = 0xF3, 0xFA, 0xFC
LONGEST = 512
ESCAPED = {byte & 0x0F: byte for byte in (BEGIN, ESCAPE, END)}


class Code(IntEnum):
    """What a packet is about."""

    ABOUT = 0x0E
    STATUS = 0x13
    SET = 0x17
    ASK = 0x18
    VARIABLE = 0x19
    ASK_SPEED = 0x31
    SPEED = 0x32


class Packet(NamedTuple):
    """One sound packet, as it was before it was packed."""

    code: int
    data: bytes
    frame: bytes


def crc(body: bytes) -> int:
    """Return the check of code and data."""
    return crc_hqx(body, 0)


def packet(code: int, data: bytes = b"") -> bytes:
    """Return ``code`` and ``data`` as they go over the line."""
    body = bytes((code,)) + data
    packed = bytearray()
    for byte in body + crc(body).to_bytes(2, "little"):
        packed += bytes((ESCAPE, byte & 0x0F)) if byte in (BEGIN, ESCAPE, END) else bytes((byte,))
    return bytes((BEGIN, *packed, END))


def parse(frame: bytes) -> Packet | Reject:
    """Return what one whole frame says."""
    plain = bytearray()
    inside = iter(frame[1:-1])
    for byte in inside:
        meant = byte if byte != ESCAPE else ESCAPED.get(next(inside, 0))
        if meant is None:
            return Reject("length", frame, "FA in front of what is not escaped")
        plain.append(meant)
    if len(plain) < 3:
        return Reject("length", frame, f"{len(plain)} bytes")
    body, check = bytes(plain[:-2]), int.from_bytes(plain[-2:], "little")
    if crc(body) != check:
        return Reject("checksum", frame, f"CRC {crc(body):04X}")
    return Packet(body[0], body[1:], frame)


def frames() -> Frames[Packet]:
    """Return what finds packets in a stream."""
    return Frames((bytes((BEGIN,)),), LONGEST, _length, parse)


def _length(head: bytes) -> int:
    end = head.find(END, 1)
    within = head[1:] if end < 0 else head[1:end]
    return -1 if BEGIN in within else end + 1
