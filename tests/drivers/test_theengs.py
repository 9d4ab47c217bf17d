"""Bluetooth sensors by Theengs: what a temperature is of, values that are none, and hostile messages."""

import json
from typing import Any

import pytest

from drivers.theengs import Decoder
from gateway.contract import Measurement, Options, Reject, Remark


def _say(**parts: Any) -> list[Measurement | Reject | Remark]:  # noqa: ANN401 -- JSON may hold anything
    message = {"id": "AA:BB", "rssi": -70, "model_id": "X", "type": "THB", **parts}
    return list(Decoder(Options()).decode("home/gateway/BTtoMQTT/AABB", json.dumps(message).encode()))


@pytest.mark.parametrize("kind", ["THB", "THBX", "AIR", "ACEL", "PLANT", "CTMO"])
def test_the_temperature_of_such_a_sensor_is_the_airs(kind: str) -> None:
    (said,) = _say(type=kind, tempc=20.5)
    assert isinstance(said, Measurement)
    assert said.fields["temperature"] == 20.5


@pytest.mark.parametrize("kind", ["BBQ", "TIRE", "BODY", "SCALE", "BCON", "UNIQ"])
def test_the_temperature_of_meat_or_a_tyre_is_left_alone(kind: str) -> None:
    (said,) = _say(type=kind, tempc=70)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


@pytest.mark.parametrize(
    ("name", "value"), [("tempc", -163.84), ("tempc", 163.835), ("hum", 163.8375), ("pres", 1155.35)]
)
def test_what_no_air_can_be_is_left_out(name: str, value: float) -> None:
    said = _say(**{"co2": 450, name: value})
    assert isinstance(said[0], Measurement)
    assert said[0].fields == {"rssi": -70.0, "co2": 450.0}
    assert [one.what for one in said if isinstance(one, Remark)] == [name]


def test_formaldehyde_is_in_milligrams() -> None:
    (said,) = _say(**{"for": 0.03})
    assert isinstance(said, Measurement)
    assert said.fields["ch2o"] == 30.0


@pytest.mark.parametrize("value", [None, "", "warm", True, [], {}])
def test_one_value_without_sense_does_not_cost_the_others(value: object) -> None:
    said = _say(tempc=value, hum=50)
    assert isinstance(said[0], Measurement)
    assert said[0].fields == {"rssi": -70.0, "relative_humidity": 0.5}


def test_a_message_without_a_model_was_not_decoded() -> None:
    payload = json.dumps({"id": "AA:BB", "rssi": -70, "servicedata": "fe00"}).encode()
    (said,) = Decoder(Options()).decode("home/gateway/BTtoMQTT/AABB", payload)
    assert isinstance(said, Reject)
    assert "did not decode" in said.detail


@pytest.mark.parametrize("identity", [None, "", [], "a\x00"])
def test_a_sensor_without_a_name_is_rejected(identity: object) -> None:
    (said,) = _say(id=identity, tempc=20)
    assert isinstance(said, Reject)
    assert said.detail == "no name of a sensor"
