"""Advanced traffic controllers that speak Natch: each vehicle over up to 32 detectors.

Lines of text with commas. Natch is made for TCP, port 8001 of the controller; this gateway opens serial ports, so
it needs a terminal that stands for the connection: ``socat pty,raw,echo=0,link=/run/natch TCP:controller:8001``.
Polls are in capitals; answers are not, and bear the poll's message id, four hex digits::

    ds,01a5,3,323,4638,17:50:28             detector 3, 0.323 s there, 4.638 s since the one before, local time
    DS,01a5                                 taken: the controller forgets it
    CS,00AC                                 clock      cs,00AC,2021-04-01T12:34:59-05:00
    V.,A042                                 version    v.,A042,0.1.0,2022-01-31T12:34:56-05:00
    DC,00AD,0,39                            detector 0 gets input pin 39, 0 for none; answered in the same words
    ms, mc, mt, ps, sa, sc                  meters, pins, attributes: not asked, and passed over

Vehicles are sent until they are acknowledged, the oldest first; only the oldest may be, other ids are ignored. So
each is one reading, given once, and acknowledged when it has had the time to reach the disk: what is not stored here,
the controller keeps. (Should the gateway die in between, it may be stored twice; not with the controller's clock.)
One that makes no sense is acknowledged when it comes again unchanged, or it would come for ever. None is taken before
the clock is known. Lines have no sum: TCP brings them whole, a bare serial line may not.

The time of a vehicle has no date: 30 s ahead of the clock, it is yesterday's. What comes more than 60 s late has
waited in the controller, and its time, which is that of arrival, is marked as estimated.

Source: docs/natch.md and comm/natch in IRIS of the Minnesota DOT. No capture backs it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from drivers.common.agenda import Agenda
from drivers.common.framing import Lines
from drivers.natch.lines import AT_ONCE, SECOND, Acknowledgements, Clock, Event, Line, clock, event, parse, poll
from gateway.contract import Driver, Duration, Measurement, Options, Quality, Reject, SerialLink, field

MAX_LINE = 128
LATE = 60 * SECOND
HEARTBEAT = 16
"""Turns from one question to the next: on a quiet road there is no other traffic on the line."""
REMEMBERED = 64
"""Vehicles that are known again; 24 at most are said to come again at once."""

Detector = Annotated[int, Field(ge=0, le=31)]
Pin = Annotated[int, Field(ge=0, le=104)]


class NatchOptions(Options):
    """What the controller is to do, and whose time the readings have."""

    clock: Literal["gateway", "controller"] = "gateway"
    """The controller's where its clock is kept right: what waited in it then has the time when it passed."""
    settle: Duration = 1.5
    """After this time a reading counts as on disk: longer than the spool's ``commit_interval``."""
    detectors: dict[Detector, Pin] = Field(default_factory=dict)
    """Input pins by detector, 0 for none, set when the line opens; what is not named here is left as it is."""


class Decoder:
    """Listens to one controller, and acknowledges."""

    def __init__(self, options: NatchOptions) -> None:
        self._options = options
        self._lines = Lines(MAX_LINE)
        self._agenda = Agenda(b"CS", {"V.": b"V."})
        self._turn = 0
        self._polls = 0
        self._now = 0
        self._clock: Clock | None = None
        self._taken: deque[Event] = deque(maxlen=REMEMBERED)
        self._refused: deque[int] = deque(maxlen=AT_ONCE)
        self._acknowledgements = Acknowledgements(options.settle)

    def start(self) -> Iterable[bytes]:
        """Ask for the time, and connect the detectors."""
        return [self._poll("CS"), *(self._poll("DC", *wired) for wired in self._options.detectors.items())]

    def poll(self) -> bytes:
        """Acknowledge what is on disk by now; now and then ask for the time, or for the version."""
        said = self._acknowledgements.due(self._now)
        self._turn += 1
        return said if self._turn % HEARTBEAT else said + self._poll(self._agenda.question().decode())

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        self._now = now
        said: list[Measurement | Reject] = []
        for raw in self._lines.feed(data):
            line = raw if isinstance(raw, Reject) else parse(raw)
            said += [line] if isinstance(line, Reject) else self._understand(line)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of a line without an end."""
        return self._lines.finish()

    def _understand(self, line: Line) -> Iterator[Measurement | Reject]:
        if line.code == "ds":
            yield from self._vehicle(line)
        elif line.code == "cs":
            if (told := clock(line, self._now)) is None:
                yield Reject("range", line.raw, "no time")
            else:
                self._clock = told
        elif line.code == "v." and line.words:
            self._agenda.granted("V.")
            yield Measurement("traffic", {"firmware_version": line.words[0]})

    def _vehicle(self, line: Line) -> Iterator[Measurement | Reject]:
        found, known = event(line), self._clock
        if isinstance(found, str):
            yield Reject("range", line.raw, found)
            if (same := hash(line.raw)) in self._refused:  # not only its id: it may have been torn on the way
                self._acknowledgements.add(line.message_id, self._now)
            self._refused.append(same)
        elif known is None:
            yield Reject("unsupported", line.raw, "the clock is not known yet; it will come again")
        else:
            if found not in self._taken:
                self._taken.append(found)
                yield self._measured(found, known)
            self._acknowledgements.add(line.message_id, self._now)

    def _measured(self, vehicle: Event, known: Clock) -> Measurement:
        own = self._options.clock == "controller"
        late = not own and known.age(vehicle, self._now) > LATE
        return Measurement(
            "traffic",
            vehicle.fields(),
            time=known.time(vehicle, self._now) if own else None,
            key=f"{vehicle.number:04x}-{vehicle.time_of_day // SECOND}",
            quality=Quality.ESTIMATED_TIME if late else Quality.GOOD,
            tags={"detector": str(vehicle.detector)},
        )

    def _poll(self, code: str, *words: object) -> bytes:
        self._polls = (self._polls + 1) & 0xFFFF
        return poll(code, f"{self._polls:04X}", *words)


DRIVER = Driver(
    name="natch",
    title="Traffic controllers with Natch",
    link=SerialLink(baudrate=115200, interval=0.5),
    fields=tuple(map(field, ("intensity", "presence_time", "average_headway_time", "firmware_version"))),
    max_frame=MAX_LINE,
    decoder=Decoder,
    options=NatchOptions,
    kinds=("traffic",),
    experimental=True,
)
