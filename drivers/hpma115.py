"""Honeywell HPMA115S0 (standard) and HPMA115C0 (compact): dust by laser scattering; the C0 adds PM1 and PM4.

UART, 9600 8N1, 3.3 V levels (not 5 V), 5 V supply. Big endian, ug/m3. By itself, once a second, with the framing of
Plantower's sensors; ``ss`` is the sum of all bytes before it::

    42 4D 00 1C  00 00 aa aa bb bb 00 00  .. 51 00  ss ss      S0: a PM2.5, b PM10
    42 4D 00 1C  cc cc aa aa dd dd bb bb  .. 00 00  ss ss      C0: c PM1, d PM4

Asked for: ``68 ll cc dd kk``, answered by ``40 ll cc dd .. kk``, k the complement in two of the sum before it, or
without data by A5 A5 (done) or 96 96 (not done)::

    68 01 04 93 -> 40 05 04 aa aa bb bb kk                     S0
                   40 0D 04 cc cc aa aa dd dd bb bb .. kk      C0, four bytes reserved

    40 05 04 00 30 00 31 56                                    PM2.5 48, PM10 49; 40 + 05 + 04 + 30 + 31 = AA, k 56

Commands: 01 start, 02 stop (fan and laser rest), 04 read, 10 read and 08 set the customer's coefficient in per cent,
20 reports off, 40 reports on. Range 0 to 1000 ug/m3; the first value 6 s after start; ten years of continuous use.
Quirks: zeros are what it says while it starts, and what it says of clean air: they are taken, and marked for as long
as every first value is. A report does not name its model: the fourth word is the C0's PM10, and zero from an S0,
whose last word (5100) no sheet explains; a Plantower has a version there, from 70 on.

Source: HPM series datasheet 32322550, issue F (Honeywell); an S0's reports shown in a forum, for the last word.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from struct import unpack
from typing import NamedTuple

from drivers.common.duty_cycle import Cycle, Sleeping, Turn
from drivers.common.framing import Frames
from drivers.common.plantower import unpack_words
from gateway.contract import Driver, Measurement, Quality, Reject, SerialLink, field

START, STOP, READ, COEFFICIENT, AUTO_OFF, AUTO_ON = 0x01, 0x02, 0x04, 0x10, 0x20, 0x40
AUTO, DONE, NOT_DONE = b"\x42\x4d\x00\x1c", b"\xa5\xa5", b"\x96\x96"
LENGTHS = {AUTO: 32, b"\x40\x05\x04": 8, b"\x40\x0d\x04": 16, b"\x40\x02\x10": 5, DONE: 2, NOT_DONE: 2}
"""The bytes of a frame by its header."""
S0, C0 = ("pm25", "pm10"), ("pm1", "pm25", "pm4", "pm10")
PLANTOWER = 0x7000
"""The lowest last word of another maker's report."""


class Report(NamedTuple):
    """Masses in ug/m3 by their names, from the smallest particles up."""

    masses: dict[str, int]


class Reply(NamedTuple):
    """A command was obeyed; with its code and value where it asked for one."""

    code: int | None = None
    value: int | None = None


def command(code: int, data: bytes = b"") -> bytes:
    """Return the frame of a command."""
    body = bytes((0x68, len(data) + 1, code)) + data
    return body + bytes((-sum(body) & 0xFF,))


def parse(frame: bytes) -> Report | Reply | Reject:
    """Parse one frame, sound or damaged."""
    if frame.startswith(AUTO):
        return _parse_auto(frame)
    if frame in (DONE, NOT_DONE):
        return Reply() if frame == DONE else Reject("unsupported", frame, "it did not obey")
    if len(frame) < 5 or len(frame) != frame[1] + 3:
        return Reject("length", frame, f"{len(frame)} bytes")
    if sum(frame) & 0xFF:
        return Reject("checksum", frame, f"sum {-sum(frame[:-1]) & 0xFF:02X}, frame says {frame[-1]:02X}")
    if frame[2] == COEFFICIENT:
        return Reply(COEFFICIENT, frame[3])
    names = S0 if len(frame) == 8 else C0
    return Report(dict(zip(names, unpack(f">{len(names)}H", frame[3 : 3 + 2 * len(names)]), strict=True)))


def _parse_auto(frame: bytes) -> Report | Reject:
    words = unpack_words(frame)
    if not isinstance(words, list):
        return words if isinstance(words, Reject) else Reject("length", frame, "no report")
    if any(words[4:12]) or words[12] >= PLANTOWER:
        return Reject("unsupported", frame, "more than four values: a Plantower?")
    return Report(dict(zip(C0, words, strict=False)) if words[3] else dict(zip(S0, words[1:], strict=False)))


def _length(head: bytes) -> int:
    return next((length for header, length in LENGTHS.items() if head.startswith(header)), -1)


class Decoder:
    """Follows one sensor."""

    def __init__(self, options: Sleeping) -> None:
        self._frames: Frames[Report | Reply] = Frames(tuple(LENGTHS), LENGTHS[AUTO], _length, parse)
        self._cycle = Cycle(options)
        self._turn = -1

    def start(self) -> Iterable[bytes]:
        """Make it measure, and report by itself."""
        return [command(START), command(AUTO_ON)]

    def poll(self) -> bytes:
        """Start or stop it, again and again until its reports come or end."""
        match self._cycle.turn():
            case Turn.GO_TO_SLEEP:
                return command(STOP)
            case Turn.WAKE_UP:
                self._turn += 1
                return command(AUTO_ON if self._turn % 2 else START)
        return b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        self._cycle.passed(now)
        return [said for found in self._frames.feed(data) for said in self._understand(found, now)]

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _understand(self, found: Report | Reply | Reject, now: int) -> Iterator[Measurement | Reject]:
        if isinstance(found, Reject):
            yield found
        elif isinstance(found, Report):
            said = {name: float(mass) for name, mass in found.masses.items()}
            quality = self._cycle.heard(now)
            if any(finer > coarser for finer, coarser in pairwise(found.masses.values())):
                quality |= Quality.INCONSISTENT
            yield Measurement("air_quality", dict(said), quality=quality)


DRIVER = Driver(
    name="hpma115",
    title="Honeywell HPMA115S0, HPMA115C0",
    link=SerialLink(baudrate=9600, interval=2.0),
    fields=tuple(field(name, 0, 1000) for name in C0),
    max_frame=LENGTHS[AUTO],
    decoder=Decoder,
    options=Sleeping,
    kinds=("air_quality",),
)
