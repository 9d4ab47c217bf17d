"""Plain JSON over MQTT: any device whose messages are JSON objects, described in the configuration.

Worked: the message ``{"meta": {"ts": 1700000000123}, "values": [{"pm2_5": 12, "t": 215}]}`` on the topic
``city/air/box-7/state`` with these options is PM2.5 12.0 ug/m3 and 21.5 degrees, measured by ``box-7`` at that time::

    kind = "air_quality"
    sensor = "topic:2"
    time = "meta.ts"
    time_format = "ms"
    fields = { pm25 = "values.0.pm2_5", temperature = { path = "values.0.t", scale = 0.1 } }

A path names keys, and positions in lists, joined by dots. ``topic:N`` is the topic's level N, counted from 0, or from
the end with -1. A field is named as the vocabulary names it; its value is ``number * scale + offset`` in the
vocabulary's unit, or, for yes and no, whether the message ``equals`` a given text or number.

A message that lacks a field that is not ``optional``, or holds something of another type, gives no measurement at
all: half a reading looks whole to everyone who comes later. NaN, infinities and 1e999 are no JSON.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import BeforeValidator, field_validator, model_validator

from drivers._messages import MAX_MESSAGE, READERS, Path, Source, find, parse, refuse, split
from drivers._rfc3339 import LATEST, nanoseconds
from gateway.contract import VOCABULARY, Driver, FieldValue, Measurement, MqttLink, Options, Reason, Reject

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


class JsonOptions(Options):
    """The description of one kind of message; see the module."""

    kind: Literal["air_quality", "parking", "traffic"]
    """One of the measurements."""
    fields: dict[
        str, Annotated[Source, BeforeValidator(lambda said: {"path": said} if isinstance(said, str) else said)]
    ]
    sensor: str | None = None
    """A path, or ``topic:N``; None where the configuration names the sensor."""
    time: str | None = None
    """A path; None for the time of arrival."""
    time_format: Literal["rfc3339", "s", "ms", "us", "ns"] = "rfc3339"

    @field_validator("sensor")
    @classmethod
    def _topic_level_is_a_number(cls, sensor: str | None) -> str | None:
        if sensor is not None and sensor.startswith("topic:"):
            try:
                int(sensor.removeprefix("topic:"))
            except ValueError:
                raise ValueError('write a topic level as "topic:2", or "topic:-1" for the last') from None
        return sensor

    @model_validator(mode="after")
    def _fields_are_known(self) -> "JsonOptions":
        if not self.fields:
            raise ValueError("name at least one field")
        for name, source in self.fields.items():
            known = VOCABULARY.get(name)
            if known is None or self.kind not in known.kinds:
                of_kind = [field.name for field in VOCABULARY.values() if self.kind in field.kinds]
                near = get_close_matches(name, of_kind, n=1) or of_kind
                raise ValueError(f"{self.kind} has no field {name!r}; known: {', '.join(near)}")
            if known.type != "float" and (source.scale, source.offset) != (1.0, 0.0):
                raise ValueError(f"{name} is {known.type}: only numbers with a fraction have scale and offset")
            if known.type != "bool" and source.equals is not None:
                raise ValueError(f"{name} is {known.type}: only yes and no can say what they equal")
        return self


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


class Decoder:
    """Reads messages of one description; remembers nothing between them."""

    def __init__(self, options: JsonOptions) -> None:
        self._kind = options.kind
        self._fields = [
            (name, split(source.path), *READERS[VOCABULARY[name].type], source)
            for name, source in options.fields.items()
        ]
        self._level, self._sensor = _identity(options.sensor)
        self._time = split(options.time) if options.time is not None else None
        self._format = options.time_format

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.MessageDecoder`."""
        message = parse(payload)
        if isinstance(message, Reject):
            return [message]
        try:
            fields = self._read(message)
            time = None if self._time is None else _moment(find(message, self._time), self._format)
            return [Measurement(self._kind, fields, self._identify(topic, message), time)]
        except _Refused as error:
            return [refuse(error.reason, payload, str(error))]

    def _read(self, message: object) -> dict[str, FieldValue]:
        fields: dict[str, FieldValue] = {}
        for name, path, read, word, source in self._fields:
            found = find(message, path)
            if found is None:
                if not source.optional:
                    raise _Refused("unsupported", f"nothing at {source.path}")
            elif (value := read(found, source)) is None:
                raise _Refused("range", f"what stands at {source.path} is no {word}")
            else:
                fields[name] = value
        if not fields:
            raise _Refused("unsupported", "none of the fields is in it")
        return fields

    def _identify(self, topic: str, message: object) -> str | None:
        if self._level is not None:
            levels = topic.split("/")
            if not -len(levels) <= self._level < len(levels):
                raise _Refused("unsupported", f"the topic has no level {self._level}: {topic}")
            name: object = levels[self._level]
        elif self._sensor is not None:
            name = find(message, self._sensor)
            name = str(name) if type(name) is int else name
        else:
            return None
        if not isinstance(name, str) or not 0 < len(name) <= 128 or not name.isprintable():
            raise _Refused("range", "the sensor's name is no text of 1 to 128 printable characters")
        return name


def _identity(where: str | None) -> tuple[int | None, Path | None]:
    """Return a topic level, or a path, or neither."""
    if where is None:
        return None, None
    if where.startswith("topic:"):
        return int(where.removeprefix("topic:")), None
    return None, split(where)


def _moment(value: object, form: str) -> int:
    """Return nanoseconds UTC; a float of seconds is as exact as a microsecond, and is cut to it."""
    if value is None:
        raise _Refused("unsupported", "no time in it")
    found: int | None = None
    if form == "rfc3339":
        found = nanoseconds(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        unit = _NANOSECONDS[form]
        if 0 < value <= LATEST / unit:
            found = value * unit if isinstance(value, int) else round(value * unit / 1000) * 1000
    if found is None or found > LATEST:
        raise _Refused("range", f"no time in the format {form}")
    return found


DRIVER = Driver(
    name="json",
    title="JSON over MQTT",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=JsonOptions,
    kinds=("air_quality", "parking", "traffic"),
)
