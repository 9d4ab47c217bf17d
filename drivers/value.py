"""A bare number or word a message: relays, power meters, Homie and other devices that have a topic for each value.

Worked: with these options ``21.5`` on the topic ``home/kitchen/temp`` is 21.5 degrees measured by ``kitchen``, and a
``55`` on ``home/kitchen/hum`` is a humidity of 0.55::

    kind = "air_quality"
    sensor = "topic:1"
    name = "topic:2"
    fields = { temperature = "temp", relative_humidity = { path = "hum", scale = 0.01 } }

``topic:N`` is the topic's level N, counted from 0, or from the end with -1. The level ``name`` says which value it
is; without ``name`` every message is the one field that is configured, as a relay's ``ON`` and ``OFF`` are with
``fields = { occupied = { path = "", equals = "ON" } }``.

What is true and false is said by ``equals``, or else by the words true, on, yes, 1 and false, off, no, 0 in any
capitals; another word is refused. So are two values in one message: the driver ``text`` reads those. JSON's quotes
around a word or number are no part of it.
"""

from collections.abc import Iterable

from pydantic import Field, field_validator, model_validator

from drivers.common.json_messages import MAX_MESSAGE, refuse
from drivers.common.records import FieldSource, RecordOptions, RecordReader, Result, text_of
from drivers.common.topics import level_of
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink, Reject, SerialLink

LONGEST = 1024
"""Bytes of one value, however many spaces stand around it."""


class ValueOptions(RecordOptions):
    """What a message is, and whose."""

    fields: dict[str, FieldSource] = Field(examples=[{"temperature": "temp"}])
    """What the level ``name`` says for each field, or a table with that as ``path``, ``scale``, ``equals`` ..."""
    name: str | None = None
    """The topic's level, ``topic:N``, that says which field it is; left out where there is one field only."""

    @field_validator("name")
    @classmethod
    def _name_is_a_level(cls, name: str | None) -> str | None:
        if name is not None and level_of(name) is None:
            raise ValueError('the name of a value is a level of its topic: "topic:-1" is the last')
        return name

    @model_validator(mode="after")
    def _one_message_is_one_field(self) -> "ValueOptions":
        if self.name is None and len(self.fields) > 1:
            raise ValueError('several fields need name = "topic:N", the level that tells them apart')
        if len({source.path for source in self.fields.values()}) < len(self.fields):
            raise ValueError("a value can be one field only")
        if self.time is not None or (self.sensor is not None and level_of(self.sensor) is None):
            raise ValueError("a bare value says neither a time nor a sensor: the sensor is a topic level")
        return self


class Decoder:
    """Reads one value a message; keeps no state between them."""

    def __init__(self, options: ValueOptions) -> None:
        self._level = None if options.name is None else level_of(options.name)
        self._readers = {
            source.path: RecordReader(options.model_copy(update={"fields": {field: source}}))
            for field, source in options.fields.items()
        }

    def decode(self, topic: str, payload: bytes) -> Iterable[Result]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        found = text_of(payload) if len(payload) <= LONGEST else None
        if found is None:
            return [refuse("noise", payload, "no bare number or word")]
        (name,) = self._readers if self._level is None else (self._name(topic),)
        if name not in self._readers:
            return [Reject("noise", payload, f"no field is configured for {name[:64]!r}")]
        said = found.said(self._readers[name].read(topic, {name: found.text.strip().strip('"')}, payload))
        # Words that say nothing are a device's, and any other word may be anybody's.
        return [
            one._replace(reason="noise") if isinstance(one, Reject) and one.reason == "range" else one for one in said
        ]

    def _name(self, topic: str) -> str:
        levels = topic.split("/")
        assert self._level is not None
        return levels[self._level] if -len(levels) <= self._level < len(levels) else ""


DRIVER = Driver(
    name="value",
    title="A bare number or word a topic",
    link=MqttLink(("sensors/#",)),
    fields=tuple(VOCABULARY.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=ValueOptions,
    kinds=DEVICE_KINDS,
    lines=SerialLink(9600),
)
