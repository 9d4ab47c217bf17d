r"""InfluxDB line protocol, written; pure.

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
=============  ==================================================================================

Two traps. A backslash in a name right before a comma, a space, an equals sign, a double quote or the name's own end
has no escape that all servers read alike (one loses the point, one refuses the line), so it is written as a slash;
anywhere else a backslash stands for itself. A measurement that begins with ``#`` would be a comment.
Source: the line protocol references of InfluxDB 1.x and 2.x.
"""

import math
import re
from collections.abc import Mapping

from gateway.vocabulary import FieldValue

_NAME = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})

_MISREAD_BACKSLASHES = re.compile(r'\\+(?=[,= "]|\Z)')
_LINE = re.compile(
    rb"""
    \#[^\n]*                                # a comment, quotes and all
    |
    (?: \\. | [^\\\ \n] )*+                # the series, up to its space
    (?: ="(?: \\. | [^"\\] )*+ (?:"|\Z)    # a string, which may hold line breaks
      | \\. | [^\n] )*+
    """,
    re.VERBOSE | re.DOTALL,
)

_INT64 = 1 << 63


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
    return [line for line in _LINE.findall(text) if line and not line.startswith(b"#")]


def _safe(name: str) -> str:
    return _MISREAD_BACKSLASHES.sub(lambda found: "/" * len(found[0]), name) if "\\" in name else name
