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

Two traps. A backslash at the end of a tag value would escape what follows, so a space is put after it. A measurement
that begins with ``#`` would be a comment. Source: the line protocol reference of InfluxDB 1.x and 2.x.
"""

import math
from collections.abc import Mapping

from gateway.vocabulary import FieldValue

_NAME = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\t": r"\t", "\r": r"\r"})
_STRING = str.maketrans({'"': r"\"", "\\": r"\\"})

_INT64 = 1 << 63


def series(measurement: str, tags: Mapping[str, str]) -> bytes:
    """Return the part of a line before its fields, the space included; tags are sorted, as servers want them."""
    if measurement.startswith("#"):
        raise ValueError(f"a measurement cannot begin with '#': {measurement!r}")
    parts = [measurement.translate(_NAME)]
    for key, value in sorted(tags.items()):
        escaped = value.translate(_KEY)
        if escaped.endswith("\\"):
            escaped += " "
        if key and escaped:
            parts.append(f"{key.translate(_KEY)}={escaped}")
    return (",".join(parts) + " ").encode()


def key(name: str) -> str:
    """Return a field's name, escaped."""
    return name.translate(_KEY)


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
    lines: list[bytes] = []
    whole = b""
    for piece in text.split(b"\n"):
        whole = whole + b"\n" + piece if whole else piece
        if _open_string(whole):
            continue
        if whole and not whole.startswith(b"#"):
            lines.append(whole)
        whole = b""
    if whole:
        lines.append(whole)
    return lines


def _open_string(text: bytes) -> bool:
    if b'"' not in text or text.startswith(b"#"):
        return False
    inside = escaped = in_fields = False
    for byte in text:
        if escaped:
            # Only inside a string does a backslash escape a backslash.
            escaped = byte == 0x5C and not inside
        elif byte == 0x5C:
            escaped = True
        elif byte == 0x20 and not inside:
            in_fields = True
        elif byte == 0x22 and in_fields:
            inside = not inside
    return inside
