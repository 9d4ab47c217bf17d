"""Tasmota: units that somebody set, a clock nobody can vouch for, and hostile telemetry."""

import json
from typing import Any

import pytest

from drivers.tasmota import Decoder, TasmotaOptions
from gateway.contract import Measurement, Reject, Remark


def _say(topic: str = "tele/roof/SENSOR", **parts: object) -> Measurement | Reject:
    message = json.dumps({"Time": "2026-03-01T06:07:08", **parts}).encode()
    said, *_ = Decoder(TasmotaOptions()).decode(topic, message)
    assert isinstance(said, Measurement | Reject)
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


def test_parts_alone_are_telemetry_and_other_json_is_none() -> None:
    decode = Decoder(TasmotaOptions()).decode
    (said,) = decode("tele/roof/SENSOR", b'{"DS18B20": {"Id": "0119", "Temperature": 20.5}}')
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 20.5}
    for other in (b'{"temperature": 20.5}', b'{"Relay": {"State": "ON"}}', b"{}"):
        (said,) = decode("tele/roof/SENSOR", other)
        assert isinstance(said, Reject)
        assert said.reason == "noise"


@pytest.mark.parametrize("topic", ["SENSOR", "/SENSOR", "tele//SENSOR", "tele/a\nb/SENSOR"])
def test_a_topic_without_a_device_is_rejected(topic: str) -> None:
    said = _say(topic, SDS0X1={"PM10": 1})
    assert isinstance(said, Reject)
    assert said.detail == "no name of a sensor"


def _all(**parts: Any) -> list[Measurement]:  # noqa: ANN401 -- JSON may hold anything
    message = json.dumps({"Time": "2026-03-01T06:07:08", **parts}).encode()
    return [
        one for one in Decoder(TasmotaOptions()).decode("tele/roof/SENSOR", message) if isinstance(one, Measurement)
    ]


@pytest.mark.parametrize("part", ["ESP32", "MPU6050", "AXP192", "MHZ19B", "ENERGY"])
def test_the_temperature_of_a_chip_is_not_that_of_the_air(part: str) -> None:
    (said,) = _all(**{part: {"Temperature": 40.6}})
    assert said.fields == {"device_temperature": 40.6}


def test_a_chip_before_a_thermometer_takes_nothing_from_it() -> None:
    (said,) = _all(ESP32={"Temperature": 40.6}, BME280={"Temperature": 7.5})
    assert said.fields == {"device_temperature": 40.6, "temperature": 7.5}


def test_probes_on_a_cable_and_surfaces_are_fields_of_their_own() -> None:
    (said,) = _all(ANALOG={"Temperature": 31.0}, MLX90614={"OBJTMP": 23.8, "AMBTMP": 22.7})
    assert said.fields == {"external_temperature": 31.0, "surface_temperature": 23.8, "device_temperature": 22.7}


@pytest.mark.parametrize(
    "names", [("DS18B20-1", "DS18B20-2"), ("SHT3X-0x44", "SHT3X-0x45"), ("BME280_76", "BME280_77")]
)
def test_equal_probes_are_kept_apart_by_a_tag(names: tuple[str, str]) -> None:
    first, second = names
    said = _all(**{first: {"Id": "01", "Temperature": 20.1}, second: {"Id": "02", "Temperature": 3.2}})
    assert [(one.fields, one.tags) for one in said] == [
        ({"temperature": 20.1}, {"probe": first}),
        ({"temperature": 3.2}, {"probe": second}),
    ]


def test_a_probe_keeps_its_tag_where_the_other_is_gone() -> None:
    (said,) = _all(**{"DS18B20-2": {"Id": "02", "Temperature": 3.2}})
    assert said.tags == {"probe": "DS18B20-2"}


def test_several_analog_thermometers_are_probes() -> None:
    said = _all(ANALOG={"Temperature1": 20.0, "Temperature2": 21.0})
    assert [(one.fields["external_temperature"], one.tags["probe"]) for one in said] == [
        (20.0, "ANALOG-1"),
        (21.0, "ANALOG-2"),
    ]


def test_a_second_part_does_not_stand_in_for_the_first() -> None:
    said = _all(SI7021={"Temperature": None, "Humidity": 49}, BMP280={"Temperature": 25.0, "Pressure": 1000.0})
    assert [(one.fields, one.tags) for one in said] == [
        ({"relative_humidity": 0.49, "atmospheric_pressure": 1000.0}, {}),
        ({"temperature": 25.0}, {"probe": "BMP280"}),
    ]


def test_a_list_is_no_reading_and_costs_none() -> None:
    (said,) = _all(MLX90640={"Temperature": [30.8, 28.5]}, BME280={"Temperature": 21.7})
    assert (said.fields, said.tags) == ({"temperature": 21.7}, {})


@pytest.mark.parametrize("value", [None, "nan", "", True])
def test_a_part_that_cannot_measure_costs_no_other(value: object) -> None:
    message = {"Time": "2026-03-01T06:07:08", "DHT11": {"Temperature": value}, "SDS0X1": {"PM10": 15.8}}
    said, remark = Decoder(TasmotaOptions()).decode("tele/roof/SENSOR", json.dumps(message).encode())
    assert isinstance(said, Measurement)
    assert said.fields == {"pm10": 15.8}
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.what) == ("left out", "DHT11 Temperature")


def test_a_unit_that_is_not_known_costs_only_what_is_in_it() -> None:
    (said,) = _all(BME280={"Temperature": 293.0, "Humidity": 50}, TempUnit="K")
    assert said.fields == {"relative_humidity": 0.5}


@pytest.mark.parametrize(
    ("topic", "prefix", "sensor"),
    [
        ("tele/roof/SENSOR", "tele", "roof"),
        ("kitchen/tele/SENSOR", "tele", "kitchen"),
        ("tele/house/kitchen/SENSOR", "tele", "house/kitchen"),
        ("house/kitchen/tele/SENSOR", "tele", "house/kitchen"),
        ("kitchen/messages/SENSOR", "messages", "kitchen"),
        ("kitchen/messages/SENSOR", "tele", "kitchen/messages"),
    ],
)
def test_the_levels_of_the_topic_may_have_any_order(topic: str, prefix: str, sensor: str) -> None:
    message = b'{"Time":"2026-03-01T06:07:08","SDS0X1":{"PM10":1}}'
    (said,) = Decoder(TasmotaOptions(prefix=prefix)).decode(topic, message)
    assert isinstance(said, Measurement)
    assert said.sensor == sensor


def test_the_answer_to_a_question_is_telemetry_too() -> None:
    message = json.dumps({"StatusSNS": {"Time": "2026-03-01T06:07:08", "BH1750": {"Illuminance": 12}}}).encode()
    (said,) = Decoder(TasmotaOptions()).decode("stat/roof/STATUS10", message)
    assert isinstance(said, Measurement)
    assert (said.sensor, said.fields) == ("roof", {"illuminance": 12.0})
