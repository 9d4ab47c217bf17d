"""Moments as devices write them: formats, zones, units of numbers, and what is no moment."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.common.text_values import LeftOut
from drivers.common.time_formats import EARLIEST, PLAUSIBLE, TimeReader
from drivers.common.times import TimeFormat, moment

LJUBLJANA = "Europe/Ljubljana"


def utc(text: str, nanoseconds: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9 + nanoseconds


READ: list[tuple[str, str | None, object, int]] = [
    ("auto", None, "2026-07-01T14:00:31+02:00", utc("2026-07-01 12:00:31")),
    ("auto", None, "2026-07-01T14:00:31+0200", utc("2026-07-01 12:00:31")),
    ("auto", None, "2026-07-01 14:00:31 +02", utc("2026-07-01 12:00:31")),
    ("auto", None, "2026-07-01T12:00:31,5Z", utc("2026-07-01 12:00:31", 500_000_000)),
    ("auto", None, "2026/07/01 12:00 UTC", utc("2026-07-01 12:00:00")),
    ("auto", None, "20260701T120031Z", utc("2026-07-01 12:00:31")),
    ("auto", None, "2026-07-01T12:00:31.123456789123-00:30", utc("2026-07-01 12:30:31", 123_456_789)),
    ("auto", LJUBLJANA, "2026-07-01 14:00:31", utc("2026-07-01 12:00:31")),
    ("auto", LJUBLJANA, "2026-01-01 13:00:31.25", utc("2026-01-01 12:00:31", 250_000_000)),
    ("auto", LJUBLJANA, "2026-01-01T13:00:31Z", utc("2026-01-01 13:00:31")),
    ("auto", "+05:30", "20260701173031", utc("2026-07-01 12:00:31")),
    ("auto", "UTC", "2016-12-31 23:59:60", utc("2017-01-01 00:00:00")),
    ("auto", None, 1782907231, utc("2026-07-01 12:00:31")),
    ("auto", None, "1782907231", utc("2026-07-01 12:00:31")),
    ("auto", None, 1782907231.27, utc("2026-07-01 12:00:31", 270_000_000)),
    ("auto", None, "1782907231.123456789", utc("2026-07-01 12:00:31", 123_456_789)),
    ("auto", None, 1782907231271, utc("2026-07-01 12:00:31", 271_000_000)),
    ("auto", None, 1782907231271.5, utc("2026-07-01 12:00:31", 271_500_000)),
    ("auto", None, 1782907231271828, utc("2026-07-01 12:00:31", 271_828_000)),
    ("auto", None, 1782907231271828182, utc("2026-07-01 12:00:31", 271_828_182)),
    ("s", None, "1782907231", utc("2026-07-01 12:00:31")),
    ("ms", None, 1782907231271.0, utc("2026-07-01 12:00:31", 271_000_000)),
    ("%d.%m.%Y %H:%M", LJUBLJANA, "01.07.2026 14:00", utc("2026-07-01 12:00:00")),
    ("%d.%m.%y %H:%M:%S %z", None, "01.07.26 14:00:31 +0200", utc("2026-07-01 12:00:31")),
    ("%Y-%m-%dT%H:%M:%S.%fZ", None, "2026-07-01T12:00:31.25Z", utc("2026-07-01 12:00:31", 250_000_000)),
    ("%d %b %Y", "UTC", "01 Jul 2026", utc("2026-07-01 00:00:00")),
]


def test_each_format_is_read_to_the_nanosecond() -> None:
    wrong = []
    for form, zone, value, expected in READ:
        found = TimeReader(form, zone).read(value)
        if found.time != expected or found.doubt:
            wrong.append(f"{form} {zone} {value!r}: {found}, expected {expected}")
    assert not wrong, "\n".join(wrong)


REFUSED: list[tuple[str, str | None, object, str]] = [
    ("auto", None, "2026-07-01 14:00:31", "has no zone: set time_zone"),
    ("auto", None, "01.07.2026 14:00", "set time_format to a pattern"),
    ("auto", None, "2026-13-01T14:00:31Z", "month must be in 1..12"),
    ("auto", None, "1970-01-01T00:00:31Z", "before 2000: the device's clock is not set"),
    ("auto", None, 31, "before 2000: the device's clock is not set"),
    ("auto", None, "31", "before 2000: the device's clock is not set"),
    ("auto", None, -31, "is no time"),
    ("auto", None, True, "is no time"),
    ("auto", None, None, "null is no time"),
    ("auto", None, float("nan"), "is no time"),
    ("auto", None, 10**40, "is no time"),
    ("auto", LJUBLJANA, "2026-03-29 02:30:00", "the clock was put forward then"),
    ("ms", None, 1782907231, 'is no time in ms; if it is in s: time_format = "s"'),
    ("s", None, 1782907231271, 'time_format = "ms"'),
    ("us", None, 1782907231271, 'time_format = "ms"'),
    ("ns", None, "1782907231271", 'time_format = "ms"'),
    ("rfc3339", None, 1782907231, 'time_format = "s"'),
    ("%d.%m.%Y %H:%M", LJUBLJANA, "2026-07-01", "is not as time_format says: %d.%m.%Y %H:%M"),
    ("auto", "UTC", "9999-07-01 12:00:31", "later than any database can hold"),
]


def test_what_is_no_moment_is_refused_with_what_to_set() -> None:
    wrong = []
    for form, zone, value, words in REFUSED:
        try:
            wrong.append(f"{form} {zone} {value!r}: {TimeReader(form, zone).read(value)}")
        except LeftOut as error:
            if words not in str(error):
                wrong.append(f"{form} {zone} {value!r}: {error}")
    assert not wrong, "\n".join(wrong)


def test_of_an_hour_that_comes_twice_the_first_is_taken_and_marked() -> None:
    found = TimeReader("auto", LJUBLJANA).read("2026-10-25 02:30:00")
    assert found.time == utc("2026-10-25 00:30:00")
    assert found.estimated
    assert "comes twice" in found.doubt


@pytest.mark.parametrize(
    ("form", "zone", "words"),
    [
        ("%d.%m.%Y %H:%M", None, "set time_zone"),
        ("%H:%M", "UTC", "names no day"),
        ("%d.%m. %H:%M", "UTC", "names no day"),
        ("%Q", "UTC", "no pattern"),
        ("unix", None, "no format"),
        ("auto", "Europe", "no time zone is called 'Europe'"),
        ("auto", "../etc/passwd", "no time zone"),
        ("auto", "+25:00", "no time zone"),
    ],
)
def test_a_format_or_zone_that_cannot_work_is_an_error(form: str, zone: str | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TimeReader(form, zone)


UNITS: dict[TimeFormat, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@given(st.integers(EARLIEST, PLAUSIBLE - 1), st.sampled_from([*UNITS]))
def test_the_unit_of_a_number_is_told_by_its_size_alone(time: int, unit: TimeFormat) -> None:
    size = UNITS[unit]
    assert TimeReader().read(time // size).time == max(time // size * size, 0)
    assert moment(time // size, unit) == time // size * size


@given(
    st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.integers()),
    st.sampled_from([("auto", None), ("auto", LJUBLJANA), ("ms", None), ("%d.%m.%Y", "UTC")]),
)
def test_no_value_raises_anything_else(value: object, how: tuple[str, str | None]) -> None:
    try:
        assert TimeReader(*how).read(value).time >= EARLIEST
    except LeftOut as error:
        said = str(error)
        said.encode("utf-8", "surrogatepass")
