"""Values of messages as fields of the vocabulary: where each is found, and how it is read.

Shared by the drivers that are told what is where. A value that is no value, or makes no sense, is left out and named,
and never costs the others.
"""

import math
import sys
from collections.abc import Mapping
from difflib import get_close_matches

from drivers.common.field_sources import Source
from drivers.common.gases import MOLAR_MASSES, micrograms
from drivers.common.text_values import LeftOut, NoValue, Truth, Word, quantity, word_key
from gateway.contract import VOCABULARY, Conversion, Field, FieldValue, Remark, Vocabulary, conversion, units_like

MOST_UNITS = 16
"""Units behind a number that one field remembers."""
PLAINLY_NO_FRACTION = 1.2
"""Above this, a share is in percent; a humidity of 1.03 is one of an old sensor."""
LARGEST = sys.float_info.max


class Doubtful(LeftOut):
    """A value that looks like another unit than the one set."""


class FieldReader:
    """Reads the values of one field as its source says; raises ``ValueError`` where that cannot be done."""

    def __init__(self, field: Field, source: Source) -> None:
        self.name = field.name
        self.source = source
        self._field = field
        self._read = {"float": self._float, "int": self._int, "bool": self._bool, "str": self._str}[field.type]
        self._scaled = (source.scale, source.offset) != (1.0, 0.0)
        self._convert = _conversion(field, source.unit) if source.unit else None
        self._units: dict[str, Conversion] = {}
        self._nothing = {word_key(word) for word in source.no_value}
        self._values = {word_key(word): self._meant(word, meant) for word, meant in source.values.items()}
        for word in {"true", "false"} & source.values.keys():  # TOML has no other way to write true as a key
            self._values[word_key(word == "true")] = self._values[word_key(word)]
        yes = source.true_values if source.equals is None else (source.equals,)
        low, high = (-LARGEST if field.low is None else field.low), (LARGEST if field.high is None else field.high)
        self.bounds = float(low), float(high)
        simple = not (self._convert or self._nothing or self._values) and field.type == "float"
        self.plainly = self.bounds if simple and not self._scaled else (1.0, -1.0)
        """Between these, a float of the message is the field's value as it stands."""
        self.scaling = (source.scale, source.offset) if simple and self._scaled else None
        """What is all that is done to a number of the message; None where it is something else."""
        self._truth = Truth(yes, source.false_values) if field.type == "bool" else None
        self.words = self._known_words()
        """What words of the message mean as they are usually written; None where no words have meanings."""

    def read(self, value: object) -> FieldValue:
        """Return the field's value; raises `LeftOut`."""
        if value is None:
            raise NoValue("null is no value")
        if self._nothing or self._values:
            key = word_key(value)
            if key in self._nothing:
                raise NoValue(f"{shown(value)} is no value, as no_value says")
            if key in self._values:
                return self._values[key]
        return self._read(value)

    def _known_words(self) -> dict[object, FieldValue] | None:
        if self._truth is None:
            return {} if self._values else None
        return {} if self._nothing or self._values else {**self._truth.words}

    def doubt(self, value: FieldValue) -> str:
        """Say why a value that was read may be in another unit, "" where nothing speaks for that."""
        low, high = self.bounds
        if type(value) is not float or low <= value <= high or self._scaled:
            return ""
        for unit in () if self.source.unit else units_like(self._field.unit):
            convert = _conversion(self._field, unit)
            if low <= convert(value) <= high:
                return (
                    f'{value:g} is beyond {low:g} to {high:g} {self._field.unit}; if it is in {unit}: unit = "{unit}"'
                )
        return ""

    def _meant(self, word: str, meant: Word) -> FieldValue:
        """Return what a word of the message means; raises ``ValueError`` where that is no value of the field."""
        if self._field.type == "float" and type(meant) is int:
            return float(meant)
        if type(meant) is not {"float": float, "int": int, "bool": bool, "str": str}[self._field.type]:
            raise ValueError(f"values: {word!r} means {meant!r}, which is no {self._field.type}")
        return meant

    def _float(self, value: object) -> FieldValue:
        convert = self._convert
        if type(value) is float:
            number = value
        elif type(value) is int:
            try:
                number = float(value)
            except OverflowError:
                raise LeftOut(f"{shown(value)} is too large") from None
        elif type(value) is str:
            number, unit = quantity(value, decimal_comma=self.source.decimal_comma, thousands=self.source.thousands)
            number = float(number)
            if unit:
                convert = self._of_unit(unit)
        else:
            raise LeftOut(f"{shown(value)} is no number")
        if self._scaled:
            number = round(number * self.source.scale + self.source.offset, 9)  # 3 * 0.1 is meant to be 0.3
        if convert is not None:
            number = convert(number)
        if not math.isfinite(number):
            raise LeftOut(f"{shown(value)} is no finite number")
        if number > PLAINLY_NO_FRACTION and self._field.unit == "fraction" and convert is None:
            raise Doubtful(f'{shown(value)} is no fraction: set unit = "%", or scale')
        return number

    def _of_unit(self, unit: str) -> Conversion | None:
        """Return how to convert numbers before this unit; where a scale is set, it does that already."""
        known = self._units.get(unit)
        if known is None:
            try:
                known = _conversion(self._field, unit)
            except ValueError as error:
                raise LeftOut(str(error)) from None
            if len(self._units) < MOST_UNITS:
                self._units[unit] = known
        return self._convert if self._scaled else known

    def _int(self, value: object) -> FieldValue:
        if type(value) is str:
            value, unit = quantity(value, decimal_comma=self.source.decimal_comma, thousands=self.source.thousands)
            if unit and conversion(unit, self._field.unit) != Conversion(1.0):
                raise LeftOut(f"{unit[:20]!r} is no unit of {self.name}")
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if type(whole) is not int or not -(2**63) <= whole < 2**63:
            raise LeftOut(f"{shown(value)} is no whole number")
        return whole

    def _bool(self, value: object) -> FieldValue:
        assert self._truth is not None
        return self._truth.read(value)

    def _str(self, value: object) -> FieldValue:
        if isinstance(value, str) and not value:
            raise NoValue("'' is no value")
        if not isinstance(value, str) or len(value) > 256 or not value.isprintable():
            raise LeftOut(f"{shown(value)} is no short text")
        return value


def shown(value: object) -> str:
    """Return a value as it may stand in a sentence."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


def left_out(name: str, error: LeftOut) -> Remark:
    """Return what is said of a value that is not taken."""
    return Remark("doubtful" if isinstance(error, Doubtful) else "left out", name, str(error))


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
        if known.type != "float" and ((source.scale, source.offset) != (1.0, 0.0) or source.unit):
            raise ValueError(f"{name} is {known.type}: only numbers with a fraction have scale and offset, or a unit")
        words = source.equals is not None or source.true_values or source.false_values
        if known.type != "bool" and words:
            raise ValueError(f"{name} is {known.type}: only yes and no can say what they equal")
        try:
            FieldReader(known, source)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


def _conversion(field: Field, unit: str) -> Conversion:
    """Return how numbers in ``unit`` become the field's; raises ``ValueError``."""
    found = conversion(unit, field.unit)
    if found is None and field.name in MOLAR_MASSES and (parts := conversion(unit, "ppb")) is not None:
        found = Conversion(parts.factor * micrograms(field.name, 1e6) / 1e6)
    if found is None:
        known = ", ".join([field.unit or "no unit", *units_like(field.unit)])
        raise ValueError(f"{unit[:20]!r} is no unit of {field.name}: {known}")
    return found
