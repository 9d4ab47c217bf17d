"""What a network server decoded, by the names that its devices' codecs use."""

from typing import Any

import pytest

from gateway.contract import FieldValue, Measurement, Quality, Reject, Remark
from gateway.sources.server_objects import MOST_NAMED, by_name


def read(**found: Any) -> dict[str, FieldValue]:  # noqa: ANN401 -- JSON may hold anything
    said = next(iter(by_name(found)))
    return dict(said.fields) if isinstance(said, Measurement) else {}


def told(**found: Any) -> list[tuple[str, str]]:  # noqa: ANN401 -- the same
    return [(one.kind, one.what) for one in by_name(found) if isinstance(one, Remark)]


@pytest.mark.parametrize(
    ("name", "value", "field", "wanted"),
    [
        ("humidity", 55, "relative_humidity", 0.55),
        ("Hum_SHT", "55.5", "relative_humidity", 0.555),
        ("relativeHumidity", 55, "relative_humidity", 0.55),
        ("TempC_SHT", "-3.5", "temperature", -3.5),
        ("tempF", 50, "temperature", 10.0),
        ("pressure", 1013.25, "atmospheric_pressure", 1013.25),
        ("pressure", 101325, "atmospheric_pressure", 1013.25),
        ("pressure", 101.325, "atmospheric_pressure", 1013.25),
        ("PM2_5", 12, "pm25", 12.0),
        ("pm2.5", 12, "pm25", 12.0),
        ("pm1_0", 3, "pm1", 3.0),
        ("pm10_0", 9, "pm10", 9.0),
        ("CO2", 612, "co2", 612.0),
        ("lux", 120, "illuminance", 120.0),
    ],
)
def test_common_names_are_read_in_their_units(name: str, value: object, field: str, wanted: float) -> None:
    assert read(**{name: value}) == {field: pytest.approx(wanted)}
    assert told(**{name: value}) == []


@pytest.mark.parametrize(
    ("found", "field", "wanted"),
    [
        ({"battery": 87}, "battery_level", 0.87),
        ({"battery": 3.6}, "battery_voltage", 3.6),
        ({"battery": 3250}, "battery_voltage", 3.25),
        ({"BatV": 3.384}, "battery_voltage", 3.384),
        ({"vdd": 3642}, "battery_voltage", 3.642),
        ({"batteryLevel": 92}, "battery_level", 0.92),
    ],
)
def test_a_battery_is_read_where_its_value_tells_the_unit(found: dict[str, Any], field: str, wanted: float) -> None:
    assert read(temperature=21.5, **found) == {"temperature": 21.5, field: wanted}


@pytest.mark.parametrize("battery", [3, 3.0, 1.2, 4, -1, 200, "full", True, []])
def test_a_battery_that_may_be_volts_or_per_cent_is_told_and_not_guessed(battery: object) -> None:
    assert read(temperature=21.5, battery=battery) == {"temperature": 21.5}
    assert told(temperature=21.5, battery=battery) == [("left out", "battery")]


@pytest.mark.parametrize("value", [True, 1, 1.0, "occupied", "1", "Taken"])
def test_a_bay_is_occupied_in_many_words(value: object) -> None:
    assert read(occupied=value) == {"occupied": True}


@pytest.mark.parametrize("value", [False, 0, "free", "vacant", "0"])
def test_a_bay_is_free_in_many_words(value: object) -> None:
    assert read(occupied=value) == {"occupied": False}


@pytest.mark.parametrize("value", [2, 0.5, "unknown", [], None])
def test_a_bay_that_is_neither_is_told_and_never_free(value: object) -> None:
    assert read(occupied=value, pm25=1) == {"pm25": 1.0}
    assert told(occupied=value, pm25=1) == [("left out", "occupied")]


def test_occupancy_is_a_bays_in_words_and_a_roads_as_a_number() -> None:
    assert read(occupancy="vacant") == {"occupied": False}
    assert read(occupancy=0.35) == {"occupancy": 0.35}


@pytest.mark.parametrize(
    ("name", "value", "field", "wanted"),
    [
        ("humidity", "55 %", "relative_humidity", 0.55),
        ("humidity", {"value": 55, "unit": "%RH"}, "relative_humidity", 0.55),
        ("temperature", {"value": 50, "unit": "°F"}, "temperature", 10.0),
        ("temperature", {"value": "-3.5"}, "temperature", -3.5),
        ("pressure", "1013.25hPa", "atmospheric_pressure", 1013.25),
        ("distance", {"value": 1.5, "units": "m"}, "distance", 1500.0),
    ],
)
def test_a_unit_beside_a_value_is_converted(name: str, value: object, field: str, wanted: float) -> None:
    assert read(**{name: value}) == {field: pytest.approx(wanted)}
    assert told(**{name: value}) == []


@pytest.mark.parametrize(
    "value", ["55 m", {"value": 55, "unit": "V"}, {"value": None, "unit": "C"}, {"unit": "C"}, []]
)
def test_a_unit_of_something_else_is_no_value(value: object) -> None:
    assert read(temperature=value, co2=612) == {"co2": 612.0}
    assert told(temperature=value, co2=612)[0] == ("left out", "temperature")


@pytest.mark.parametrize(
    ("battery", "field", "wanted"),
    [
        ("3 V", "battery_voltage", 3.0),
        ("3300 mV", "battery_voltage", 3.3),
        ({"value": 3, "unit": "%"}, "battery_level", 0.03),
    ],
)
def test_a_battery_with_its_unit_needs_no_guess(battery: object, field: str, wanted: float) -> None:
    assert read(temperature=21.5, battery=battery) == {"temperature": 21.5, field: pytest.approx(wanted)}


def test_a_number_in_a_text_stays_where_text_is_wanted() -> None:
    assert read(temperature=21.5, event="3 knocks") == {"temperature": 21.5, "event": "3 knocks"}


@pytest.mark.parametrize(
    "found",
    [
        {"temperature_3": 27.2, "relative_humidity_4": 55.5, "temperature_10": 21.5, "presence_5": 1},
        {
            "temperatureSensor": {"10": 21.5, "3": 27.2},
            "humiditySensor": {"4": 55.5},
            "presenceSensor": {"5": 1},
        },
    ],
)
def test_channels_of_cayenne_lpp_are_readings_and_no_two_are_one(found: dict[str, Any]) -> None:
    said = [one for one in by_name(found) if isinstance(one, Measurement)]
    assert [(dict(one.fields), dict(one.tags)) for one in said] == [
        ({"temperature": 27.2, "relative_humidity": 0.555, "occupied": True}, {}),
        ({"temperature": 21.5}, {"channel": "10"}),
    ]


def test_a_place_of_cayenne_lpp_is_no_reading_and_named() -> None:
    found = {"temperatureSensor": {"3": 27.2}, "gpsLocation": {"1": {"latitude": 46}}, "analog_in_2": 3.3}
    assert read(**found) == {"temperature": 27.2}
    assert told(**found) == [("left out", "gpsLocation"), ("left out", "analog_in_2")]


def test_what_is_not_known_is_named_and_costs_nothing() -> None:
    found = {"temperature": 21.5, "light": 1152, "soil": {"temperature": 9}, "event": "setup"}
    assert read(**found) == {"temperature": 21.5, "event": "setup"}
    assert told(**found) == [("left out", "light"), ("left out", "soil")]


@pytest.mark.parametrize(("found", "field"), [({"relative_humidity": 55}, "relative_humidity")])
def test_a_fraction_that_says_55_is_taken_for_per_cent_and_told(found: dict[str, Any], field: str) -> None:
    assert read(**found) == {field: 0.55}
    assert told(**found) == [("doubtful", field)]


@pytest.mark.parametrize("humidity", [0.55, 1, -5, 120, "nan", "wet"])
def test_a_humidity_that_may_be_a_fraction_or_none_is_told(humidity: object) -> None:
    assert read(temperature=21.5, humidity=humidity) == {"temperature": 21.5}
    assert told(temperature=21.5, humidity=humidity) == [("left out", "humidity")]


def test_temperature_and_humidity_alone_are_of_the_air() -> None:
    (said,) = by_name({"temperature": 21.5, "humidity": 55})
    assert isinstance(said, Measurement)
    assert said.kind == "air_quality"


def test_less_coarse_dust_than_fine_is_marked() -> None:
    (said,) = by_name({"pm25": 12, "pm10": 5})
    assert isinstance(said, Measurement)
    assert said.quality == Quality.INCONSISTENT


def test_short_names_are_no_gases_by_accident() -> None:
    (said,) = by_name({"No": 5})
    assert isinstance(said, Reject)


def test_of_a_large_object_only_so_many_names_are_told() -> None:
    assert len(told(pm25=1, **{f"n{number:03}": 1 for number in range(500)})) == MOST_NAMED
