"""Timestamps of devices and servers, read to the nanosecond: `datetime` would cut them to microseconds."""

import re
from datetime import date
from decimal import Decimal
from typing import Literal

_FORMAT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):?([0-5][0-9]))"
)
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_EPOCH = date(1970, 1, 1).toordinal()
LATEST = 2**63 - 1
"""The last moment that databases can hold, nanoseconds UTC (the year 2262)."""
_TOLD_APART = 2**32 * 10**9
"""Up to here (ns, the year 2106) each microsecond is another float: what is that float is that microsecond."""


def nanoseconds(text: object) -> int | None:
    """Return nanoseconds UTC for ``2022-07-18T09:34:15.775023242+00:00``; None for what is no such time.

    The offset may lack its colon. Digits beyond the ninth are cut off; a leap second is the first second of the next
    minute; a moment before 1970, which is how servers write "never", is None as well.
    """
    if not isinstance(text, str) or (match := _FORMAT.fullmatch(text)) is None:
        return None
    day, hour, minute, second, fraction, sign, offset_hour, offset_minute = match.groups()
    try:
        days = date.fromisoformat(day).toordinal() - _EPOCH
    except ValueError:
        return None
    seconds = days * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if sign:
        offset = int(offset_hour) * 3600 + int(offset_minute) * 60
        seconds += -offset if sign == "+" else offset
    result = seconds * 1_000_000_000 + (int(fraction[:9].ljust(9, "0")) if fraction else 0)
    return result if 0 <= result <= LATEST else None


TimeFormat = Literal["rfc3339", "s", "ms", "us", "ns"]
"""How a message states a moment: as text, or as a number since 1970."""


def moment(value: object, form: TimeFormat) -> int | None:
    """Return nanoseconds UTC, None for no such time; a fraction counts as it is written, to the nanosecond."""
    if form == "rfc3339":
        return nanoseconds(value)
    if type(value) is not float and type(value) is not int:
        return None
    unit = UNITS[form]
    if not 0 < value <= LATEST / unit:
        return None
    if type(value) is int:
        found = value * unit
    else:
        found = round(value * unit / 1000) * 1000
        if found / unit != value or found > _TOLD_APART:
            found = int(Decimal(repr(value)) * unit)
    return found if found <= LATEST else None
