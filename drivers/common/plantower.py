"""Shared parts of the Plantower dust sensors: frames, commands, plausibility, and the duty cycle.

UART 9600 8N1, 3.3 V levels. All numbers are big endian; ``ss`` is the sum of all bytes before it::

    42 4D ll ll  ww ww .. ww ww  ss ss      report; l counts the bytes behind it, w are the words of the model
    42 4D 00 04  cc vv           ss ss      reply: command c was obeyed with the value v
    42 4D cc vv vv               ss ss      command: E1 mode (0 passive, 1 active), E2 read, E4 sleep (0) or wake (1)

    42 4D E1 00 01  01 71                   active mode: 42 + 4D + E1 + 00 + 01 = 0171

Active, it reports every 2.3 s, up to five times a second while values change. The wake-up has no reply: reports are
the sign that it is awake. Some copies of the manual print a wrong sum (01 72) for sleep.

Source: data manuals of the PMS5003 series V2.3 and V2.5, PMS7003 V2.5, PMS3003 (Plantower).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from struct import unpack
from typing import NamedTuple

from drivers.common.duty_cycle import Cycle, Sleeping, Turn
from drivers.common.framing import Frames
from drivers.common.zeros import Zeros
from gateway.contract import FieldValue, Measurement, Quality, Reject

HEADER = b"\x42\x4d"
MODE, READ, SLEEP_WAKE = 0xE1, 0xE2, 0xE4
ACTIVE, SLEEP, WAKE = 1, 0, 1
MASSES = ("pm1", "pm25", "pm10")
PARTICLES = tuple(f"particles_above_{size}" for size in ("03", "05", "1", "25", "5", "10"))
DRIEST = 0.03
"""Anything drier comes from a sensor that is starting, or from a model with another value in that place."""


class Report(NamedTuple):
    """One report: masses in ug/m3 as PM1, PM2.5, PM10; counts of particles in 0.1 l."""

    factory: Sequence[int]
    outdoors: Sequence[int]
    version: int | None = None
    error: int | None = None
    particles: Sequence[int] = ()
    temperature: float | None = None
    humidity: float | None = None
    formaldehyde: int | None = None
    empty: bytes = b""
    """The whole frame, where every word of it is zero."""


class Reply(NamedTuple):
    """A confirmation of the command ``code``."""

    code: int
    value: int


Parse = Callable[[bytes], Report | Reply | Reject]


def command(code: int, value: int = 0) -> bytes:
    """Return the frame of a command."""
    body = HEADER + bytes([code]) + value.to_bytes(2, "big")
    return body + sum(body).to_bytes(2, "big")


def unpack_words(frame: bytes) -> list[int] | Reply | Reject:
    """Return the words between length and sum, or what else the frame is."""
    if len(frame) < 8 or int.from_bytes(frame[2:4], "big") + 4 != len(frame):
        return Reject("length", frame, f"{len(frame)} bytes")
    *words, said = unpack(f">{len(frame) // 2}H", frame)
    if (found := sum(frame[:-2]) & 0xFFFF) != said:
        return Reject("checksum", frame, f"sum {found:04X}, frame says {said:04X}")
    return Reply(frame[4], frame[5]) if len(frame) == 8 else words[2:]


def doubt(report: Report) -> str:
    """Return why a sound report holds no measurement; "" where it does."""
    if report.particles and not any(report.particles) and any((*report.factory, *report.outdoors)):
        return "mass without particles: it is starting"
    if any(smaller < larger for smaller, larger in pairwise(report.particles)):
        return "more large particles than small ones: another model?"
    if report.humidity is not None and report.humidity < DRIEST:
        return "no humidity: it is starting, or another model"
    return ""


def fields(report: Report) -> dict[str, FieldValue]:
    """Return the report in vocabulary names and units."""
    said: dict[str, FieldValue] = dict(zip(MASSES, map(float, report.outdoors), strict=True))
    said |= {name: count / 100 for name, count in zip(PARTICLES, report.particles, strict=False)}
    if report.temperature is not None and report.humidity is not None:
        said |= {"temperature": report.temperature, "relative_humidity": report.humidity}
    if report.formaldehyde is not None:
        said["ch2o"] = float(report.formaldehyde)
    return said if report.error is None else said | {"device_error": report.error}


class Decoder:
    """Follows one sensor; ``lengths`` are those of its model's reports, ``parse`` reads one frame."""

    def __init__(self, options: Sleeping, lengths: tuple[int, ...], parse: Parse) -> None:
        known = {length - 4: length for length in (8, *lengths)}

        def length(head: bytes) -> int:
            return known.get(int.from_bytes(head[2:4], "big"), -1) if len(head) >= 4 else 0

        def read(frame: bytes) -> Report | Reply | Reject:
            found = parse(frame)
            why = doubt(found) if isinstance(found, Report) else ""
            return Reject("unsupported", frame, why) if why else found

        self._frames: Frames[Report | Reply] = Frames((HEADER,), max(lengths), length, read)
        self._cycle = Cycle(options)
        self._zeros = Zeros(options.warm_up)
        self._wakes = True  # the next call is the wake-up; else the mode, in case it is passive
        self._version: int | None = None

    def start(self) -> Iterable[bytes]:
        """Wake it and make it report by itself: some clones do so only when they are told."""
        return [command(SLEEP_WAKE, WAKE), command(MODE, ACTIVE)]

    def poll(self) -> bytes:
        """Wake it or put it to sleep, again and again until its reports come or end."""
        match self._cycle.turn():
            case Turn.GO_TO_SLEEP:
                return command(SLEEP_WAKE, SLEEP)
            case Turn.WAKE_UP:
                self._wakes = not self._wakes
                return command(MODE, ACTIVE) if self._wakes else command(SLEEP_WAKE, WAKE)
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
        elif isinstance(found, Report) and found.empty and self._zeros.starting(now):
            yield Reject("unsupported", found.empty, "all zero, the last word too: it is starting")
        elif isinstance(found, Report):
            if not found.empty:
                self._zeros.since = None
            said = fields(found)
            if found.version not in (None, self._version):
                self._version = found.version
                said["firmware_version"] = f"0x{found.version:02x}"
            pm1, pm25, pm10 = found.outdoors
            quality = self._cycle.heard(now)
            if not pm1 <= pm25 <= pm10:
                quality |= Quality.INCONSISTENT
            yield Measurement("air_quality", said, quality=quality)
