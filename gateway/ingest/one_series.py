"""Whether two lines of one series and one time can both be true: a database would keep the second alone. Pure."""

from gateway import line_protocol


def contradiction(first: bytes, second: bytes) -> str:
    """Return the name of a field that both lines have with different values, "" where there is none.

    Different fields at one time are one reading in parts, and doubts are no values.
    """
    one, other = line_protocol.parse(first), line_protocol.parse(second)
    if one is None or other is None:
        return ""
    shared = sorted(one.fields.keys() & other.fields.keys() - {"quality"})
    return next((name for name in shared if one.fields[name] != other.fields[name]), "")
