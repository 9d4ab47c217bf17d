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
all, so that no incomplete reading is stored as a whole one.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from drivers.common.field_values import READERS, Source, check_sources, split
from drivers.common.json_messages import MAX_MESSAGE, find, of_json, refuse
from drivers.common.times import TimeFormat, moment
from gateway.contract import (
    DEVICE_KINDS,
    VOCABULARY,
    Driver,
    FieldValue,
    Kind,
    Measurement,
    MqttLink,
    Options,
    Reason,
    Reject,
    SerialLink,
)


class JsonOptions(Options):
    """The description of one kind of message; see the module."""

    kind: Kind = Field(examples=["air_quality"])
    """air_quality, parking, position, traffic, or a measurement of the configuration's own."""
    fields: dict[
        str, Annotated[Source, BeforeValidator(lambda said: {"path": said} if isinstance(said, str) else said)]
    ] = Field(examples=[{"pm25": "values.0.pm2_5"}])
    """A path for each field, or a table with ``path``, ``scale``, ``offset``, ``equals`` and ``optional``."""
    sensor: str | None = None
    """A path, or ``topic:N``; left out where the configuration names the sensor."""
    time: str | None = None
    """A path; left out, it is the time of arrival."""
    time_format: TimeFormat = "rfc3339"
    """How it is written: as text, or as a number since 1970."""

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
        check_sources(self.kind, self.fields, self.vocabulary)
        return self


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


class Decoder:
    """Reads messages of one description; keeps no state between them."""

    def __init__(self, options: JsonOptions) -> None:
        self._kind = options.kind
        self._fields = [
            (name, split(source.path), *READERS[options.vocabulary[name].type], source)
            for name, source in options.fields.items()
        ]
        where, _, level = (options.sensor or "").partition(":")
        self._level = int(level) if where == "topic" and level else None
        self._sensor = split(options.sensor) if options.sensor and self._level is None else None
        self._time = split(options.time) if options.time is not None else None
        self._format = options.time_format

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        try:
            fields = self._read(message)
            return [Measurement(self._kind, fields, self._identify(topic, message), self._moment(message))]
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

    def _moment(self, message: object) -> int | None:
        if self._time is None:
            return None
        value = find(message, self._time)
        if value is None:
            raise _Refused("unsupported", "no time in it")
        time = moment(value, self._format)
        if time is None:
            raise _Refused("range", f"no time in the format {self._format}")
        return time

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


DRIVER = Driver(
    name="json",
    title="JSON over MQTT",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=JsonOptions,
    kinds=DEVICE_KINDS,
    lines=SerialLink(9600),
)
