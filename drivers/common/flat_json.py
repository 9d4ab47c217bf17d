"""Flat JSON messages, names with numbers, as small stations send them: read by a table of the known names."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from drivers.common.json_messages import refuse
from gateway.contract import VOCABULARY, Field, FieldValue, Measurement, Quality, Reject

Fields = dict[str, FieldValue]


class Term(NamedTuple):
    """The vocabulary's ``field`` is ``number * scale + offset``."""

    field: str
    scale: float = 1.0
    offset: float = 0.0


PERCENT = 0.01
PER_DECILITRE = 0.01
"""From particles in 0.1 litre to particles in 1 cm3."""


class _Unreadable(ValueError):
    """A known name holds no value of its type; the message says which."""


def number(value: object) -> float | None:
    """Return a finite number, which may be written as text; None for anything else."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | str)
        or (type(value) is str and len(value) > 32)
    ):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def _read(said: Iterable[tuple[str, object]], table: Mapping[str, Term]) -> Fields:
    """Return the fields of ``said`` that ``table`` knows; of two for one field the first, of null nothing."""
    fields: Fields = {}
    for name, value in said:
        term = table.get(name)
        if term is None or term.field in fields or value is None:
            continue
        fields[term.field] = _convert(name, value, term)
    return fields


def _convert(name: str, value: object, term: Term) -> FieldValue:
    kind = VOCABULARY[term.field].type
    if kind == "str":
        text = str(value) if type(value) is int else value
        if type(text) is str and len(text) <= 256 and text.isprintable():
            return text
    elif kind == "bool":
        if type(value) is bool:
            return value
    elif (found := number(value)) is not None:
        if kind == "float" and math.isfinite(found := found * term.scale + term.offset):
            return round(found, 9)
        if kind == "int" and found.is_integer() and abs(found) < 2**53:
            return int(found)
    raise _Unreadable(f"{name[:64]} holds no value that it may have")


def report(
    said: Iterable[tuple[str, object]],
    table: Mapping[str, Term],
    sensor: object,
    payload: bytes,
    time: int | None = None,
) -> Measurement | Reject:
    """Return a reading of the names in a station's message that ``table`` knows.

    Of two names for the same field the first counts; null is nothing. A number of a known name that is none, and a
    name that cannot be a sensor's, make a `Reject`; so does a message that says nothing of the air.
    """
    try:
        fields = _read(said, table)
    except _Unreadable as error:
        return refuse("range", payload, str(error))
    if all(VOCABULARY[name].health for name in fields):
        return refuse("unsupported", payload, "no value that is known")
    name = _name(sensor)
    if name is None:
        return refuse("range", payload, "no name of a sensor")
    return Measurement("air_quality", fields, name, time, quality=_quality(fields))


def _quality(fields: Fields) -> Quality:
    """Tell whether there is less coarse dust than fine, which is a part of it."""
    fine, coarse = fields.get("pm25"), fields.get("pm10")
    doubtful = isinstance(fine, float) and isinstance(coarse, float) and fine > coarse
    return Quality.INCONSISTENT if doubtful else Quality.GOOD


def _name(value: object) -> str | None:
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) and 0 < len(text) <= 128 and text.isprintable() else None


def declared(*tables: Mapping[str, Term]) -> tuple[Field, ...]:
    """Return the fields that such tables yield."""
    names = {term.field for table in tables for term in table.values()}
    return tuple(field for name, field in VOCABULARY.items() if name in names)
