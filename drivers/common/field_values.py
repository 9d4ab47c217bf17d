"""Values of messages as fields of the vocabulary: where each is found, and how it is read."""

import math
from collections.abc import Mapping
from difflib import get_close_matches

from drivers.common.json_messages import Path
from gateway.contract import VOCABULARY, FieldValue, Options, Vocabulary


class Source(Options):
    """Where one field comes from.

    ``path``      keys, and positions in lists, joined by dots
    ``scale``     the field is ``number * scale + offset``, for fields with a fraction
    ``equals``    the field is true where the message holds exactly this, for fields that are true or false
    ``optional``  the message may lack it
    """

    path: str
    scale: float = 1.0
    offset: float = 0.0
    equals: bool | int | str | None = None
    optional: bool = False


def split(path: str) -> Path:
    """Return the steps of a dotted path."""
    return tuple(path.split("."))


def _to_float(value: object, source: Source) -> FieldValue | None:
    if type(value) is not float:
        if type(value) is not int:
            return None
        try:
            value = float(value)
        except OverflowError:
            return None
    if source.scale == 1.0 and source.offset == 0.0:
        return value
    result = round(value * source.scale + source.offset, 9)  # 3 * 0.1 is meant to be 0.3
    return result if math.isfinite(result) else None


def _to_int(value: object, _: Source) -> FieldValue | None:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return whole if type(whole) is int and -(2**63) <= whole < 2**63 else None


def _to_bool(value: object, source: Source) -> FieldValue | None:
    wanted = source.equals
    if wanted is None:
        return value if isinstance(value, bool) else None
    if not isinstance(value, bool | int | float | str):
        return None
    return value == wanted and isinstance(value, bool) == isinstance(wanted, bool)  # 1 is not true


def _to_str(value: object, _: Source) -> FieldValue | None:
    return value if isinstance(value, str) and len(value) <= 256 and value.isprintable() else None


READERS = {
    "float": (_to_float, "number"),
    "int": (_to_int, "whole number"),
    "bool": (_to_bool, "yes or no"),
    "str": (_to_str, "short text"),
}
"""Vocabulary type -> a function of a value and its source, None for what is no such value; and what it reads."""


def check_sources(kind: str, sources: Mapping[str, Source], vocabulary: Vocabulary = VOCABULARY) -> None:
    """Look whether the vocabulary has such fields for ``kind``; a ``ValueError`` names the nearest one it has."""
    if not sources:
        raise ValueError("name at least one field")
    for name, source in sources.items():
        known = vocabulary.find(kind, name)
        if known is None:
            of_kind = vocabulary.of(kind)
            near = get_close_matches(name, of_kind, n=1) or of_kind
            raise ValueError(f"{kind} has no field {name!r}; known: {', '.join(near)}")
        if known.type != "float" and (source.scale, source.offset) != (1.0, 0.0):
            raise ValueError(f"{name} is {known.type}: only numbers with a fraction have scale and offset")
        if known.type != "bool" and source.equals is not None:
            raise ValueError(f"{name} is {known.type}: only yes and no can say what they equal")
