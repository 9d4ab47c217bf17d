"""Frames of nine bytes, which Winsen's modules have in common.

UART, 9600 8N1. The last byte makes bytes 1 to 8 add up to 0 modulo 256; c is a command, d its data::

    FF 01 cc dd dd dd dd dd sum      to the module
    FF cc dd dd dd dd dd dd sum      from the module, in answer to c; what uploads by itself has the gas in place of c

The modules have no addresses: one to a line. A surplus FF shifts a reader that counts bytes, and not one that looks
for sound frames.
"""

from collections.abc import Iterable
from typing import NamedTuple

from drivers.common.framing import Frames
from gateway.contract import Reject

LENGTH = 9
READ, SWITCH = 0x86, 0x78
ASKED, UPLOAD = 0x41, 0x40
"""What `SWITCH` sets: to speak only when asked, or by itself."""


class Frame(NamedTuple):
    """One sound frame from the module: its second byte, and the six up to the sum."""

    code: int
    data: bytes
    raw: bytes

    def number(self, at: int) -> int:
        """Return the two-byte value that begins at byte ``at`` of the data."""
        return int.from_bytes(self.data[at : at + 2], "big")


def with_sum(body: bytes) -> bytes:
    """Return the eight bytes of a frame as they go over the line."""
    return body + bytes((-sum(body[1:]) & 0xFF,))


def command(code: int, *data: int) -> bytes:
    """Return a command; data that is left out is zero."""
    return with_sum(bytes((0xFF, 0x01, code, *data)).ljust(LENGTH - 1, b"\0"))


def parse(frame: bytes) -> Frame | Reject:
    """Parse one whole frame."""
    if frame[:1] != b"\xff" or len(frame) != LENGTH:
        return Reject("length", frame, "no frame of nine bytes")
    if sum(frame[1:]) & 0xFF:
        return Reject("checksum", frame, f"sum {-sum(frame[1:-1]) & 0xFF:02X}, frame says {frame[-1]:02X}")
    return Frame(frame[1], frame[2:8], frame)


def frames(codes: Iterable[int]) -> Frames[Frame]:
    """Return a finder of frames with these second bytes."""
    return Frames(tuple(bytes((0xFF, code)) for code in codes), LENGTH, lambda _: LENGTH, parse)
