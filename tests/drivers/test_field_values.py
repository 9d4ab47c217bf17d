"""Values of messages as fields: units, scales, words, sentinels, and what looks like another unit."""

from typing import Any

import pytest

from drivers.common.field_sources import Source
from drivers.common.field_values import Doubtful, FieldReader
from drivers.common.text_values import LeftOut, NoValue
from gateway.contract import VOCABULARY, FieldValue


def reader(name: str, **source: Any) -> FieldReader:  # noqa: ANN401 -- any option
    return FieldReader(VOCABULARY[name], Source.model_validate({"path": "x", **source}))


READ: list[tuple[str, dict[str, Any], object, FieldValue]] = [
    ("temperature", {}, "15\u00b0C", 15.0),
    ("temperature", {}, "59 \u00b0F", 15.0),
    ("temperature", {}, "294.65K", 21.5),
    ("temperature", {"unit": "F"}, 59, 15.0),
    ("temperature", {"unit": "\u00b0F"}, "15 \u00b0C", 15.0),
    ("temperature", {"scale": 0.1}, "215 \u00b0C", 21.5),
    ("temperature", {"scale": 0.1, "unit": "K"}, 2946.5, 21.5),
    ("relative_humidity", {"scale": 0.01}, "80%", 0.8),
    ("relative_humidity", {}, "80 %", 0.8),
    ("relative_humidity", {"unit": "%"}, 102, 1.02),
    ("relative_humidity", {}, 1.03, 1.03),
    ("battery_level", {"unit": "%"}, "100.00", 1.0),
    ("atmospheric_pressure", {}, "1.013 bar", 1013.0),
    ("atmospheric_pressure", {"unit": "Pa"}, 101325, 1013.25),
    ("wind_speed", {}, "36 km/h", 10.0),
    ("average_vehicle_speed", {"unit": "m/s"}, 10, 36.0),
    ("battery_voltage", {"unit": "mV"}, "2995", 2.995),
    ("distance", {}, "1.25 m", 1250.0),
    ("no2", {"unit": "ppb"}, 105, 200.816046585),
    ("no2", {}, "0.105 ppm", 200.816046585),
    ("co2", {}, "0.04 %", 400.0),
    ("pm25", {}, "12 \u00b5g/m\u00b3", 12.0),
    ("pm25", {"values": {"low": 5, "high": 50.5}}, "Low", 5.0),
    ("pm25", {"values": {"low": 5}}, 7, 7.0),
    ("rssi", {}, "-76 dbM", -76.0),
    ("available_spots", {}, "12", 12),
    ("available_spots", {}, 12.0, 12),
    ("available_spots", {"values": {"full": 0}}, "FULL", 0),
    ("occupied", {"values": {"B": True, "F": False}}, "b", True),
    ("event", {"values": {"17": "door open"}}, 17, "door open"),
    ("event", {}, "offline", "offline"),
    ("motion", {"values": {"true": 1, "false": 0}}, True, 1),
    ("motion", {"values": {"true": 1, "false": 0}}, "False", 0),
]


def test_a_value_becomes_what_the_vocabulary_holds() -> None:
    wrong = []
    for name, source, value, expected in READ:
        found = reader(name, **source).read(value)
        if found != expected or type(found) is not type(expected):
            wrong.append(f"{name} {source} {value!r}: {found!r}")
    assert not wrong, "\n".join(wrong)


REFUSED: list[tuple[str, dict[str, Any], object, type[LeftOut], str]] = [
    ("temperature", {}, "15 hPa", LeftOut, "'hPa' is no unit of temperature: degC, degF, K"),
    ("temperature", {"scale": 0.1}, "15 hPa", LeftOut, "is no unit of temperature"),
    ("temperature", {}, "21.5\u00b0", LeftOut, "is no unit of temperature"),
    ("temperature", {"no_value": [-127, "err", 85]}, "-127", NoValue, "as no_value says"),
    ("temperature", {"no_value": [-127]}, -127.0, NoValue, "as no_value says"),
    ("temperature", {}, "nan", NoValue, "is no value"),
    ("temperature", {}, float("nan"), LeftOut, "is no finite number"),
    ("temperature", {}, None, NoValue, "null"),
    ("temperature", {}, [21.5], LeftOut, "a list is no number"),
    ("temperature", {}, 10**400, LeftOut, "is too large"),
    ("relative_humidity", {}, 55, Doubtful, 'set unit = "%", or scale'),
    ("relative_humidity", {}, "55", Doubtful, 'set unit = "%", or scale'),
    ("battery_level", {"scale": 0.1}, 87, Doubtful, 'set unit = "%", or scale'),
    ("available_spots", {}, "12 cars", LeftOut, "'cars' is no unit of available_spots"),
    ("available_spots", {}, "12.5", LeftOut, "is no whole number"),
    ("occupied", {"values": {"B": True}}, "C", LeftOut, "neither yes nor no"),
    ("event", {}, "", NoValue, "is no value"),
]


def test_what_is_no_value_of_the_field_is_left_out_with_what_to_set() -> None:
    wrong = []
    for name, source, value, kind, words in REFUSED:
        try:
            wrong.append(f"{name} {source} {value!r}: {reader(name, **source).read(value)!r}")
        except LeftOut as error:
            if type(error) is not kind or words not in str(error):
                wrong.append(f"{name} {source} {value!r}: {error!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [("atmospheric_pressure", 101325, "Pa"), ("temperature", 294.65, "K"), ("battery_voltage", 2995, "mV")],
)
def test_a_value_that_would_be_plausible_in_another_unit_is_stored_and_said(
    name: str, value: float, unit: str
) -> None:
    found = reader(name)
    assert f'unit = "{unit}"' in found.doubt(found.read(value))
    assert reader(name, unit=unit).doubt(reader(name, unit=unit).read(value)) == ""


def test_a_value_that_is_plausible_or_in_no_unit_is_not_doubted() -> None:
    found = reader("temperature")
    assert [found.doubt(found.read(value)) for value in (21.5, -40, 1e6)] == ["", "", ""]
    assert reader("temperature", scale=10).doubt(294.65) == ""


def test_a_stranger_who_varies_the_unit_makes_nothing_grow() -> None:
    found = reader("temperature")
    for number in range(1000):
        found.read("15" + " " * (number % 50) + "C" if number % 2 else "15 C")
    assert len(found._units) <= 16
