"""Durations and sizes as people write and read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from gateway.settings import Duration, Size
from gateway.units import (
    Conversion,
    conversion,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    units_like,
)
from gateway.vocabulary import VOCABULARY


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("10s", 10.0),
        ("5min", 300.0),
        ("25h", 90000.0),
        ("7d", 604800.0),
        ("1.5 s", 1.5),
        ("50us", 5e-5),
        (" 2h ", 7200.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "wrong", [10, 1.5, True, None, "", "10", "s", "10 m", "10S", "-1s", "1e3s", "1,5s", "1h30min", "10s!", ["10s"]]
)
def test_anything_else_is_refused_and_the_units_are_named(wrong: object) -> None:
    with pytest.raises(ValueError, match=r'a number and a unit \(us, ms, s, min, h, d\), for example "10s"'):
        parse_duration(wrong)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("512KiB", 524288),
        ("2GiB", 2147483648),
        ("1GB", 1000000000),
        ("1.5 MiB", 1572864),
        ("0B", 0),
        ("3kB", 3000),
        ("3KB", 3000),
        ("1TB", 10**12),
        ("1TiB", 2**40),
        (4096, 4096),
        (0, 0),
    ],
)
def test_a_size_is_a_number_and_a_unit_or_a_whole_number_of_bytes(text: object, count: int) -> None:
    assert parse_size(text) == count
    assert type(parse_size(text)) is int


@pytest.mark.parametrize("wrong", [-1, True, 1.5, None, "", "10", "10 Mb", "-1MB", "2gib", "GiB"])
def test_a_size_without_a_known_unit_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r'a number and a unit \(B, .*GiB, TiB\), for example "2GiB"'):
        parse_size(wrong)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (3.21, "3.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3599.6, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (86399, "23 h 59 min"),
        (273600, "3 d 4 h"),
    ],
)
def test_seconds_are_written_for_people(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3565158, "3.4 MiB"),
        (2**30 - 1, "1.0 GiB"),
        (2**41, "2.0 TiB"),
        (2**51, "2048.0 TiB"),
    ],
)
def test_bytes_are_written_for_people(count: int, text: str) -> None:
    assert format_size(count) == text


@given(st.floats(0, 1e9))
def test_no_duration_shows_sixty_of_anything(seconds: float) -> None:
    text = format_duration(seconds)
    assert "60 s" not in text.replace("min 60", "60 s")
    assert "60 min" not in text
    assert " 24 h" not in text


@given(st.integers(0, 2**60))
def test_no_size_below_the_largest_unit_shows_1024_of_anything(count: int) -> None:
    text = format_size(count)
    assert not text.startswith("1024") or text.endswith("TiB")


class Settings(BaseModel):
    wait: Duration = 1.0
    room: Size = 0


def test_settings_hold_seconds_and_bytes() -> None:
    settings = Settings.model_validate({"wait": "2min", "room": "1KiB"})
    assert (settings.wait, settings.room) == (120.0, 1024)


def test_a_setting_names_its_mistake() -> None:
    with pytest.raises(ValidationError, match="write a duration as a number and a unit"):
        Settings.model_validate({"wait": 10})


def test_what_is_measured_is_converted_in_every_usual_spelling() -> None:
    said = {
        ("\u00b0F", "degC", 59): 15.0,
        ("K", "degC", 294.65): 21.5,
        ("\u2103", "degC", 3): 3.0,
        ("%", "fraction", 55): 0.55,
        ("kPa", "hPa", 101.3): 1013.0,
        ("mmHg", "hPa", 760): 1013.250144354,
        ("m/s", "km/h", 10): 36.0,
        ("kts", "m/s", 10): 5.144444444,
        ("cm", "mm", 12.5): 125.0,
        ("\u00b5g / m\u00b3", "ug/m3", 12): 12.0,
        ("MG/M3", "ug/m3", 0.5): None,
        ("mg/m^3", "ug/m3", 0.5): 500.0,
        ("PPB", "ppm", 1): 0.001,
        ("#/0.1L", "1/cm3", 442): 4.42,
        ("dbm", "dBm", -76): -76.0,
        ("mV", "V", 2995): 2.995,
        ("MV", "V", 1): None,
        ("kWh", "Wh", 1.5): 1500.0,
        ("ppb", "ug/m3", 1): None,
        ("\u00b0", "degC", 1): None,
        ("bicycles", "bicycles", 3): 3.0,
        ("bicycles", "cars", 3): None,
    }
    converts = {case: conversion(*case[:2]) for case in said}
    assert {case: convert and convert(case[2]) for case, convert in converts.items()} == said


def test_every_unit_of_the_vocabulary_is_its_own() -> None:
    assert [one.name for one in VOCABULARY.values() if conversion(one.unit, one.unit) != Conversion(1.0)] == []


@given(st.sampled_from([one.unit for one in VOCABULARY.values()]), st.floats(-1e6, 1e6))
def test_there_and_back_is_the_same_number(unit: str, number: float) -> None:
    for other in units_like(unit):
        there, back = conversion(unit, other), conversion(other, unit)
        assert there is not None
        assert back is not None
        assert (number * there.factor + there.offset) * back.factor + back.offset == pytest.approx(number, abs=1e-6)


def test_rain_in_inches_an_hour_becomes_millimetres_an_hour() -> None:
    found = conversion("in/h", "mm/h")
    assert found is not None
    assert found(0.1) == 2.54
