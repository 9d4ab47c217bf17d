"""Reads line protocol back, for exports. Pure.

``measurement,tag=value field=1.5,other=2i,text="..." 1732281600000000000``: commas, spaces and equal signs are
escaped by a backslash in names and tags; double quotes and backslashes in text values.
https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

import re
from typing import NamedTuple

FieldValue = bool | int | float | str

_NAME = r"(?:[^\\,= ]|\\.)+"
_TEXT = r'"(?:[^"\\]|\\.)*"'
_FIELD = re.compile(rf"({_NAME})=({_TEXT}|[^, ]+)(,|$)")
_TAG = re.compile(rf",({_NAME})=({_NAME})")
_LINE = re.compile(rf"((?:[^\\, ]|\\.)+)((?:,{_NAME}={_NAME})*) ((?:{_TEXT}|[^\" ]|\\ )+) (-?\d+)")
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_TEXT = re.compile(r'\\(["\\])')
_TRUE = frozenset(("t", "T", "true", "True", "TRUE"))
_FALSE = frozenset(("f", "F", "false", "False", "FALSE"))


class Point(NamedTuple):
    """One reading; ``time`` in nanoseconds, of what clock only the member knows."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, FieldValue]
    time: int


_SENSOR = re.compile(rb",sensor=((?:[^\\,= ]|\\.)+)")


def sensors_in(text: bytes) -> set[str]:
    """Return the values of the tag ``sensor`` in lines of line protocol."""
    return {_plain(found.decode(errors="replace")) for found in set(_SENSOR.findall(text))}


def line_time(line: bytes) -> int | None:
    """Return the time at the end of a line, ``None`` if there is none, or none that has 64 bits."""
    try:
        time = int(line[line.rindex(b" ") + 1 :])
    except ValueError:
        return None
    return time if -(2**63) <= time < 2**63 else None


def parse_line(line: bytes) -> Point | None:
    """Return what one line says, ``None`` for a comment or what is no line protocol with a time."""
    try:
        match = _LINE.fullmatch(line.decode())
    except UnicodeDecodeError:
        return None
    if not match or line.startswith(b"#"):
        return None
    measurement, tags, fields, time = match.groups()
    values = {_plain(found[1]): _value(found[2]) for found in _FIELD.finditer(fields)}
    return Point(_plain(measurement), {_plain(k): _plain(v) for k, v in _TAG.findall(tags)}, values, int(time))


def _plain(name: str) -> str:
    return _ESCAPED.sub(r"\1", name) if "\\" in name else name


def _value(text: str) -> FieldValue:
    if text.startswith('"'):
        return _ESCAPED_TEXT.sub(r"\1", text[1:-1])
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    try:
        return int(text[:-1]) if text[-1] in "iu" else float(text)
    except ValueError:
        return text
