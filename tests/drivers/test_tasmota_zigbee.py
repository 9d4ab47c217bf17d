"""Tasmota's Zigbee bridge: names that stay and addresses that do not, options, and hostile messages."""

import json

import pytest

from drivers.tasmota import Decoder, TasmotaOptions
from gateway.contract import Measurement, Reject, Remark


def _say(message: object, topic: str = "tele/bridge/SENSOR") -> list[Measurement | Reject | Remark]:
    return list(Decoder(TasmotaOptions()).decode(topic, json.dumps(message).encode()))


def _device(**parts: object) -> dict[str, object]:
    return {"ZbReceived": {"0xF2B0": {"Device": "0xF2B0", "Endpoint": 1, **parts}}}


def _sensors(message: object, topic: str = "tele/bridge/SENSOR") -> list[str | None]:
    return [one.sensor for one in _say(message, topic) if isinstance(one, Measurement)]


def test_a_message_of_a_bridge_needs_no_time() -> None:
    assert _say(_device(Name="Out", Temperature=7.5)) == [Measurement("air_quality", {"temperature": 7.5}, "Out")]


@pytest.mark.parametrize("name", [None, "", 5])
def test_a_device_without_a_name_is_the_bridges_own(name: object) -> None:
    assert _sensors(_device(Name=name, Temperature=7.5)) == ["bridge/0xF2B0"]
    assert _sensors(_device(Name=name, Temperature=7.5), "tele/bridge/F2B0/SENSOR") == ["bridge/0xF2B0"]


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        ({"0xF2B0": {"Device": "0xF2B0", "Name": "Out", "Temperature": 7.5, "Endpoint": 1}}, "tele/bridge/SENSOR"),
        ({"Out": {"Device": "0xF2B0", "Name": "Out", "Temperature": 7.5}}, "tele/bridge/ZbReceived"),
        (_device(Name="Out", Temperature1=7.5), "tele/bridge/SENSOR"),
        (_device(Name="Out", Temperature=7.5), "bridge/tele/SENSOR"),
    ],
)
def test_the_same_is_read_however_the_bridge_is_set(message: object, topic: str) -> None:
    assert _say(message, topic) == [Measurement("air_quality", {"temperature": 7.5}, "Out")]


def test_several_devices_in_one_message_are_told_apart() -> None:
    both = {"ZbReceived": {"0x01": {"Name": "a", "Temperature": 1}, "0x02": {"Name": "b", "Temperature": 2}}}
    assert _sensors(both) == ["a", "b"]


@pytest.mark.parametrize("value", [None, "", "warm", True, [], -999])
def test_one_value_without_sense_does_not_cost_the_others(value: object) -> None:
    said = _say(_device(Name="Out", Temperature=value, Humidity=50))
    assert said[0] == Measurement("air_quality", {"relative_humidity": 0.5}, "Out")
    assert [one.what for one in said if isinstance(one, Remark)] == ["Temperature"]


@pytest.mark.parametrize("parts", [{"Power": 1}, {"Dimmer": 20}, {"LinkQuality": 5}, {}, {"Illuminance": 220}])
def test_what_says_nothing_of_the_air_is_no_reading(parts: dict[str, object]) -> None:
    (said,) = _say(_device(**parts))
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


@pytest.mark.parametrize("inside", [None, [], "x", 5, {}])
def test_a_bridge_that_says_nothing_is_none(inside: object) -> None:
    (said,) = _say({"ZbReceived": inside})
    assert isinstance(said, Reject)
    assert said.reason == "noise"
