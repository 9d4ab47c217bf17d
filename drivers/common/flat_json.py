"""Flat JSON messages, names with numbers, as small stations send them: read by a table of the known names."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from math import isfinite
from types import MappingProxyType

from drivers.common.json_messages import refuse
from gateway.contract import VOCABULARY, Field, FieldValue, Measurement, Quality, Reject, Remark, conversion

Fields = dict[str, FieldValue]

NO_VALUE = -990.0
"""What is less stands for no value in every kind of message: -999 and -9999 are common for "no sensor"."""


ABSOLUTE_ZERO = -273.15
"""What is colder stands for no value: Zigbee's is -327.68."""


LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Term:
    """The vocabulary's ``field`` is ``number * scale + offset``; a number below ``least`` stands for no value."""

    field: str
    scale: float = 1.0
    offset: float = 0.0
    least: float = NO_VALUE
    kind: str = dataclass_field(init=False)
    """The field's type."""
    coldest: float = dataclass_field(init=False)
    """A field with less than this stands for no value."""

    def __post_init__(self) -> None:
        known = VOCABULARY[self.field]
        # Worked out once for each name, not with every reading.
        object.__setattr__(self, "kind", known.type)
        object.__setattr__(self, "coldest", ABSOLUTE_ZERO if known.unit == "degC" else -LARGEST)


def in_unit(field: str, unit: str, *, least: float = NO_VALUE) -> Term:
    """Return the term of a field whose number comes in another unit than the vocabulary's."""
    found = conversion(unit, VOCABULARY[field].unit)
    if found is None:
        raise ValueError(f"no number in {unit} becomes a {field}")
    return Term(field, found.factor, found.offset, least)


PERCENT = 0.01
PER_DECILITRE = 0.01
"""From particles in 0.1 litre to particles in 1 cm3."""


class Unreadable(ValueError):
    """A known name holds no value of its type; the message says why."""


def number(value: object) -> float | None:
    """Return a finite number, which may be written as text; None for anything else."""
    kind = type(value)
    if kind is not str and kind is not float and kind is not int:
        return None
    try:
        read = float(value)  # type: ignore[arg-type] # it is one of the three
    except (ValueError, OverflowError):
        return None
    if kind is str and (len(value) > 32 or "_" in value):  # type: ignore[arg-type,operator] # it is a text
        return None
    return read if isfinite(read) else None


def read_fields(said: Iterable[tuple[str, object]], table: Mapping[str, Term]) -> tuple[Fields, list[Remark]]:
    """Return the fields of ``said`` that ``table`` knows, and a remark for each known name without a value.

    Of two names for one field the first counts, and where that has no value the field is left out: the second one
    measures something else, and would change what the series means.
    """
    fields: Fields = {}
    remarks: list[Remark] = []
    without: set[str] = set()
    for name, value in said:
        term = table.get(name)
        if term is None or (field := term.field) in fields or field in without:
            continue
        try:
            fields[field] = convert(value, term)
        except Unreadable as error:
            without.add(field)
            remarks.append(left_out(name, error))
    return fields, remarks


def left_out(name: str, why: object) -> Remark:
    """Return the remark that a part of a message was left out."""
    return Remark("left out", name[:64], str(why)[:128])


def convert(value: object, term: Term) -> FieldValue:
    """Return the field that a value stands for; raises `Unreadable` where it is none of its type."""
    kind = term.kind
    if kind == "float":
        found = number(value)
        if found is not None:
            said = found * term.scale + term.offset
            if found >= term.least and term.coldest <= said <= LARGEST:
                return round(said, 9)
            raise Unreadable(f"{found:g} stands for no value")
    elif kind == "str":
        text = str(value) if type(value) is int else value
        if type(text) is str and 0 < len(text) <= 256 and text.isprintable():
            return text
    elif kind == "bool":
        if value is True or value is False or (type(value) in (int, float) and value in (0, 1)):
            return bool(value)
    elif (found := number(value)) is not None and found >= term.least and found.is_integer() and abs(found) < 2**53:
        return int(found)
    raise Unreadable("null" if value is None else f"{str(value)[:64]!r} is no {_WORDS[kind]}")


_WORDS = {"float": "number", "int": "whole number", "bool": "yes or no", "str": "short text"}


def report(
    said: Iterable[tuple[str, object]],
    table: Mapping[str, Term],
    sensor: object,
    payload: bytes,
    time: int | None = None,
    *,
    tags: Mapping[str, str] = MappingProxyType({}),
    health_alone: bool = False,
) -> list[Measurement | Reject | Remark]:
    """Return a reading of the names in a station's message that ``table`` knows, and remarks on what has no value.

    A name that cannot be a sensor's makes a `Reject`; so does a message that says nothing of the air, unless what a
    device says of itself is a reading alone (``health_alone``).
    """
    fields, remarks = read_fields(said, table)
    name = name_of(sensor)
    if name is None:
        return [refuse("range", payload, "no name of a sensor")]
    if not fields or not (health_alone or fields.keys() - HEALTH):
        without = "; ".join(f"{one.what}: {one.detail}" for one in remarks)
        return [refuse("range", payload, without) if remarks else refuse("unsupported", payload, NOTHING)]
    return [Measurement("air_quality", fields, name, time, quality=quality_of(fields), tags=tags), *remarks]


NOTHING = "no value that is known"
HEALTH = frozenset(name for name, field in VOCABULARY.items() if field.health)
"""What a device says of itself."""


def quality_of(fields: Fields) -> Quality:
    """Tell whether there is less coarse dust than fine, which is a part of it."""
    fine, coarse = fields.get("pm25"), fields.get("pm10")
    doubtful = isinstance(fine, float) and isinstance(coarse, float) and fine > coarse
    return _DOUBTFUL if doubtful else _GOOD


_GOOD, _DOUBTFUL = Quality.GOOD, Quality.INCONSISTENT


def name_of(value: object) -> str | None:
    """Return a value as a sensor's name; None where it cannot be one."""
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) and 0 < len(text) <= 128 and text.isprintable() else None


def declared(*tables: Mapping[str, Term]) -> tuple[Field, ...]:
    """Return the fields that such tables yield."""
    names = {term.field for table in tables for term in table.values()}
    return tuple(field for name, field in VOCABULARY.items() if name in names)
