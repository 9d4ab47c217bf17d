"""Sensor.Community: texts that are numbers, and hostile ones that are not."""

import json

import pytest

from drivers.sensor_community import Decoder
from gateway.contract import Measurement, Options, Reject


def _say(values: object, **more: object) -> Measurement | Reject:
    message = json.dumps({"sensordatavalues": values, **more}).encode()
    (said,) = Decoder(Options()).decode("airrohr/box", message)
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
    ("chip", "name"), [({"esp8266id": "77"}, "77"), ({"esp8266id": 77}, "77"), ({"esp32id": "a1"}, "a1"), ({}, "box")]
)
def test_the_chip_names_the_sensor_or_else_the_topic(chip: dict[str, object], name: str) -> None:
    said = _say([{"value_type": "P1", "value": "1"}], **chip)
    assert isinstance(said, Measurement)
    assert said.sensor == name


@pytest.mark.parametrize("value", ["", "nan", "inf", "1e999", "x", True, [], {}, "9" * 400])
def test_what_is_no_number_is_rejected_by_name(value: object) -> None:
    said = _one("P1", value)
    assert isinstance(said, Reject)
    assert (said.reason, said.detail) == ("range", "P1 holds no value that it may have")


@pytest.mark.parametrize("values", [[1], [None], [[]], [{"value": "1"}], [{"value_type": 5, "value": "1"}]])
def test_a_list_of_something_else_is_rejected(values: object) -> None:
    said = _say(values)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize("chip", ["", "a\nb", None, [], "x" * 129])
def test_a_chip_that_is_no_name_is_rejected(chip: object) -> None:
    said = _say([{"value_type": "P1", "value": "1"}], esp8266id=chip)
    assert isinstance(said, Reject)
