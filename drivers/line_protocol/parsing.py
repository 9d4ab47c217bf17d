"""InfluxDB line protocol, taken apart: measurement, tags, fields with their types, and the number at the end."""

import math
import re
from typing import NamedTuple

FieldValue = bool | int | float | str

_NAME = re.compile(r"(?:[^,= \\]|\\.)+")
_MEASUREMENT = re.compile(r"(?:[^, \\]|\\.)+")
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[^,\s"]+')
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"([+-]?[0-9]{1,20})[iu]")
_TIME = re.compile(r"[+-]?[0-9]{1,19}")
_ESCAPED = re.compile(r"\\([,= \\])")
_ESCAPED_IN_TEXT = re.compile(r'\\(["\\])')
_WORDS = {"t": True, "true": True, "f": False, "false": False}


class NotLineProtocol(ValueError):
    """A line is none of line protocol; the message says where."""


class Point(NamedTuple):
    """What a line says; a field whose value is of no type is None."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, FieldValue | None]
    time: int | None


def parse(line: str) -> Point:
    """Return what a line says; raises `NotLineProtocol`."""
    measurement, at = _take(_MEASUREMENT, line, 0, "a measurement")
    tags: dict[str, str] = {}
    while line[at : at + 1] == ",":
        name, at = _take(_NAME, line, at + 1, "a tag's name")
        at = _expect("=", line, at)
        value, at = _take(_NAME, line, at, "a tag's value")
        tags.setdefault(_plain(name), _plain(value))
    at = _expect(" ", line, at)
    while line[at : at + 1] == " ":
        at += 1
    fields: dict[str, FieldValue | None] = {}
    while True:
        name, at = _take(_NAME, line, at, "a field's name")
        at = _expect("=", line, at)
        value, at = _take(_VALUE, line, at, "a field's value")
        fields.setdefault(_plain(name), value_of(value))
        if line[at : at + 1] != ",":
            break
        at += 1
    rest = line[at:].strip()
    if rest and (line[at] != " " or not _TIME.fullmatch(rest)):
        raise NotLineProtocol(f"no time at character {at}: {rest[:32]!r}")
    return Point(_plain(measurement), tags, fields, int(rest) if rest else None)


def value_of(text: str) -> FieldValue | None:
    """Return a field's value; None for what is of no type, or no finite number."""
    if text.startswith('"'):
        return _ESCAPED_IN_TEXT.sub(r"\1", text[1:-1])
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if whole := _WHOLE.fullmatch(text):
        return int(whole[1])
    number = float(text) if len(text) <= 64 and _NUMBER.fullmatch(text) else math.nan
    return number if math.isfinite(number) else None


def _take(what: re.Pattern[str], line: str, at: int, name: str) -> tuple[str, int]:
    found = what.match(line, at)
    if found is None:
        raise NotLineProtocol(f"no {name.split(' ', 1)[1]} at character {at}")
    return found[0], found.end()


def _expect(mark: str, line: str, at: int) -> int:
    if line[at : at + 1] != mark:
        raise NotLineProtocol(f"no {mark!r} at character {at}")
    return at + 1


def _plain(name: str) -> str:
    return _ESCAPED.sub(r"\1", name) if "\\" in name else name
