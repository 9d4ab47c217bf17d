"""InfluxDB line protocol: what writes to a database by itself (Telegraf, CO2 lights, loggers) can write here.

Worked: with these options this line is CO2 812 ppm, 22.1 degrees and a humidity of 0.41 of the sensor ``ampel1``,
with the tag ``room`` and the time of its arrival::

    co2ampel,room=class3 co2=812,temperature=22.1,humidity=41       on the topic co2/ampel1

    kind = "air_quality"
    sensor = "topic:1"
    fields = { co2 = "co2", temperature = "temperature", relative_humidity = { path = "humidity", unit = "%" } }

Without ``kind`` the line's own measurement counts, as ``measurements`` translates it. Without ``fields`` a field of
the line is the field of the same name, of the vocabulary or of the configuration's own. A field that the measurement
cannot hold is left out and named. The sensor is ``tags.NAME`` or ``topic:N``; left out, the tag ``sensor`` or, on a
serial line, the source's own name. All other tags stay; ``city``, ``gateway`` and ``sensor`` are the gateway's own
tags, and those of a line become ``own_city`` and so on.

A message may have many lines. The number at a line's end is its time, in ``precision`` since 1970; one that would be
before the year 2000 is refused, and with it the precision that it looks like is named. Lines that begin with ``#``
say nothing. What is true is t, T, true, True or TRUE; ``12i`` and ``12u`` are whole numbers.

Source: InfluxDB documentation, line protocol reference, version 2.7.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.field_sources import Sources
from drivers.common.json_messages import MAX_MESSAGE, Output, refuse
from drivers.common.records import path_to, text_of
from drivers.common.time_formats import EARLIEST, PLAUSIBLE
from drivers.common.times import LATEST, UNITS
from drivers.line_protocol.parsing import NotLineProtocol, Point, parse
from gateway.contract import (
    DEVICE_KINDS,
    VOCABULARY,
    Driver,
    Kind,
    Measurement,
    MqttLink,
    Options,
    Remark,
    SerialLink,
)

RESERVED = frozenset({"city", "gateway", "sensor", "time"})
"""Tags that the gateway sets itself, and a name that databases refuse."""
TAGS = "tags."
MOST_READERS = 1_000
"""Sets of names that are remembered: whoever varies them in each line must not have us remember all."""


class LineProtocolOptions(Options):
    """What measurements, tags and fields mean."""

    kind: Kind | Literal[""] = ""
    """The measurement that lines go to; left out, a line's own one counts."""
    measurements: dict[str, Kind] = Field(default_factory=dict)
    """A line's measurement, and the one that it goes to; if any is named, lines of others are refused."""
    fields: Sources = Field(default_factory=dict)
    """A field of the line for each field, or a table with it as ``path``, and ``unit``, ``scale`` and so on."""
    sensor: str | None = None
    """``tags.NAME``, ``topic:N``, or several as in JSON; left out, the tag ``sensor``, or the source's own name."""
    precision: Literal["ns", "us", "ms", "s"] = "ns"
    """The unit of the time at a line's end."""
    tags: tuple[str, ...] | None = None
    """The tags that readings keep; left out, all of them, and [] for none."""

    @model_validator(mode="after")
    def _can_work(self) -> "LineProtocolOptions":
        if self.kind and self.measurements:
            raise ValueError("kind is of all lines, measurements of some: set one of them")
        if self.sensor is not None and self.sensor.startswith("tag:"):
            raise ValueError(f"sensor: a tag is written {TAGS}{self.sensor.removeprefix('tag:')}")
        if self.fields and not self.kind:
            raise ValueError("fields need a kind")
        example: dict[str, Any] = dict(self.fields) or {
            next(iter(self.vocabulary.of(self.kind or DEVICE_KINDS[0]))): "x"
        }
        try:
            self.described(self.kind or DEVICE_KINDS[0], example)
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    @property
    def names_sensor(self) -> bool:
        """Whether lines say whose they are; a tag does, unless the options say otherwise."""
        return True

    def described(self, kind: str, fields: Any) -> DescribedOptions:  # noqa: ANN401 -- sources, or paths
        """Return the description of lines that go to one measurement."""
        given = {"kind": kind, "fields": fields, "sensor": self.sensor}
        return DescribedOptions.model_validate(given, context=self.vocabulary)

    def kind_of(self, measurement: str) -> str | None:
        """Return the measurement that a line goes to, None for a line that has no place."""
        if self.measurements:
            return self.measurements.get(measurement)
        return self.kind or (measurement if measurement in self.vocabulary.kinds else None)


class Decoder:
    """Reads lines; what it remembers is how the fields of each measurement are read."""

    def __init__(self, options: LineProtocolOptions) -> None:
        self._options = options
        self._readers: dict[tuple[str, ...], DescribedReader] = {}
        self._unit = UNITS[options.precision]

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        found = text_of(payload)
        if found is None:
            return [refuse("noise", payload, "no line protocol: no text")]
        lines = [line for line in found.text.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            return [Remark("empty", "comments only", found.text.strip()[:64])]
        return found.said(said for line in lines for said in self._line(topic, line.strip()))

    def _line(self, topic: str, line: str) -> Iterator[Output]:
        raw = line.encode()
        try:
            point = parse(line)
        except NotLineProtocol as error:
            yield refuse("noise", raw, f"no line protocol: {error}")
            return
        kind = self._options.kind_of(point.measurement)
        if kind is None:
            yield refuse("unsupported", raw, f"no measurement is configured for {point.measurement[:64]!r}")
            return
        time = None if point.time is None else point.time * self._unit
        if time is not None and not EARLIEST <= time <= LATEST:
            yield refuse("range", raw, f"{point.time} {self._options.precision} is no time{_better(point.time)}")
            return
        unknown = [] if self._options.fields else self._unknown(kind, point)
        if len(unknown) == len(point.fields):
            words = f"{kind} has no field {', '.join(unknown)[:128]}: [fields.NAME] makes one"
            yield refuse("unsupported", raw, words)
            return
        yield from (Remark("left out", name, f"{kind} has no such field") for name in unknown)
        message = {**point.fields, "tags": point.tags}
        for said in self._reader(kind, point).read(topic, message, raw):
            if isinstance(said, Measurement):
                sensor = point.tags.get("sensor") if self._options.sensor is None else said.sensor
                yield said._replace(time=time, sensor=sensor, tags=self._tags(point))
            else:
                yield said

    def _unknown(self, kind: str, point: Point) -> list[str]:
        return [name for name in point.fields if self._options.vocabulary.find(kind, name) is None]

    def _reader(self, kind: str, point: Point) -> DescribedReader:
        """Return what reads such lines: by the fields of the options, or by the line's own names."""
        key = (kind,) if self._options.fields else (kind, *point.fields)
        reader = self._readers.get(key)
        if reader is None:
            if len(self._readers) >= MOST_READERS:
                self._readers.clear()
            unknown = self._unknown(kind, point)
            own = {name: path_to(name) for name in point.fields if name not in unknown}
            options = self._options.described(kind, self._options.fields or own)
            reader = self._readers[key] = DescribedReader(options)
        return reader

    def _tags(self, point: Point) -> dict[str, str]:
        wanted, own = self._options.tags, (self._options.sensor or f"{TAGS}sensor").removeprefix(TAGS)
        return {
            f"own_{name}" if name in RESERVED else name: value
            for name, value in point.tags.items()
            if name != own and (wanted is None or name in wanted)
        }


def _better(time: int | None) -> str:
    """Return the precision by which a time would be one of ours, in words."""
    fitting = [name for name, unit in UNITS.items() if EARLIEST <= (time or 0) * unit < PLAUSIBLE]
    return f'; precision = "{fitting[0]}" would make it one' if fitting else ""


DRIVER = Driver(
    name="line_protocol",
    title="InfluxDB line protocol",
    link=MqttLink(("telegraf/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=LineProtocolOptions,
    kinds=DEVICE_KINDS,
    lines=SerialLink(9600),
)
