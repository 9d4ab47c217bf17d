"""A bare number or word a message: relays, power meters, Homie and other devices that have a topic for each value.

Worked: with these options ``21.5`` on the topic ``home/kitchen/temp`` is 21.5 degrees measured by ``kitchen``, and a
``55`` on ``home/kitchen/hum`` is a humidity of 0.55::

    kind = "air_quality"
    sensor = "topic:1"
    name = "topic:2"
    fields = { temperature = "temp", relative_humidity = { path = "hum", unit = "%" } }

``topic:N`` is the topic's level N, counted from 0, or from the end with -1. The level ``name`` says which value it
is; without ``name`` every message is the one field that is configured, as a relay's ``ON`` and ``OFF`` are with
``fields = { occupied = "" }``.

A unit may stand behind a number. The usual words for yes and no are known, as ``true_values`` and ``false_values``
others; a word that is neither is refused. So are two values in one message: the driver ``text`` reads those. JSON's
quotes around a word or number are no part of it.
"""

from collections.abc import Iterable

from pydantic import Field, field_validator, model_validator

from drivers.common.described import DescribedOptions, DescribedReader
from drivers.common.field_sources import Sources
from drivers.common.json_messages import MAX_MESSAGE, Output, refuse
from drivers.common.records import text_of
from drivers.common.topics import level_in, level_of
from gateway.contract import DEVICE_KINDS, VOCABULARY, Driver, MqttLink, Reject, SerialLink

LONGEST = 1024
"""Bytes of one value, however many spaces stand around it."""


class ValueOptions(DescribedOptions):
    """What a message is, and whose."""

    fields: Sources = Field(examples=[{"temperature": "temp"}])
    """What the level ``name`` says for each field, or a table with that as ``path``, and ``unit`` and so on."""
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
        if self.time is not None or self.each is not None:
            raise ValueError("a bare value has neither a time nor elements")
        if self.sensor is not None and not any(mark in self.sensor for mark in ("topic:", "const:")):
            raise ValueError("a bare value says no sensor: it is a topic level, topic:1")
        return self


class Decoder:
    """Reads one value a message."""

    def __init__(self, options: ValueOptions) -> None:
        self._level = None if options.name is None else level_of(options.name)
        self._readers = {source.path: _reader(options, field) for field, source in options.fields.items()}

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        if len(payload) > MAX_MESSAGE:
            return [refuse("length", payload, f"{len(payload)} bytes, {MAX_MESSAGE} allowed")]
        found = text_of(payload) if len(payload) <= LONGEST else None
        if found is None:
            return [refuse("noise", payload, "no bare number or word")]
        (name,) = self._readers if self._level is None else (level_in(topic, self._level) or "",)
        if name not in self._readers:
            return [refuse("noise", payload, f"no field is configured for {name[:64]!r}")]
        value = found.text.strip()
        value = value[1:-1] if value[:1] == value[-1:] == '"' else value
        said = found.said(self._readers[name].read(topic, value, payload))
        # A word that says nothing is the device's, and any other may be anybody's.
        return [one._replace(reason="noise") if isinstance(one, Reject) else one for one in said]


def _reader(options: ValueOptions, field: str) -> DescribedReader:
    """Return what reads one field, which is the whole message."""
    source = options.fields[field].model_copy(update={"path": ""})
    return DescribedReader(options.model_copy(update={"fields": {field: source}}))


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
