"""Tasmota: units that somebody set, a clock nobody can vouch for, and hostile telemetry."""

import json

import pytest

from drivers.tasmota import Decoder
from gateway.contract import Measurement, Options, Reject


def _say(topic: str = "tele/roof/SENSOR", **parts: object) -> Measurement | Reject:
    message = json.dumps({"Time": "2026-03-01T06:07:08", **parts}).encode()
    (said,) = Decoder(Options()).decode(topic, message)
    return said


@pytest.mark.parametrize(("unit", "value"), [("C", 20.5), ("F", 68.9)])
def test_fahrenheit_becomes_celsius(unit: str, value: float) -> None:
    said = _say(BME280={"Temperature": value}, TempUnit=unit)
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 20.5}


@pytest.mark.parametrize(("unit", "value"), [("hPa", 1013.25), ("mmHg", 760), ("inHg", 29.921255)])
def test_columns_of_mercury_become_hectopascals(unit: str, value: float) -> None:
    said = _say(BME280={"Pressure": value}, PressureUnit=unit)
    assert isinstance(said, Measurement)
    assert said.fields == pytest.approx({"atmospheric_pressure": 1013.25}, abs=0.001)


def test_a_local_time_without_an_offset_is_left_to_the_time_of_arrival() -> None:
    said = _say(SDS0X1={"PM10": 1})
    assert isinstance(said, Measurement)
    assert (said.time, said.sensor) == (None, "roof")


@pytest.mark.parametrize("unit", ["K", "", 5, None, ["C"], {}])
def test_a_unit_that_is_not_known_is_rejected(unit: object) -> None:
    said = _say(BME280={"Temperature": 20}, TempUnit=unit)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize("topic", ["tele/roof/STATE", "tele/roof/LWT", "SENSORS", ""])
def test_what_is_no_telemetry_of_sensors_is_not_ours(topic: str) -> None:
    said = _say(topic, SDS0X1={"PM10": 1})
    assert isinstance(said, Reject)
    assert said.reason == "noise"


@pytest.mark.parametrize("topic", ["SENSOR", "/SENSOR", "tele//SENSOR", "tele/a\nb/SENSOR"])
def test_a_topic_without_a_device_is_rejected(topic: str) -> None:
    said = _say(topic, SDS0X1={"PM10": 1})
    assert isinstance(said, Reject)
    assert said.detail == "no name of a sensor"
