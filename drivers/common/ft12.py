"""Frames after IEC 60870-5 FT1.2, the master's side.

    10 cc aa ss 16                      short: question; c control, a address, s sum of the bytes before it from c on
    68 ll ll 68 cc aa dd .. dd ss 16    long: question or answer with data d; l bytes from c to the last d
    E5                                  single: done, or nothing to report; it names no address

Control of a question: 40, with the function in the low four bits. Where 10 is set, 20 is the frame count bit: turned
over, it asks anew; the same again, it asks for the same answer once more.

Source: IEC 60870-5-1 and -2, as far as ADEC's detectors use them.
"""

from typing import NamedTuple

from drivers.common.framing import Frames
from gateway.contract import Reject

SHORT, LONG, END = 0x10, 0x68, 0x16
SINGLE = b"\xe5"
REQUEST, COUNT_BIT, COUNT_VALID = 0x40, 0x20, 0x10
AROUND = 6
"""Bytes of a long frame that its length does not count."""


class Answer(NamedTuple):
    """One sound long frame; or, with the function -1, a single."""

    function: int
    data: bytes
    frame: bytes


def question(address: int, function: int, count_bit: bool | None = None) -> bytes:
    """Return a short frame; with a ``count_bit`` where the function is asked for with one."""
    control = REQUEST | function | (0 if count_bit is None else COUNT_VALID | (COUNT_BIT if count_bit else 0))
    return bytes((SHORT, control, address, (control + address) & 0xFF, END))


def parse(frame: bytes) -> Answer | Reject:
    """Parse one whole frame."""
    if frame == SINGLE:
        return Answer(-1, b"", frame)
    body, total = frame[4:-2], frame[-2]
    if frame[-1] != END:
        return Reject("length", frame, f"ends in {frame[-1]:02X}")
    if sum(body) & 0xFF != total:
        return Reject("checksum", frame, f"sum {sum(body) & 0xFF:02X}")
    return Answer(body[0] & 0x0F, body[2:], frame)


def frames(address: int, longest: int) -> Frames[Answer]:
    """Return a finder of one address's answers, of up to ``longest`` bytes of data, and of all singles."""

    def length(head: bytes) -> int:
        if head[0] != LONG:
            return 1
        if len(head) < AROUND:
            return 0
        size = head[1]
        fits = head[2:4] == bytes((size, LONG)) and 2 < size <= longest + 2 and head[5] == address
        return size + AROUND if fits else -1

    return Frames((bytes((LONG,)), SINGLE), longest + 2 + AROUND, length, parse)
