r"""InfluxDB line protocol, written and read: the one place that knows its grammar. Pure.

::

    measurement,tag=value,tag=value field=1.5,field=3i,field=true,field="text" 1732281600000000000
    |---------- series ----------| |----------------- fields -------------| |----- time ------|

=============  ==================================================================================
measurement    comma, space escaped by a backslash
tag, key       comma, equals sign, space escaped by a backslash; no empty values
line breaks    inside names and tags there is no escape: written as the two characters ``\n``
float          shortest text that reads back the same; ``.0`` is left out
int            64 bits signed, with ``i``
bool           ``true`` and ``false``
string         in double quotes; double quote and backslash escaped; a line break stands as it is
comment        a line that begins with ``#``
=============  ==================================================================================

Two traps. A backslash in a name right before a comma, a space, an equals sign, a double quote or the name's own end
has no escape that all servers read alike (one loses the point, one refuses the line), so it is written as a slash;
anywhere else a backslash stands for itself. A measurement that begins with ``#`` would be a comment.

A reader gets lines that a person has edited, and whatever a sensor calls itself. So every expression below takes time
in proportion to the text: each text has one way to match, as the first character decides between the branches of a
repetition. No repetition of a group is possessive: Debian 12's Python has that wrong (gh-106052).

Source: the line protocol references of InfluxDB 1.x and 2.x.
"""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from gateway.vocabulary import FieldValue

_NAME = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})
_BACKSLASHES = re.compile(r'\\++([,= "]|\Z)?')

_INT64 = 1 << 63
_DIGITS = 19
"""Of the largest number of 64 bits."""

_ESCAPE = rb"\\(?:.|\Z)"
_SERIES = rb"(?=[^\ \n]) [^\\\ \n]* (?: %s [^\\\ \n]* )*" % _ESCAPE
_STRING_VALUE = rb'" [^"\\]* (?: %s [^"\\]* )* (?:"|\Z)' % _ESCAPE
# A double quote begins a string right after an equals sign that is not escaped, and is a character anywhere else.
_OF_FIELDS = rb'%s | =(?:%s|(?!")) | "' % (_ESCAPE, _STRING_VALUE)
_FIELDS = rb'(?=[^\ \n]) [^\\"=\ \n]* (?: (?:%s) [^\\"=\ \n]* )*' % _OF_FIELDS
_REST = rb'[^\\"=\n]* (?: (?:%s) [^\\"=\n]* )*' % _OF_FIELDS
_LINE = re.compile(rb"\#[^\n]* | (?:%s)? %s" % (_SERIES, _REST), re.VERBOSE | re.DOTALL)
_PARTS = re.compile(rb"(?!\#) (%s\ ) (%s) \ (-?\d{1,19}) \r?" % (_SERIES, _FIELDS), re.VERBOSE | re.DOTALL)
_PREFIX = re.compile(rb"(?!\#) %s\ " % _SERIES, re.VERBOSE | re.DOTALL)
_TIME = re.compile(rb"-?\d{1,19}\r?")

_A_NAME = rb"(?=[^,=\ ]) [^\\,=\ ]* (?: %s [^\\,=\ ]* )*" % _ESCAPE
_A_MEASUREMENT = re.compile(rb"(?=[^,\ ]) [^\\,\ ]* (?: %s [^\\,\ ]* )*" % _ESCAPE, re.VERBOSE | re.DOTALL)
_A_TAG = re.compile(rb",(%s)=(%s)" % (_A_NAME, _A_NAME), re.VERBOSE | re.DOTALL)
_A_FIELD = re.compile(rb"(%s)=(%s|[^\",\ ]+)(?:,(?!\Z)|\Z)" % (_A_NAME, _STRING_VALUE), re.VERBOSE | re.DOTALL)
_QUALITY = re.compile(rb"\d{1,18}i")

_ESCAPED = re.compile(rb"\\([,= ])")
_ESCAPED_IN_STRING = re.compile(rb'\\(["\\])')
_NUMBER = re.compile(rb"[-+]?(?:\d++\.?\d*+|\.\d++)(?:[eE][-+]?\d++)?")
_WHOLE_NUMBER = re.compile(rb"([-+]?\d{1,20})[iu]")
_TRUE = frozenset((b"t", b"T", b"true", b"True", b"TRUE"))
_FALSE = frozenset((b"f", b"F", b"false", b"False", b"FALSE"))


class SplitLine(NamedTuple):
    """A line cut at its two separating spaces, with all escapes; ``series`` ends with the first of them."""

    series: bytes
    fields: bytes
    time: int


class Series(NamedTuple):
    """What `series` was written from."""

    measurement: str
    tags: dict[str, str]


class Point(NamedTuple):
    """One reading; ``time`` is in nanoseconds, of which clock the line does not say."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, FieldValue]
    time: int


def series(measurement: str, tags: Mapping[str, str]) -> bytes:
    """Return the part of a line before its fields, the space included; tags are sorted, as servers want them."""
    if measurement.startswith("#"):
        raise ValueError(f"a measurement cannot begin with '#': {measurement!r}")
    parts = [_safe(measurement).translate(_NAME)]
    parts += [f"{key(name)}={key(value)}" for name, value in sorted(tags.items()) if name and value]
    return (",".join(parts) + " ").encode()


def key(name: str) -> str:
    """Return the name of a tag or field, or a tag's value, escaped."""
    return _safe(name).translate(_KEY)


def value(item: FieldValue) -> str:
    """Return a field's value as text.

    Raises ``ValueError`` for what the protocol cannot say: NaN, infinities, integers beyond 64 bits.
    """
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, float):
        if not math.isfinite(item):
            raise ValueError(f"line protocol has no {item}")
        return repr(item).removesuffix(".0")
    if isinstance(item, int):
        if not -_INT64 <= item < _INT64:
            raise ValueError(f"{item} does not fit into 64 bits")
        return f"{item}i"
    return f'"{item.translate(_STRING)}"'


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue], time: int) -> bytes:
    """Return one whole line, without its end; fields are sorted, so that equal readings are equal bytes."""
    body = ",".join(f"{key(name)}={value(fields[name])}" for name in sorted(fields))
    return series(measurement, tags) + f"{body} {time}".encode()


def split(text: bytes) -> list[bytes]:
    """Cut a text into its lines; a line break inside a quoted string is no end, and comment lines are left out."""
    # Without strings and escaped line breaks, as most texts are, every line break is an end.
    simple = b'"' not in text and b"\\\n" not in text
    lines = text.split(b"\n") if simple else _LINE.findall(text)
    if b"#" not in text:
        return [line for line in lines if line]
    return [line for line in lines if line and not line.startswith(b"#")]


def split_line(line: bytes) -> SplitLine | None:
    """Cut a line into series, fields and time; None for a comment, and for what is no line with a time.

    The insides of series and fields are not looked at: see `parse_series` and `parse`.
    """
    found = _PARTS.fullmatch(line)
    if found is None:
        return None
    prefix, fields, time = found.groups()
    number = int(time)
    return SplitLine(prefix, fields, number) if -_INT64 <= number < _INT64 else None


def time_of(line: bytes) -> int | None:
    """Return the time at the end of a line, None where there is none that has 64 bits; the rest is not looked at."""
    text = line[line.rfind(b" ") + 1 :]
    # Nearly all times are of digits alone, which costs less to find out than a match.
    if not ((text.isdigit() and len(text) <= _DIGITS) or _TIME.fullmatch(text)) or len(text) == len(line):
        return None
    time = int(text)
    return time if -_INT64 <= time < _INT64 else None


def parse(line: bytes) -> Point | None:
    """Return what a line says, None for a comment and for what is no line with a time.

    A field's value that is of no known type is returned as its text.
    """
    parts = split_line(line)
    found = None if parts is None else parse_series(parts.series)
    if parts is None or found is None:
        return None
    fields: dict[str, FieldValue] = {}
    position = 0
    try:
        while position < len(parts.fields):
            field = _A_FIELD.match(parts.fields, position)
            if field is None:
                return None
            fields[_plain(field[1])] = _value(field[2])
            position = field.end()
    except UnicodeDecodeError:
        return None
    return Point(found.measurement, found.tags, fields, parts.time)


def parse_series(text: bytes) -> Series | None:
    """Return what the part of a line before its fields says, None for what is none."""
    text = text.removesuffix(b" ")
    name = _A_MEASUREMENT.match(text)
    if name is None:
        return None
    tags = {}
    position = name.end()
    try:
        while position < len(text):
            tag = _A_TAG.match(text, position)
            if tag is None:
                return None
            tags[_plain(tag[1])] = _plain(tag[2])
            position = tag.end()
        return Series(_plain(name[0]), tags)
    except UnicodeDecodeError:
        return None


def first_key(fields: bytes) -> str | None:
    """Return the name of the first of a line's fields, None where there is none."""
    found = _A_FIELD.match(fields)
    return None if found is None else _plain(found[1])


def split_quality(fields: bytes) -> tuple[bytes, int] | None:
    """Cut the number off the field ``quality``; None where that is not the last field, as the gateway writes it.

    ``fields`` are a line's fields, or all of a line before its time. The first part ends with the equals sign.
    """
    before, mark, number = fields.rpartition(b"quality=")
    if not mark or not _QUALITY.fullmatch(number) or before[-1:] not in {b"", b",", b" "}:
        return None
    return before + mark, int(number[:-1])


def sensors_in(text: bytes) -> set[str]:
    """Return the values of the tag ``sensor`` in the lines of a text."""
    found = {prefix[0] for line in split(text) if (prefix := _PREFIX.match(line))}
    return {known.tags["sensor"] for one in found if (known := parse_series(one)) and "sensor" in known.tags}


def _safe(name: str) -> str:
    return _BACKSLASHES.sub(_without_misread, name) if "\\" in name else name


def _without_misread(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else found[0].replace("\\", "/")


def _plain(name: bytes) -> str:
    return (_ESCAPED.sub(rb"\1", name) if b"\\" in name else name).decode()


def _value(text: bytes) -> FieldValue:
    if text.startswith(b'"'):
        return _ESCAPED_IN_STRING.sub(rb"\1", text[1:-1]).decode()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if whole := _WHOLE_NUMBER.fullmatch(text):
        return int(whole[1])
    return float(text) if _NUMBER.fullmatch(text) else text.decode()
