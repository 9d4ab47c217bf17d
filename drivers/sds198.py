"""Nova Fitness SDS198: all suspended particles (TSP, PM100) by laser scattering.

UART, 9600 8N1, 3.3 V. A sibling of the SDS011, whose commands and replies it shares (see `drivers.sds011`). Sensor to
host, ten bytes; P little endian, in whole ug/m3; ``sum`` is the low byte of the sum of the six bytes before it::

    AA CF xx xx PP PP ii ii sum AB      report   x not said, P PM100, i device id
    AA C5 cc ss vv ww ii ii sum AB      reply    c command, s 0 asked or 1 set, v value

    AA CF 0E 00 10 00 E9 05 0C AB       0x0010 = 16: PM100 16;  id E905;  0E + 10 + E9 + 05 = 10C

Range 0 to 20000 ug/m3, one report a second, stable 30 s after waking. Quirks: no tenths, unlike its sibling. Reports
alone were captured: that it takes the commands is what its maker says, so no reply is waited for, and reports are the
sign that it is awake. Zeros are no data, as from its sibling, which sends them while it starts; those that go on for
longer than the warm-up are clean air.

Sources: SDS198 specification (Nova Fitness); six reports captured by the PyPMS project.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from drivers.common.duty_cycle import Cycle, Sleeping, Turn
from drivers.common.framing import Frames
from drivers.common.zeros import Zeros
from drivers.sds011 import ACTIVE, FIRMWARE, FRAME, REPORT_MODE, SLEEP_WORK, WORK, WORKING_PERIOD, Reply, command
from gateway.contract import Driver, FieldValue, Measurement, Reject, SerialLink, field

REPORT, REPLY = b"\xaa\xcf", b"\xaa\xc5"
SLEEP, ALWAYS = 0, 0
AWAKE = (command(SLEEP_WORK, WORK), command(REPORT_MODE, ACTIVE), command(WORKING_PERIOD, ALWAYS))
"""What makes it report by itself, all the time: it keeps mode and period over a power cut."""


class Report(NamedTuple):
    """A measurement frame; ug/m3."""

    pm100: int
    device: bytes
    unknown: int
    raw: bytes = b""


def parse(frame: bytes) -> Report | Reply | Reject:
    """Parse one frame, sound or damaged."""
    if len(frame) != FRAME or frame[9] != 0xAB:
        return Reject("length", frame, "no end mark at byte 9")
    if sum(frame[2:8]) & 0xFF != frame[8]:
        return Reject("checksum", frame, f"sum {sum(frame[2:8]) & 0xFF:02X}, frame says {frame[8]:02X}")
    if frame.startswith(REPLY):
        return Reply(frame[2], frame[3:6], frame[6:8])
    unknown, pm100 = (int.from_bytes(frame[at : at + 2], "little") for at in (2, 4))
    return Report(pm100, frame[6:8], unknown, frame)


class Decoder:
    """Follows one sensor."""

    def __init__(self, options: Sleeping) -> None:
        self._frames: Frames[Report | Reply] = Frames((REPORT, REPLY), FRAME, lambda _: FRAME, parse)
        self._cycle = Cycle(options)
        self._zeros = Zeros(options.warm_up)
        self._turn = -1
        self._about: dict[str, FieldValue] = {}  # waits for a report: replies alone may be those of an SDS011

    def start(self) -> Iterable[bytes]:
        """Wake it and make it report by itself; ask its firmware once."""
        return [*AWAKE, command(FIRMWARE)]

    def poll(self) -> bytes:
        """Wake it or put it to sleep, again and again until its reports come or end."""
        match self._cycle.turn():
            case Turn.GO_TO_SLEEP:
                return command(SLEEP_WORK, SLEEP)
            case Turn.WAKE_UP:
                self._turn += 1
                return AWAKE[self._turn % len(AWAKE)]
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
        elif isinstance(found, Report) and not (found.pm100 or found.unknown) and self._zeros.starting(now):
            yield Reject("unsupported", found.raw, "all zero: it is starting")
        elif isinstance(found, Report):
            if found.pm100 or found.unknown:
                self._zeros.since = None
            said, self._about = {"pm100": float(found.pm100), **self._about}, {}
            yield Measurement("air_quality", said, quality=self._cycle.heard(now))
        elif found.code == FIRMWARE:
            self._about = {"firmware_version": "-".join(map(str, found.data))}


DRIVER = Driver(
    name="sds198",
    title="Nova Fitness SDS198",
    link=SerialLink(baudrate=9600, interval=2.0),
    fields=(field("pm100", 0, 20000), field("firmware_version")),
    max_frame=FRAME,
    decoder=Decoder,
    options=Sleeping,
    kinds=("air_quality",),
)
