"""OmniPreSense OPS241-A, OPS242-A and OPS243-A: Doppler radar for traffic.

USB (any speed) or UART 19200 8N1. Text lines. One line for each report, several a second for each vehicle; between
them the answers to commands, whose names begin with a capital::

    {"speed":-12.4,"magnitude":310,"time":105.135}      numbers, or the same as text: "-12.4"
    {"speed":[15.5,12.3],"magnitude":[500,300]}         several objects, the strongest first
    {"speed":0.58,"direction":"inbound","time":105,"tick":135}      firmware up to 1.1: tick is in ms
    {"DetectedObjectVelocity":"59"}                     object mode: sent once the radar is sure
    -3.6        105.135,-3.6        105.135,310,-3.6    not JSON: [time,[magnitude,]]speed
    {"Units":"km-per-hr"}   {"Version":"1.3.1"}         answers

Positive is approaching (inbound), negative receding. A command is two characters without an end (one with a free
number, as R>15, needs a newline). Strings of commands are dropped: they go one by one. ``U?`` asks for the units: it
changes nothing, a working radar answers it, and it shows when one that lost power went back to metres per second.
Until the first answer a number is taken for km/h, as was asked for.

What is sent first, and why: OJ JSON, which names its numbers; UK km/h; F1 one decimal; OS speed, OM magnitude,
OT time; O1 the strongest object only; On no object mode, which would report a vehicle twice; R| both directions;
S2 20,000 samples a second, because 10,000 end at 111 km/h and these at 223; BV silence when nothing moves; U? units.

Quirks: a queue is invisible, only movement is seen. A beam at an angle to the road reads low by its cosine. Rain and
shaking signs give constant low speeds: `min_speed`. The clock counts seconds from power-on.

Worked: ``{"speed":"48.1"}``, ``{"speed":"50.3"}``, ``{"speed":"49.9"}`` within a second are one vehicle at 50.3 km/h.

Sources: OPS243-A user manual UM-003-A, OPS242 user manual OPS-UM-001-C, application note AN-010 (OmniPreSense).
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import Field as Bounded

from drivers.common.framing import Lines
from drivers.common.passages import Direction, Traffic
from gateway.contract import Driver, Duration, Measurement, Options, Reject, SerialLink, field

KMH = {
    **dict.fromkeys(("km-per-hr", "kmph", "km/h"), 1.0),
    **dict.fromkeys(("m-per-sec", "mps", "m/s"), 3.6),
    **dict.fromkeys(("cm-per-sec", "cmps", "cm/s"), 0.036),
    **dict.fromkeys(("ft-per-sec", "feet-per-sec", "fps", "ft/s"), 1.09728),
    **dict.fromkeys(("mph", "miles-per-hr"), 1.609344),
}
"""A unit's name, as any firmware writes it -> kilometres an hour."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]*)?|\.[0-9]+)")
SPEEDS = tuple(field(name, 0, 223) for name in ("average_vehicle_speed", "max_vehicle_speed"))
MAX_LINE = 512
START = (b"OJ", b"UK", b"F1", b"OS", b"OM", b"OT", b"O1", b"On", b"R|", b"S2", b"BV", b"U?")
UNITS = b"U?"
_NOTHING_SEEN = b" ,"  # what BS and BC send when nothing moves


class Report(NamedTuple):
    """One speed, signed: positive is inbound; ``unit`` where the line names it; ``sure`` in object mode."""

    speed: float
    magnitude: float | None = None
    time: float | None = None
    unit: str | None = None
    sure: bool = False

    @property
    def direction(self) -> Direction:
        """Where it goes."""
        return "outbound" if self.speed < 0 else "inbound"


class Answer(NamedTuple):
    """An answer about the radar itself."""

    values: Mapping[str, Any]


def parse(line: bytes) -> Report | Answer | Reject:
    """Parse one line, sound or damaged."""
    text = line.strip()
    at = -1 if text.startswith(b'"') else text.find(b"{")  # behind what the line caught while the radar started
    if at >= 0:
        try:
            message = orjson.loads(text[at:])
        except orjson.JSONDecodeError as error:
            return Reject("length", line, f"broken JSON: {error}")
        return _from_json(message, line)
    words = text.decode("ascii", "replace").split(",")
    unit = words.pop(0).strip('"') if words[0].startswith('"') else None
    numbers = [_number(word.strip()) for word in words]
    match numbers:
        case [float(speed)]:
            return Report(speed, unit=unit)
        case [float(time), float(speed)]:
            return Report(speed, time=time, unit=unit)
        case [float(time), float(magnitude), float(speed)]:
            return Report(speed, magnitude, time, unit)
    return Reject("noise", line, "neither JSON nor numbers")


def _number(value: object) -> float | None:
    """Return a number that may have come as text, or as a list with the strongest first."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _from_json(message: Mapping[str, Any], line: bytes) -> Report | Answer | Reject:
    said = next((name for name in ("speed", "DetectedObjectVelocity") if name in message), None)
    if said is None:
        if next(iter(message), "")[:1].isupper():
            return Answer(message)
        return Reject("unsupported", line, "no speed in it")
    speed = _number(message[said])
    if speed is None:
        return Reject("range", line, f"{said} is no number")
    match message.get("direction"):
        case "inbound":
            speed = abs(speed)
        case "outbound":
            speed = -abs(speed)
    time, tick = _number(message.get("time")), _number(message.get("tick"))
    if time is not None and tick is not None:
        time += tick / 1000
    unit = message.get("unit", message.get("units"))
    named = unit if isinstance(unit, str) else None
    return Report(speed, _number(message.get("magnitude")), time, named, sure=said != "speed")


class Ops243Options(Options):
    """How vehicles are told apart and counted; speeds in km/h, after the correction for ``angle``."""

    interval: Annotated[Duration, Bounded(ge=1, le=86400)] = 60.0
    """A reading for each direction is given this often."""
    gap: Annotated[Duration, Bounded(gt=0)] = 1.0
    """A longer silence ends a passage."""
    min_reports: Annotated[int, Bounded(ge=1)] = 2
    """Fewer reports are noise."""
    min_speed: Annotated[float, Bounded(ge=0)] = 5.0
    """Slower ones are rain, leaves and walkers."""
    max_speed: Annotated[float, Bounded(gt=0)] = 223.0
    """Faster ones are more than the radar can measure."""
    angle: Annotated[float, Bounded(ge=0, le=70)] = 0.0
    """Degrees between the beam and the road; 0 where the radar itself corrects it."""
    directions: tuple[Direction, ...] = ("inbound", "outbound")
    """What to count."""


class Decoder:
    """Counts the vehicles that one radar sees."""

    def __init__(self, options: Ops243Options) -> None:
        self._options = options
        self._lines = Lines(MAX_LINE, b"{")
        self._traffic = Traffic(options.directions, options.interval, options.gap, options.min_reports)
        self._cosine = math.cos(math.radians(options.angle))
        self.proven = False  # until it names its units, itself or an object: anybody may print numbers and speeds
        self._to_kmh = 1.0
        self._restore: list[bytes] = []

    def start(self) -> Iterable[bytes]:
        """Return the commands one by one."""
        return START

    def poll(self) -> bytes:
        """Ask for the units; or, where the radar has lost its settings, send the next of them again."""
        return self._restore.pop(0) if self._restore else UNITS

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        said: list[Measurement | Reject] = list(self._traffic.advance(now))
        for line in self._lines.feed(data):
            said += self._hear(line)
        return said

    def finish(self) -> Iterable[Measurement | Reject]:
        """Return the open interval with its real length."""
        return [*self._lines.finish(), *self._traffic.finish()]

    def _hear(self, line: bytes | Reject) -> Iterator[Reject]:
        if isinstance(line, Reject):
            yield line
        elif not (text := line.strip(_NOTHING_SEEN)) or text in START:
            return  # an echo of the command, not an answer
        elif isinstance(heard := parse(line), Reject):
            yield heard
        elif isinstance(heard, Answer):
            self._traffic.alive = True
            self.proven |= heard.values.get("Units") in KMH or str(heard.values.get("Product", "")).startswith("OPS")
            self._learn(heard.values.get("Units"))
        elif heard.unit is not None and heard.unit not in KMH:
            yield Reject("unsupported", line, f"unit {heard.unit!r} is not known")
        else:
            # A whole number alone may come from another device: it is no sign of a radar.
            self._traffic.alive |= not text.isdigit()
            self.proven |= heard.sure
            self._see(heard)

    def _learn(self, units: object) -> None:
        if isinstance(units, str) and units in KMH:
            self._to_kmh = KMH[units]
            if self._to_kmh != 1.0 and not self._restore:
                self._restore = list(START)

    def _see(self, report: Report) -> None:
        factor = self._to_kmh if report.unit is None else KMH[report.unit]
        speed = abs(report.speed) * factor / self._cosine
        if speed > 0 and self._options.min_speed <= speed <= self._options.max_speed:
            weight = self._options.min_reports if report.sure else 1
            self._traffic.see(report.direction, speed, report.time, weight)


DRIVER = Driver(
    name="ops243",
    title="OmniPreSense OPS241/OPS242/OPS243-A",
    link=SerialLink(baudrate=19200, interval=5.0, harmless="poll"),
    fields=(field("intensity"), *SPEEDS, field("period")),
    max_frame=MAX_LINE,
    decoder=Decoder,
    options=Ops243Options,
    kinds=("traffic",),
    experimental=True,
)
