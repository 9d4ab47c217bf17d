"""Moments as devices write them, in the format and the zone that the configuration names.

``auto`` tells a text from a number, and the unit of a number by its size: seconds, milliseconds, microseconds and
nanoseconds since 1970 are apart by a thousand. Where a unit is set, a number in another is refused: the uptime of a
device whose clock is not set may look like one. No device measured before 2000. A text without a zone is read where
one is set, and refused otherwise. Of the hour that comes twice when summer time ends, the first is taken and marked;
what is left out when it begins was no time at all.
"""

import re
import warnings
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from datetime import time as clock_time
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from drivers.common.text_values import LeftOut
from drivers.common.times import LATEST, UNITS, nanoseconds

EARLIEST = 946_684_800 * 10**9
"""The beginning of 2000: before it, a device's clock has not been set."""
PLAUSIBLE = 4_102_444_800 * 10**9
"""The beginning of 2100: what is later in one unit is taken for another, where one was not named."""
FORMS = ("auto", "rfc3339", *UNITS)

_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{0,30})?")
_TEXT = re.compile(
    r"([0-9]{4})([-/.]?)([0-9]{2})\2([0-9]{2})(?:[Tt _,]\s*)?"
    r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]+))?)?"
    r"\s*(?:(Z|z|UTC|GMT)|([+-][0-9]{2})(?::?([0-9]{2}))?)?"
)
_OFFSET = re.compile(r"([+-])([01][0-9]|2[0-3]):?([0-5][0-9])")
_EPOCH = date(1970, 1, 1).toordinal()
_SAMPLE = datetime(2026, 11, 23, 13, 5, 28, 695000, tzinfo=UTC)


class Moment(NamedTuple):
    """Nanoseconds UTC, what is doubtful about them, and whether they may be another hour's."""

    time: int
    doubt: str = ""
    estimated: bool = False


class TimeReader:
    """Reads moments; raises ``ValueError`` for a format or a zone that cannot work."""

    def __init__(self, form: str = "auto", zone: str | None = None) -> None:
        self._form = form
        self.unit = UNITS.get(form)
        """Nanoseconds in one of a number, None where its size tells."""
        self._zone = _zone(zone) if zone is not None else None
        self._zone_name = zone
        if "%" in form:
            self._check_pattern()
        elif form not in FORMS:
            raise ValueError(f'no format; write one of {", ".join(FORMS)}, or a pattern as "%d.%m.%Y %H:%M:%S"')

    def read(self, value: object) -> Moment:
        """Return the moment; raises `LeftOut`."""
        if type(value) is int:
            return self._of_number(value, value)
        if type(value) is float and abs(value) < LATEST:
            return self._of_number(Decimal(repr(value)), value)
        if type(value) is not str:
            raise LeftOut("null is no time" if value is None else f"{value!r:.40} is no time")
        return self._of_words(value.strip()[:64])

    def _of_words(self, said: str) -> Moment:
        if "%" in self._form:
            return self._of_pattern(said)
        if (time := nanoseconds(said)) is not None and time >= EARLIEST:
            return Moment(time)
        if _NUMBER.fullmatch(said) and not (len(said) == 14 and self._form in ("auto", "rfc3339")):
            return self._of_number(Decimal(said), said)
        return self._of_text(said)

    def _of_number(self, number: int | Decimal, said: object) -> Moment:
        unit = self.unit
        if unit and EARLIEST <= (time := number * unit) <= LATEST:
            return Moment(int(time))
        fitting = next((name for name, unit in UNITS.items() if EARLIEST <= number * unit < PLAUSIBLE), None)
        if fitting and self._form == "auto":
            return Moment(int(number * UNITS[fitting]))
        if fitting:
            raise LeftOut(f'{said} is no time in {self._form}; if it is in {fitting}: time_format = "{fitting}"')
        if 0 <= number * (unit or UNITS["s"]) < EARLIEST:
            raise LeftOut(f"{said} is before 2000: the device's clock is not set")
        raise LeftOut(f"{said} is no time: in no unit is it a moment since 2000")

    def _of_text(self, said: str) -> Moment:
        found = _TEXT.fullmatch(said)
        if found is None:
            raise LeftOut(f'{said!r} is no time: set time_format to a pattern, as "%d.%m.%Y %H:%M:%S"')
        year, _, month, day, hour, minute, second, fraction, utc, hours, minutes = found.groups()
        try:
            day_said = date(int(year), int(month), int(day))
            moment = datetime.combine(day_said, clock_time(int(hour), int(minute), min(int(second or 0), 59)))
        except ValueError as error:
            raise LeftOut(f"{said!r} is no time: {error}") from None
        rest = int((fraction or "").ljust(9, "0")[:9])
        if second == "60":
            moment += timedelta(seconds=1)
        if utc or hours:
            offset = int(hours or 0) * 60 + int(f"{(hours or '+')[0]}{minutes or 0}")
            return self._since_2000(_seconds(moment) - offset * 60, rest, said)
        return self._local(moment, rest, said)

    def _of_pattern(self, said: str) -> Moment:
        try:
            moment = datetime.strptime(said, self._form)  # noqa: DTZ007 -- the zone may come after
        except ValueError:
            raise LeftOut(f"{said!r} is not as time_format says: {self._form}") from None
        offset, rest = moment.utcoffset(), moment.microsecond * 1000
        moment = moment.replace(tzinfo=None, microsecond=0)
        if offset is None:
            return self._local(moment, rest, said)
        return self._since_2000(_seconds(moment) - int(offset.total_seconds()), rest, said)

    def _local(self, moment: datetime, rest: int, said: str) -> Moment:
        if self._zone is None:
            raise LeftOut(f'{said!r} has no zone: set time_zone, as "Europe/Ljubljana" or "UTC"')
        first, second = (moment.replace(tzinfo=self._zone, fold=fold).utcoffset() for fold in (0, 1))
        assert first is not None
        assert second is not None
        if first < second:
            raise LeftOut(f"{said!r} is no time in {self._zone_name}: the clock was put forward then")
        found = self._since_2000(_seconds(moment) - int(first.total_seconds()), rest, said)
        if first == second:
            return found
        return Moment(found.time, f"{said} comes twice in {self._zone_name}: the first is taken", estimated=True)

    @staticmethod
    def _since_2000(seconds: int, rest: int, said: str) -> Moment:
        time = seconds * 10**9 + rest
        if time < EARLIEST:
            raise LeftOut(f"{said!r} is before 2000: the device's clock is not set")
        if time > LATEST:
            raise LeftOut(f"{said!r} is later than any database can hold")
        return Moment(time)

    def _check_pattern(self) -> None:
        try:
            with warnings.catch_warnings():
                # Python 3.13 warns of a pattern without a year, which is refused below.
                warnings.simplefilter("ignore", DeprecationWarning)
                read = datetime.strptime(_SAMPLE.strftime(self._form), self._form)  # noqa: DTZ007 -- it is asked for
        except ValueError as error:
            raise ValueError(f"no pattern: {error}") from None
        if read.date() != _SAMPLE.date():
            raise ValueError("the pattern names no day: year, month and day are needed")
        if read.tzinfo is None and self._zone is None:
            if not self._form.endswith("Z"):
                raise ValueError('the pattern has no zone (%z): set time_zone, as "Europe/Ljubljana" or "UTC"')
            self._zone, self._zone_name = UTC, "UTC"


def _seconds(moment: datetime) -> int:
    """Return the seconds since 1970 of a moment that is in UTC."""
    days = moment.toordinal() - _EPOCH
    return days * 86400 + moment.hour * 3600 + moment.minute * 60 + moment.second


def _zone(name: str) -> tzinfo:
    if name.upper() in ("UTC", "Z"):
        return UTC
    if found := _OFFSET.fullmatch(name):
        minutes = int(found[2]) * 60 + int(found[3])
        return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = "" if available_timezones() else "; this machine knows none: install tzdata"
        raise ValueError(
            f'no time zone is called {name!r}: write it as "Europe/Ljubljana", "UTC" or "+01:00"{hint}'
        ) from None
