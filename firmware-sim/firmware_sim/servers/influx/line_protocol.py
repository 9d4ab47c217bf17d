r"""A strict reader of InfluxDB line protocol, written from its reference alone: the witness against our own writer.

::

    measurement[,tag=value ...] field=value[,field=value ...] [timestamp]

=================  ====================================================  ==========================================
Element            Escapes that are undone                               Refused
=================  ====================================================  ==========================================
measurement        ``\,`` ``\ `` ``\=`` ``\"``                           empty
tag key, value     ``\,`` ``\ `` ``\=``                                  empty, a bare ``=``, a key twice, ``time``
field key          ``\,`` ``\ `` ``\=`` ``\"``                           empty, a key twice, ``time``
string value       ``\"`` ``\\``; a newline stands for itself            no closing quote, text after it
float              ``1`` ``-1.5`` ``.5`` ``1.`` ``1e-9``                 ``+1``, NaN, infinity, beyond 64 bits
integer            ``1i``, 64 bits signed                                ``1.0i``, ``1e3i``, beyond 64 bits
unsigned           ``1u``, 64 bits (InfluxDB 1.x refuses all of them)    ``-1u``
boolean            ``t T true True TRUE f F false False FALSE``          any other
timestamp          whole number; without it, the server's own time       beyond plus or minus 9223372036854775806 ns
comment            ``#`` first on the line, after spaces                 one that takes lines with it: see below
=================  ====================================================  ==========================================

A backslash anywhere else is itself: ``a\b`` and ``a\\b`` in a name are three and four characters.

Sources: the line protocol references of InfluxDB 1.8 and 2.7; where they are silent, or say otherwise than the server
does, what InfluxDB 1.6.7 was seen to do. Stricter than that server on purpose, wherever it answers 204 and then keeps
something other than what was sent:

- A name with two backslashes right before a comma, a space, an equals sign or its own end. Servers disagree: one
  loses the point, one refuses the line, one drops a backslash. So a name cannot end in a backslash at all.
- A newline in a name, which it takes after a backslash.
- The same field twice (it keeps the last), ``time`` as a field (it drops it), text after a closing quote.
- Bytes that are not UTF-8 (it stores them, and reads back U+FFFD).
- A comment that ends in a backslash, or in which a quote after an ``=`` stays open: the server looks for the end of
  the line before it looks for the ``#``, so such a comment goes on over its newline and takes points with it.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from firmware_sim.truth.points import StoredPoint, Value

PRECISIONS = {"ns": 1, "us": 1000, "ms": 10**6, "s": 10**9}
"""Nanoseconds in a timestamp's unit, by the names of the v2 API."""

_NAME = r"(?:[^\\,= ]|\\(?![,= ])|(?<!\\)\\[,= ])+"
_MEASUREMENT = re.compile(r"(?:[^\\, ]|\\(?![, ])|(?<!\\)\\[, ])+")
_TAG = re.compile(rf",({_NAME})=({_NAME})(?=[, ]|\Z)")
_FIELD = re.compile(rf'({_NAME})=(?:"((?:[^"\\]|\\.)*)"|([^", ][^, ]*))(?=[, ]|\Z)', re.DOTALL)
_INTEGER = re.compile(r"(-?[0-9]+)i")
_UNSIGNED = re.compile(r"([0-9]+)u")
_FLOAT = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_TIMESTAMP = re.compile(r"-?[0-9]+")
_BLANK = re.compile(r"[ \t\0]*")
_COMMENT = re.compile(r"[ \t\0]*\#[^\n]*")
_LINE = re.compile(
    r"""
    (?: \\[^\n] | [^\\\ \n] )*                           # key, up to a bare space
    (?: [ ] (?: =" (?: [^"\\] | \\[\s\S] )* (?:"|\Z)     # a string may hold newlines; unclosed, it takes all
              | \\[^\n] | [^\n] )* )?
    [^\n]*
    """,
    re.VERBOSE,
)
_TRUE = ("t", "T", "true", "True", "TRUE")
_FALSE = ("f", "F", "false", "False", "FALSE")
_LATEST = 2**63 - 2
_BACKSLASHES = "two backslashes before a separator, which servers read differently"


class Line(NamedTuple):
    """One line as it stands in the text, ``number`` counting from 1; a string in it may span several."""

    number: int
    text: str


class LineError(NamedTuple):
    """A line that is not line protocol; ``column`` counts from 1, ``reason`` is in InfluxDB's words if it has any."""

    line: int
    column: int
    reason: str
    text: str

    def __str__(self) -> str:
        """Name the place and quote it."""
        return f"line {self.line}, column {self.column}: {self.reason}: {self.text!r}"


class _Malformed(Exception):
    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at


def parse(text: bytes, default_time: int, precision: str = "ns") -> Iterator[StoredPoint | LineError]:
    """Read every line; one that is wrong gives a `LineError` and takes no other with it.

    ``default_time`` (nanoseconds UTC) is the time of a line without one. Comments and blank lines give nothing.
    """
    for line in lines(text):
        outcome = parse_line(line, default_time, PRECISIONS[precision])
        if outcome is not None:
            yield outcome


def lines(text: bytes) -> Iterator[Line]:
    """Cut a text into lines; only a newline outside a string ends one."""
    whole = text.decode("utf-8", "surrogateescape")
    at, number = 0, 1
    while at < len(whole):
        match = _COMMENT.match(whole, at) or _LINE.match(whole, at)
        assert match is not None, "every part of the pattern may be empty"
        yield Line(number, match[0])
        number += 1 + match[0].count("\n")
        at = match.end() + 1


def parse_line(line: Line, default_time: int, unit: int = 1) -> StoredPoint | LineError | None:
    """Read one line, whose timestamp counts in ``unit`` nanoseconds; None for a comment or a blank line."""
    text = line.text
    start = _end(_BLANK, text, 0)
    try:
        _check_encoding(text)
        if start == len(text):
            return None
        if text[start] == "#":
            _check_comment(text)
            return None
        return _point(text, start, default_time // unit * unit, unit)
    except _Malformed as error:
        return LineError(line.number, error.at + 1, str(error), text)


def _point(text: str, start: int, default_time: int, unit: int) -> StoredPoint:
    if text[start] == ",":
        raise _Malformed(start, "missing measurement")
    at = _end(_MEASUREMENT, text, start)
    measurement = re.sub(r'\\([,= "])', r"\1", text[start:at])
    tags, at = _tags(text, at)
    if at == len(text):
        raise _Malformed(at, "missing fields")
    if text[at] != " ":
        raise _Malformed(at, _BACKSLASHES)
    fields, at = _fields(text, _end(_BLANK, text, at))
    return StoredPoint(measurement, tags, fields, _time(text, at, unit, default_time))


def _tags(text: str, at: int) -> tuple[dict[str, str], int]:
    tags: dict[str, str] = {}
    while text.startswith(",", at):
        match = _TAG.match(text, at)
        if match is None:
            raise _bad_tag(text, at + 1)
        key, value = (re.sub(r"\\([,= ])", r"\1", part) for part in match.groups())
        if key in tags:
            raise _Malformed(at + 1, "duplicate tags")
        if key == "time":
            raise _Malformed(at + 1, 'invalid tag key: "time"')
        tags[key] = value
        at = match.end()
    return tags, at


def _fields(text: str, at: int) -> tuple[dict[str, Value], int]:
    fields: dict[str, Value] = {}
    while True:
        match = _FIELD.match(text, at)
        if match is None:
            raise _bad_field(text, at)
        name, string, token = match.groups()
        key = re.sub(r'\\([,= "])', r"\1", name)
        if key in fields:
            raise _Malformed(at, "the same field twice, of which InfluxDB keeps the last")
        if key == "time":
            raise _Malformed(at, 'invalid field name: "time"')
        fields[key] = re.sub(r'\\(["\\])', r"\1", string) if token is None else _value(token, match.start(3))
        at = match.end()
        if not text.startswith(",", at):
            return fields, at
        at += 1


def _value(token: str, at: int) -> Value:
    if token in _TRUE:
        return True
    if token in _FALSE:
        return False
    if (match := _INTEGER.fullmatch(token)) and -(2**63) <= int(match[1]) < 2**63:
        return int(match[1])
    if (match := _UNSIGNED.fullmatch(token)) and int(match[1]) < 2**64:
        return int(match[1])
    if _FLOAT.fullmatch(token) and math.isfinite(number := float(token)):
        return number
    raise _Malformed(at, "invalid number" if token[0] in "0123456789.-+iInN" else "invalid boolean")


def _time(text: str, at: int, unit: int, default_time: int) -> int:
    at = _end(_BLANK, text, at)
    stated = text[at:].rstrip(" ")
    if not stated:
        return default_time
    if not _TIMESTAMP.fullmatch(stated):
        raise _Malformed(at, "bad timestamp")
    time = int(stated) * unit
    if abs(time) > _LATEST:
        raise _Malformed(at, f"time outside range -{_LATEST} - {_LATEST}")
    return time


def _bad_tag(text: str, at: int) -> _Malformed:
    equals = _end(re.compile(_NAME), text, at)
    if equals == at:
        return _Malformed(at, "missing tag key")
    if not text.startswith("=", equals):
        return _Malformed(equals, _BACKSLASHES if text.startswith("\\", equals) else "missing tag value")
    end = _end(re.compile(_NAME), text, equals + 1)
    if text.startswith("\\", end):
        return _Malformed(end, _BACKSLASHES)
    return _Malformed(end, "invalid tag format" if text.startswith("=", end) else "missing tag value")


def _bad_field(text: str, at: int) -> _Malformed:
    equals = _end(re.compile(_NAME), text, at)
    if text.startswith("\\", equals):
        return _Malformed(equals, _BACKSLASHES)
    if equals == at:
        missing = "missing field key" if text.startswith("=", at) else "missing fields"
        return _Malformed(at, "invalid field format" if text[at - 1] == "," else missing)
    if not text.startswith("=", equals):
        return _Malformed(equals, "invalid field format")
    if not text.startswith('"', equals + 1):
        return _Malformed(equals + 1, "missing field value")
    closed = _end(re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL), text, equals + 1)
    return _Malformed(closed, "unbalanced quotes" if closed == equals + 1 else "text after the closing quote")


def _check_encoding(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _Malformed(error.start, "not UTF-8") from None


def _check_comment(text: str) -> None:
    """Walk a comment as the server does, which takes it for a point until it knows where the line ends."""
    fields = quoted = escaped = False
    equals = commas = 0
    for character in text:
        if escaped or character == "\\":
            escaped = not escaped
            continue
        fields |= character == " "
        if character == '"' and fields and equals > commas:
            quoted = not quoted
        elif fields and not quoted:
            equals += character == "="
            commas += character == ","
    if quoted or escaped:
        raise _Malformed(len(text), "a comment that goes on over its newline and takes points with it")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return at if match is None else match.end()
