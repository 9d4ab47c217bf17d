"""Whether readings of one series and one time can both be true: a database would keep the second alone. Pure."""

from collections.abc import Mapping

from gateway import line_protocol
from gateway.contract import FieldValue

Values = Mapping[str, FieldValue]


def values_in(line: bytes) -> dict[str, FieldValue]:
    """Return the fields of a line by their names, without its doubts, which are no values; {} for what is no line."""
    parsed = line_protocol.parse(line)
    return {} if parsed is None else {name: value for name, value in parsed.fields.items() if name != "quality"}


def contradiction(said: Values, values: Values) -> str:
    """Return the name of a field that has another value in both, "" where there is none.

    Different fields at one time are one reading in parts.
    """
    if said.keys().isdisjoint(values):
        return ""
    return next((name for name in sorted(values) if name in said and said[name] != values[name]), "")
