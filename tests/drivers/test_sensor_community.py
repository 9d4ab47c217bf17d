"""Sensor.Community: texts that are numbers, and hostile ones that are not."""

import json

import pytest

from drivers.sensor_community import Decoder
from gateway.contract import Measurement, Options, Reject, Remark


def _say(values: object, **more: object) -> Measurement | Reject:
    message = json.dumps({"sensordatavalues": values, **more}).encode()
    said, *_ = Decoder(Options()).decode("airrohr/box", message)
    assert isinstance(said, Measurement | Reject)
    return said


def _one(kind: object, value: object) -> Measurement | Reject:
    return _say([{"value_type": kind, "value": value}])


@pytest.mark.parametrize("part", ["", "SDS_", "PMS_", "HPM_", "NPM_", "IPS_", "SPS30_"])
@pytest.mark.parametrize(("size", "name"), [("P0", "pm1"), ("P1", "pm10"), ("P2", "pm25")])
def test_p1_is_pm10_and_p2_is_pm25_whatever_part_measured(part: str, size: str, name: str) -> None:
    said = _one(part + size, "7.25")
    assert isinstance(said, Measurement)
    assert said.fields == {name: 7.25}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("N05", "particles_up_to_05"), ("N25", "particles_up_to_25"), ("TS", "typical_particle_size")],
)
def test_an_sps30_has_counts_and_a_size(kind: str, name: str) -> None:
    said = _say([{"value_type": "SPS30_P2", "value": "3.3"}, {"value_type": f"SPS30_{kind}", "value": "0.55"}])
    assert isinstance(said, Measurement)
    assert said.fields == {"pm25": 3.3, name: 0.55}


def test_of_two_thermometers_the_first_counts() -> None:
    names = ("temperature", "BMP_temperature")
    values = [{"value_type": name, "value": str(value)} for value, name in enumerate(names)]
    said = _say(values)
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 0.0}


@pytest.mark.parametrize(
    ("chip", "name"),
    [
        ({"esp8266id": "77"}, "77"),
        ({"esp8266id": 77}, "77"),
        ({"esp32id": "a1"}, "a1"),
        ({"moduleairid": "4203"}, "4203"),
        ({"nebuleairid": 99}, "99"),
        ({"esp8266id": ""}, "box"),
        ({"esp8266id": None}, "box"),
        ({}, "box"),
    ],
)
def test_the_chip_names_the_sensor_or_else_the_topic(chip: dict[str, object], name: str) -> None:
    said = _say([{"value_type": "P1", "value": "1"}], **chip)
    assert isinstance(said, Measurement)
    assert said.sensor == name


@pytest.mark.parametrize("value", ["", "nan", "inf", "1e999", "x", True, [], {}, "9" * 400])
def test_what_is_no_number_is_rejected_by_name(value: object) -> None:
    said = _one("P1", value)
    assert isinstance(said, Reject)
    assert (said.reason, said.detail[:4]) == ("range", "P1: ")


@pytest.mark.parametrize("values", [[1], [None], [[]], [{"value": "1"}], [{"value_type": 5, "value": "1"}]])
def test_a_list_of_something_else_is_rejected(values: object) -> None:
    said = _say(values)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


@pytest.mark.parametrize("values", [1, None, [], {"value": "1"}, {"value_type": 5, "value": "1"}])
def test_a_value_without_its_type_costs_no_other(values: object) -> None:
    message = json.dumps({"sensordatavalues": [values, {"value_type": "SDS_P1", "value": "4"}]}).encode()
    said, remark = Decoder(Options()).decode("airrohr/box", message)
    assert isinstance(said, Measurement)
    assert said.fields == {"pm10": 4.0}
    assert isinstance(remark, Remark)
    assert remark.what == "a value without its type"


@pytest.mark.parametrize("chip", ["a\nb", [], "x" * 129])
def test_a_chip_that_is_no_name_is_rejected(chip: object) -> None:
    said = _say([{"value_type": "P1", "value": "1"}], esp8266id=chip)
    assert isinstance(said, Reject)


@pytest.mark.parametrize("value", ["nan", "", None, "null", "-128.00"])
def test_a_thermometer_that_does_not_answer_costs_no_dust(value: object) -> None:
    said, remark = Decoder(Options()).decode(
        "airrohr/box",
        json.dumps(
            {
                "sensordatavalues": [
                    {"value_type": "SDS_P2", "value": "6.25"},
                    {"value_type": "temperature", "value": value},
                ]
            }
        ).encode(),
    )
    assert isinstance(said, Measurement)
    assert said.fields == {"pm25": 6.25}
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.what) == ("left out", "temperature")


def test_the_thermometer_in_the_case_does_not_stand_in_for_the_one_outside() -> None:
    values = [("SDS_P2", "6.25"), ("temperature", "nan"), ("BMP_temperature", "31.5")]
    said = _say([{"value_type": name, "value": value} for name, value in values])
    assert isinstance(said, Measurement)
    assert said.fields == {"pm25": 6.25}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("SCD30_co2_ppm", "co2", 812.0),
        ("MHZ16_CO2", "co2", 812.0),
        ("CCS811_VOC", "tvoc", 812.0),
        ("SCD30_temperature", "temperature", 812.0),
        ("BMX280_humidity", "relative_humidity", 8.12),
        ("NPM_N25", "particles_up_to_25", 812.0),
    ],
)
def test_parts_that_came_later_are_read(name: str, field: str, value: float) -> None:
    said = _say([{"value_type": "SDS_P2", "value": "1"}, {"value_type": name, "value": "812"}])
    assert isinstance(said, Measurement)
    assert said.fields == {"pm25": 1.0, field: value}


def test_what_a_ppd42ns_counts_is_no_mass() -> None:
    values = [("durP1", "12.5"), ("ratioP1", "0.04"), ("P1", "21.6"), ("P2", "0.62"), ("temperature", "20")]
    message = {"sensordatavalues": [{"value_type": name, "value": value} for name, value in values]}
    said, *remarks = Decoder(Options()).decode("airrohr/box", json.dumps(message).encode())
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 20.0}
    assert {one.what for one in remarks if isinstance(one, Remark)} == {"P1", "P2"}
