"""Fields to line protocol in the vocabulary's types, doubts marked; planned once per set of names."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import NamedTuple

from gateway import line_protocol
from gateway.contract import VOCABULARY, Field, FieldValue, Quality, Vocabulary

MAX_PLANS = 1_000
"""Whoever varies the names in a message, or their order, must not have us remember each."""

_GOOD = Quality.GOOD
_CONTROLS = dict.fromkeys((*range(32), 127), " ")


class _Step(NamedTuple):
    name: str
    prefix: str
    write: Callable[[FieldValue], str]
    low: float | None
    high: float | None


class FieldEncoder:
    """Writes the fields of one driver's measurements; ``ranges`` are the driver's own, within the vocabulary's."""

    def __init__(
        self, ranges: Mapping[str, Field], vocabulary: Vocabulary = VOCABULARY, *, max_plans: int = MAX_PLANS
    ) -> None:
        self._ranges = ranges
        self._vocabulary = vocabulary
        self._max_plans = max_plans
        self._plans: dict[tuple[str, ...], list[_Step]] = {}

    def encode(self, fields: Mapping[str, FieldValue]) -> tuple[str, Quality]:
        """Return ``name=value,...`` sorted by name, and `Quality.OUT_OF_RANGE` where a value is not plausible.

        A name that neither driver nor vocabulary knows is left out. Raises ``ValueError`` for a value of a wrong type
        and for numbers that line protocol cannot say.
        """
        names = tuple(fields)
        plan = self._plans.get(names)
        if plan is None:
            if len(self._plans) >= self._max_plans:
                self._plans.clear()
            plan = self._plans[names] = self._plan(names)
        doubt = _GOOD
        parts = []
        for name, prefix, write, low, high in plan:
            item = fields[name]
            try:
                parts.append(prefix + write(item))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
            if (low is not None and item < low) or (high is not None and item > high):  # type: ignore[operator] # only numbers have ranges, and `write` saw one
                doubt = Quality.OUT_OF_RANGE
        return ",".join(parts), doubt

    def _plan(self, names: tuple[str, ...]) -> list[_Step]:
        steps = []
        for name in sorted(names):
            field = self._ranges.get(name) or self._vocabulary.get(name)
            if field is not None:
                steps.append(_Step(name, f"{line_protocol.key(name)}=", _WRITE[field.type], field.low, field.high))
        return steps


def _float(item: FieldValue) -> str:
    if type(item) is float and isfinite(item):
        # By far the most frequent case; the same as `line_protocol.value` writes it.
        return repr(item).removesuffix(".0")
    if isinstance(item, float):
        return line_protocol.value(item)
    if isinstance(item, int) and not isinstance(item, bool):
        try:
            return line_protocol.value(float(item))
        except OverflowError:
            raise ValueError("the number is too large") from None
    raise ValueError(f"{item!r} is no number")


def _int(item: FieldValue) -> str:
    if isinstance(item, float) and item.is_integer():
        item = int(item)
    if isinstance(item, int) and not isinstance(item, bool):
        return line_protocol.value(item)
    raise ValueError(f"{item!r} is no whole number")


def _bool(item: FieldValue) -> str:
    if isinstance(item, bool):
        return line_protocol.value(item)
    raise ValueError(f"{item!r} is neither true nor false")


def _str(item: FieldValue) -> str:
    if isinstance(item, str):
        # A line break in a text is legal, and breaks every tool that reads lines.
        return line_protocol.value(item.translate(_CONTROLS))
    raise ValueError(f"{item!r} is no text")


_WRITE: dict[str, Callable[[FieldValue], str]] = {"float": _float, "int": _int, "bool": _bool, "str": _str}
