"""Modbus TCP: what the drivers say as Modbus RTU, in the framing of networks.

::

    RTU   aa        ff .. .. cc cc        a address (unit), f function, c check
    TCP   tt tt 00 00 ll ll aa  ff .. ..  t transaction, l bytes from the unit on; no check, TCP has one

An answer bears the transaction of its question: one that comes late is known for that, and dropped. Some devices
answer with the transaction 0, or for another unit: the first is taken, the second means the unit that was asked. A
gateway that says that a unit on its line did not answer (exception 0B) speaks for itself: the unit is silent.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, 3.1.
"""

import struct

from gateway.links.line_settings import NetworkPort
from gateway.links.tcp import FramedPort, connect

_HEADER = struct.Struct(">HHHB")
_REFUSED, _UNIT_SILENT = 0x80, b"\x0b"
LONGEST = 254
"""Bytes of unit, function and data."""

NOT_TCP = "this is no Modbus TCP: does it speak Modbus RTU there? Then write socket:// for modbus://"
NOT_MODBUS = "only Modbus can be spoken to modbus://; for the bytes of another device write socket://"


class ModbusTcp:
    """The framing of one connection; see `gateway.links.tcp.Framing`."""

    def __init__(self) -> None:
        self._transaction = 0
        self._unit = 0
        self._received = bytearray()

    def encode(self, rtu: bytes) -> bytes:
        """Return a question as it goes over the network; ``ValueError`` for what is no Modbus RTU."""
        if len(rtu) < 4 or len(rtu) > LONGEST + 2 or crc(rtu[:-2]) != rtu[-2:]:
            raise ValueError(NOT_MODBUS)
        self._transaction = self._transaction % 0xFFFF + 1
        self._unit = rtu[0]
        return _HEADER.pack(self._transaction, 0, len(rtu) - 2, rtu[0]) + rtu[1:-2]

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the answers in what came, as Modbus RTU; ``ValueError`` once it cannot be Modbus TCP."""
        self._received += data
        answers = b""
        while len(self._received) >= _HEADER.size:
            transaction, protocol, length, _ = _HEADER.unpack_from(self._received)
            if protocol != 0 or not 2 <= length <= LONGEST:
                raise ValueError(NOT_TCP)
            end = _HEADER.size - 1 + length
            if len(self._received) < end:
                break
            body = bytes((self._unit,)) + self._received[_HEADER.size : end]
            if transaction in (self._transaction, 0) and not (body[1] & _REFUSED and body[2:] == _UNIT_SILENT):
                answers += body + crc(body)
            del self._received[:end]
        return answers, b""


def open_modbus(where: NetworkPort) -> FramedPort:
    """Connect to a Modbus network; blocks. Raises `LinkDown`."""
    opened = connect(where)
    opened.setblocking(False)
    return FramedPort(opened, str(where), ModbusTcp())


def crc(data: bytes) -> bytes:
    """Return the check of Modbus RTU."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")
