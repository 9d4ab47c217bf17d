"""Resolving SenML records (RFC 8428, section 4.6): what holds for each once base values are carried along."""

import math
from typing import NamedTuple

RELATIVE = 2**28
"""A time in seconds below this is relative to now."""

_VALUES = ("v", "vb", "vs", "vd", "s")


class Record(NamedTuple):
    """One record with everything that holds for it; ``time`` in seconds, relative to now below `RELATIVE`.

    ``value`` is its number, ``other`` what it holds instead of one (vb, vs, vd), ``total`` the sum over time (s).
    """

    base: str
    name: str
    unit: str
    time: float
    value: float | None
    other: bool | str | None = None
    total: float | None = None


class _Impossible(ValueError):
    pass


def resolve(pack: object) -> list[Record] | str:
    """Return the records of a pack that hold a value, or what is wrong with it."""
    if type(pack) is not list or not all(type(one) is dict for one in pack):
        return "no list of records"
    records: list[Record] = []
    base, unit, time, value, total = "", "", 0.0, 0.0, 0.0
    try:
        for one in pack:
            if _number(one, "bver", 10) > 10 or any(name.endswith("_") for name in one):
                return "a version or field that must be understood and is not"
            base, unit = _text(one, "bn", base), _text(one, "bu", unit)
            time, value, total = _number(one, "bt", time), _number(one, "bv", value), _number(one, "bs", total)
            if not any(name in one for name in _VALUES):
                continue
            number = _number(one, "v", 0.0) + value if "v" in one else None
            moment_said = _number(one, "t", 0.0) + time
            summed = _number(one, "s", 0.0) + total if "s" in one else None
            name, its_unit = _text(one, "n", ""), _text(one, "u", unit)
            records.append(Record(base, name, its_unit, moment_said, number, _other(one), summed))
    except _Impossible as error:
        return str(error)
    return records


def _number(record: dict[str, object], name: str, otherwise: float) -> float:
    value = record.get(name, otherwise)
    if type(value) not in (int, float) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Impossible(f"{name} is no number")
    return value


def _other(record: dict[str, object]) -> bool | str | None:
    for name, kind in (("vb", bool), ("vs", str), ("vd", str)):
        value = record.get(name)
        if value is not None and not isinstance(value, kind):
            raise _Impossible(f"{name} is no {kind.__name__}")
        if isinstance(value, bool | str):
            return value
    return None


def _text(record: dict[str, object], name: str, otherwise: str) -> str:
    value = record.get(name, otherwise)
    if not isinstance(value, str) or len(value) > 256:
        raise _Impossible(f"{name} is no short text")
    return value
