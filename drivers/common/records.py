"""Records of names and values, of which messages of text consist: read as a measurement by what the options say.

A name that stands for no field is passed over. A field whose name is missing, or whose value is empty or makes no
sense, is left out and named; a record without any field is refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, field_validator, model_validator

from drivers.common import text_encodings
from drivers.common.field_values import READERS, Source, check_sources
from drivers.common.json_messages import SHOWN
from drivers.common.times import TimeFormat, moment
from drivers.common.topics import level_of
from gateway.contract import FieldValue, Kind, Measurement, Options, Reason, Reject, Remark

Record = Mapping[str, object]
"""Names, and what stands under them: text, or what the format itself says is a number, or true or false."""

Result = Measurement | Reject | Remark

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 32
NOTHING = frozenset({"", "null", "none", "nan", "-", "n/a", "na"})
"""Words that say that there is no value."""
_YES, _NO = frozenset({"true", "1", "on", "yes"}), frozenset({"false", "0", "off", "no"})

FieldSource = Annotated[Source, BeforeValidator(lambda said: {"path": said} if isinstance(said, str) else said)]


class RecordOptions(Options):
    """What the names in a record mean."""

    kind: Kind = Field(examples=["air_quality"])
    """air_quality, parking, position, traffic, or a measurement of the configuration's own."""
    fields: dict[str, FieldSource] = Field(default_factory=dict)
    """A name for each field, or a table with ``path``, ``scale``, ``offset``, ``equals`` and ``optional``."""
    sensor: str | None = None
    """A name in the record, or ``topic:N``; left out where the configuration names the sensor."""
    time: str | None = None
    """A name in the record; left out, it is the time of arrival."""
    time_format: TimeFormat = "rfc3339"
    """How it is written: as text, or as a number since 1970."""
    decimal: Literal[".", ","] = "."
    """What stands before the fraction of a number that is text."""

    @field_validator("sensor")
    @classmethod
    def _topic_level_is_a_number(cls, sensor: str | None) -> str | None:
        if sensor is not None:
            level_of(sensor)
        return sensor

    @model_validator(mode="after")
    def _fields_are_known(self) -> "RecordOptions":
        if self.kind and (self.sources() or type(self).model_fields["fields"].is_required()):
            check_sources(self.kind, self.sources(), self.vocabulary)
        return self

    def sources(self) -> dict[str, Source]:
        """Return where each field comes from."""
        return self.fields

    def where_sensor(self) -> str | None:
        """Return where the sensor's name stands."""
        return self.sensor

    def where_time(self) -> str | None:
        """Return the name under which the time stands."""
        return self.time

    def source_in(self, field: str, path: str, unit: str) -> Source:
        """Return where a field comes from that is written in ``unit``, "" for the vocabulary's own."""
        own = self.vocabulary[field].unit
        if unit in {"", own}:
            return Source(path=path)
        if (unit, own) == ("%", "fraction"):
            return Source(path=path, scale=0.01)
        raise ValueError(f"{field} is in {own or 'no unit'}, and nothing is known of {unit!r} to convert it")


class RecordReader:
    """Reads records of one description; keeps no state between them."""

    def __init__(self, options: RecordOptions) -> None:
        self._options = options
        self._fields = [(name, options.vocabulary[name].type, source) for name, source in options.sources().items()]
        self._sensor = options.where_sensor()
        self._level = None if self._sensor is None else level_of(self._sensor)
        self._time = options.where_time()

    def read(self, topic: str, record: Record, raw: bytes, tags: Mapping[str, str] | None = None) -> Iterator[Result]:
        """Yield what a record says; ``raw`` is the text that it comes from."""
        raw = raw[:SHOWN]
        fields: dict[str, FieldValue] = {}
        remarks = []
        for name, kind, source in self._fields:
            found = record.get(source.path)
            value, wrong = self._value(found, kind, source)
            if value is not None:
                fields[name] = value
            elif found is not None or not source.optional:
                remarks.append(Remark("left out", name, wrong))
        if not fields:
            nothing = all(record.get(source.path) is None for _, _, source in self._fields)
            yield self._refusal("noise" if nothing else "range", raw, remarks)
            return
        identity = self._identity(topic, record)
        if isinstance(identity, Remark):
            yield Reject("unsupported", raw, identity.detail)
            return
        time = self._moment(record)
        if isinstance(time, Remark):
            yield Reject("range", raw, time.detail)
            return
        yield from remarks
        yield Measurement(self._options.kind, fields, identity, time, tags=tags or {})

    def _refusal(self, reason: Reason, raw: bytes, remarks: Iterable[Remark]) -> Reject:
        return Reject(reason, raw, "; ".join(f"{one.what}: {one.detail}" for one in remarks) or "no known name")

    def _value(self, found: object, kind: str, source: Source) -> tuple[FieldValue | None, str]:
        """Return a field's value, or None and what is wrong."""
        if found is None:
            return None, f"nothing under {source.path!r}"
        if isinstance(found, str):
            if kind != "str" and source.equals is None and found.strip().lower() in NOTHING:
                return None, f"{found[:32]!r} says that there is none"
            found = self._typed(found.strip(), kind, source)
        read, word = READERS[kind]
        value = read(found, source)
        return value, "" if value is not None else f"{str(found)[:32]!r} is no {word}"

    def _typed(self, text: str, kind: str, source: Source) -> object:
        """Return a text as what its field wants, or as it is."""
        if kind in {"float", "int"} or (kind == "bool" and type(source.equals) is int):
            return self._number(text)
        if kind == "bool" and source.equals is None:
            word = text.lower()
            return True if word in _YES else False if word in _NO else text
        return text

    def _number(self, text: str) -> object:
        if self._options.decimal == ",":
            text = text.replace(".", "x").replace(",", ".")
        if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
            return text
        return float(text) if any(letter in text for letter in ".eE") else int(text)

    def _identity(self, topic: str, record: Record) -> str | Remark | None:
        where = self._sensor
        if where is None:
            return None
        name: object = None
        if self._level is None:
            name = record.get(where)
            name = str(name) if type(name) is int else name
        else:
            levels = topic.split("/")
            if -len(levels) <= self._level < len(levels):
                name = levels[self._level]
        if not isinstance(name, str) or not 0 < len(name := name.strip()) <= 128 or not name.isprintable():
            return Remark("left out", "sensor", f"no name of a sensor at {where}")
        return name

    def _moment(self, record: Record) -> int | Remark | None:
        if self._time is None:
            return None
        said, form = record.get(self._time), self._options.time_format
        time = moment(self._number(said.strip()) if isinstance(said, str) and form != "rfc3339" else said, form)
        if time is None:
            return Remark("left out", "time", f"no time as {form} at {self._time}")
        return time


class Text(NamedTuple):
    """A message that is text, and what had to be mended for that."""

    text: str
    mended: list[Remark]

    def said(self, results: Iterable[Result]) -> list[Result]:
        """Return what a message says, with what was mended in it, unless nothing came of it."""
        said = list(results)
        return said if all(isinstance(one, Reject) for one in said) else [*self.mended, *said]


def text_of(payload: bytes) -> Text | None:
    """Return a message as text, without NULs at its end; None for what is no text, or empty."""
    try:
        text, unusual = text_encodings.decode(payload)
    except ValueError:
        return None
    text = text.rstrip("\0").translate(text_encodings.AS_LATIN_1)
    if not text.strip() or not all(letter.isprintable() or letter in "\t\r\n" for letter in text):
        return None
    return Text(text, [Remark("mended", what, where) for what, where in unusual.items()])
