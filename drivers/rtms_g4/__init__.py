"""ISS (Image Sensing Systems) RTMS G4: radar beside a road, up to twelve lanes.

RS-232 or RS-485, each sensor with an id, its speed as set there (9600 8N1 unless the line says otherwise).
`drivers.rtms_g4.framing` and `drivers.rtms_g4.period` draw the frames. Two ways to use it, as it is set up:

- asked, it gives the numbers of its last period (or, in its "Stat mode", says them by itself at the period's end):
  53 with one byte 00, answered by 80, some tables of a number a zone, 81. One reading a lane: vehicles, by class of
  length too, occupancy, speed, headway. It is asked more often than it has periods, and the same period again is the
  same reading. The one found first is passed over: when it ended is not known, and an earlier run may have given it.
  Of a message that arrives damaged nothing is taken: it comes again;
- in event mode (option ``events``) it says 5E for each vehicle; readings of each lane come every ``interval``. The
  frames 5F, ten a second in what it calls its normal mode, show that it works: without them an interval without
  vehicles gives no zeros. On a line that is shared its events are lost.

C0 asks who it is, answered by 40.

    FF AA 53 03 00 01 00 00 01                        sensor 1, the numbers of the last period?
    FF AA 10 08 00 01 00 05 00 00 00 0C 00 12         5, 0 and 12 vehicles in the lanes 1, 2 and 3

Quirks: a number above its bound is none; a speed without vehicles is none. The year has two digits, and the time
zone is not stated: the time of arrival is taken. The manual's "zone" is the tag ``lane``.

Sources: the protocol as in the Minnesota DOT's IRIS (tms.server.comm.g4); RTMS G4 user manual, page 3-58.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import Field

from drivers.common.agenda import Agenda
from drivers.common.lanes import Lanes
from drivers.rtms_g4 import framing
from drivers.rtms_g4.framing import Frame
from drivers.rtms_g4.period import FOOTER_SIZE, HEADER_SIZE, TABLES, Period
from gateway.contract import Driver, Duration, Measurement, Options, Reject, SerialLink, field

POLL, INFORM, INFORMATION, REFUSED, ACCEPTED = 0x53, 0xC0, 0x40, 0x1A, 0x1C
HEADER, FOOTER, EVENT, NORMAL = 0x80, 0x81, 0x5E, 0x5F


class RtmsG4Options(Options):
    """``address`` is its id; ``interval`` is how often a reading of each lane is given in event mode."""

    address: int = Field(ge=0, le=0xFFFF)
    events: bool = False
    interval: Annotated[Duration, Field(ge=1, le=86400)] = 60.0


class Decoder:
    """Asks one sensor, or counts its events."""

    def __init__(self, options: RtmsG4Options) -> None:
        self._frames = framing.frames(options.address)
        self._agenda = Agenda(
            b"" if options.events else framing.frame(POLL, options.address, b"\0"),
            {INFORM: framing.frame(INFORM, options.address)},
        )
        self._events = options.events
        self._lanes = Lanes(options.interval)
        self._period: Period | None = None
        self._first = ""

    def start(self) -> Iterable[bytes]:
        """Send nothing: on a bus each question has its turn."""
        return ()

    def poll(self) -> bytes:
        """Ask for the last period, in event mode for nothing; now and then for its firmware until that is known."""
        return self._agenda.question()

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = list(self._lanes.advance(now))
        for found in self._frames.feed(data):
            if isinstance(found, Reject) and self._period is not None:
                self._period.damaged = True
            said += self._understand(found) if isinstance(found, Frame) else [found]
        return said

    def finish(self) -> Iterable[Measurement | Reject]:
        """Return the open interval of event mode, and what is left of an unfinished frame."""
        return [*(found for found in self._frames.finish() if isinstance(found, Reject)), *self._lanes.finish()]

    def _understand(self, said: Frame) -> Iterator[Measurement | Reject]:
        code, size = said.code, len(said.data)
        if code == EVENT and (found := framing.vehicle(said.data)) is not None:
            if self._events:
                self._lanes.lane(found[0]).add(found[1])
        elif code == NORMAL:
            self._lanes.alive = True
        elif code == INFORMATION and size == framing.INFORMATION_SIZE:
            self._agenda.granted(INFORM)
            yield Measurement("traffic", framing.about(said.data))
        elif code == HEADER and size == HEADER_SIZE:
            self._period = Period(said)
        elif code in TABLES or (code == FOOTER and size == FOOTER_SIZE):
            yield from self._go_on(said)
        elif code != ACCEPTED:
            what = "it refuses" if code == REFUSED else f"code {code:02X} with {size} bytes"
            yield Reject("unsupported", said.whole, what)

    def _go_on(self, said: Frame) -> Iterator[Measurement | Reject]:
        period = self._period
        if period is None:
            yield Reject("unsupported", said.whole, "its message has lost its header")
            return
        ends = said.code == FOOTER
        wrong = period.end(said) if ends else period.take(said)
        if ends:
            self._period = None
            self._first = self._first or period.key
        if wrong:
            yield Reject("range", said.whole, wrong)
        elif ends and period.key == self._first:
            yield Reject("unsupported", said.whole, "the period found first: when it ended is not known")
        elif ends:
            yield from period.readings()


DRIVER = Driver(
    name="rtms_g4",
    title="ISS RTMS G4",
    link=SerialLink(baudrate=9600, interval=10.0, timeout=2.0, bus=True),
    fields=(
        field("intensity", 0, 0xFE00),
        *(field(f"intensity_class_{number}") for number in range(6)),
        field("average_vehicle_speed", 0, 411),
        field("max_vehicle_speed", 0, 411),
        field("speed_85th_percentile", 0, 322),
        field("average_vehicle_length", 0, 25.5),
        field("average_headway_time", 0, 3600),
        field("average_gap_time", 0, 3600),
        field("occupancy"),
        field("period"),
        field("battery_voltage", 0, 25.5),
        field("device_error", 0, 255),
        field("firmware_version"),
        field("serial_number"),
    ),
    max_frame=framing.LONGEST,
    decoder=Decoder,
    options=RtmsG4Options,
    kinds=("traffic",),
    experimental=True,
)
