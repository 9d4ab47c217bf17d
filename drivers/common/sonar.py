"""Frames of small ultrasonic meters: ``FF hi lo sum``, mm, big endian. Shared by their drivers.

FF may also be data or sum, so a frame is found by its sum. The sum is that of FF, hi and lo, or of hi and lo alone:
one apart, so that a device of the other kind gives nothing but "checksum".
"""

from functools import partial
from typing import NamedTuple

from drivers.common.framing import Frames
from gateway.contract import Reject

FRAME = 4
HEADER = b"\xff"


class Echo(NamedTuple):
    """The distance of a frame, in mm, and its bytes."""

    millimetres: int
    raw: bytes

    def beyond(self, furthest: int) -> Reject:
        """Return the reject for a distance that the device cannot measure."""
        return Reject("range", self.raw, f"{self.millimetres} mm, {furthest} at most")


def parse(frame: bytes, *, header: bool = True) -> Echo | Reject:
    """Parse one frame; ``header`` tells whether FF is in the sum."""
    if not frame.startswith(HEADER):
        return Reject("noise", frame, "no header")
    if len(frame) != FRAME:
        return Reject("length", frame, f"{len(frame)} bytes, not {FRAME}")
    total = sum(frame[0 if header else 1 : 3]) & 0xFF
    if total != frame[3]:
        return Reject("checksum", frame, f"sum {total:02X}, frame says {frame[3]:02X}")
    return Echo(frame[1] << 8 | frame[2], frame)


def frames(*, header: bool = True) -> Frames[Echo]:
    """Return a finder of these frames in a stream."""
    return Frames((HEADER,), FRAME, lambda _: FRAME, partial(parse, header=header))
