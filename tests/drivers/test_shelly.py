"""Shelly: statuses whole and in parts, probes, a battery that is none, and hostile notifications."""

import json
from typing import Any

import pytest

from drivers.shelly import Decoder
from gateway.contract import Measurement, Options, Reject, Remark

DEVICE = "shellyplusht-b8d61a0a0b0c"


def _decode(topic: str, message: object) -> list[Measurement | Reject | Remark]:
    return list(Decoder(Options()).decode(topic, json.dumps(message).encode()))


def _say(parts: dict[str, Any], **about: object) -> list[Measurement | Reject | Remark]:
    message = {"src": DEVICE, "method": "NotifyStatus", "params": {"ts": 1772345228.5, **parts}, **about}
    return _decode(f"{DEVICE}/events/rpc", message)


def _one(parts: dict[str, Any]) -> Measurement:
    (said,) = _say(parts)
    assert isinstance(said, Measurement), said
    return said


def test_a_device_on_usb_power_has_no_empty_battery() -> None:
    battery = {"battery": {"V": 0.43, "percent": 0}, "external": {"present": True}}
    assert _one({"humidity:0": {"rh": 50}, "devicepower:0": battery}).fields == {"relative_humidity": 0.5}


def test_a_battery_alone_is_said_of_the_device() -> None:
    assert _one({"devicepower:0": {"battery": {"V": 5.2, "percent": 80}}}).fields == {
        "battery_voltage": 5.2,
        "battery_level": 0.8,
    }


def test_the_temperature_of_a_relay_is_not_the_airs() -> None:
    (said,) = _say({"switch:0": {"output": True, "temperature": {"tC": 54.1}}})
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


def test_probes_at_an_add_on_are_told_apart_and_not_taken_for_the_air() -> None:
    said = _say({"temperature:100": {"tC": 4.5}, "humidity:100": {"rh": 60}, "temperature:101": {"tC": 5.5}})
    assert [(one.tags["probe"], dict(one.fields)) for one in said if isinstance(one, Measurement)] == [
        ("100", {"external_temperature": 4.5, "relative_humidity": 0.6}),
        ("101", {"external_temperature": 5.5}),
    ]


def test_a_second_part_in_the_device_is_told_apart_from_the_first() -> None:
    said = _say({"temperature:0": {"tC": 20}, "temperature:1": {"tC": 21}})
    assert [(dict(one.tags), dict(one.fields)) for one in said if isinstance(one, Measurement)] == [
        ({}, {"temperature": 20.0}),
        ({"probe": "1"}, {"temperature": 21.0}),
    ]


@pytest.mark.parametrize("value", [None, "", "nan", True, [], -999])
def test_one_part_that_cannot_be_read_does_not_cost_the_others(value: object) -> None:
    said = _say({"temperature:0": {"tC": value}, "humidity:0": {"rh": 50}})
    assert isinstance(said[0], Measurement)
    assert said[0].fields == {"relative_humidity": 0.5}
    assert [one.what for one in said if isinstance(one, Remark)] == ["temperature tC"]


@pytest.mark.parametrize("stamp", [0, 12.5, None, "now", []])
def test_a_clock_that_was_never_set_leaves_it_to_the_time_of_arrival(stamp: object) -> None:
    said = _say({"ts": stamp, "humidity:0": {"rh": 50}})
    assert [one.time for one in said if isinstance(one, Measurement)] == [None]
    assert [one.what for one in said if isinstance(one, Remark)] == ["ts"]


def test_a_part_by_itself_is_named_by_its_topic_and_has_no_time() -> None:
    assert _decode("city/roof/status/temperature:0", {"id": 0, "tC": 20.5}) == [
        Measurement("air_quality", {"temperature": 20.5}, "roof")
    ]


@pytest.mark.parametrize("topic", ["roof/status/mqtt", "roof/status/sys", "roof/events/rpc", "roof/debug/log"])
def test_what_is_no_status_is_not_ours(topic: str) -> None:
    (said,) = _decode(topic, {"connected": True})
    assert isinstance(said, Reject)
    assert said.reason == "noise"


@pytest.mark.parametrize("device", [None, "", 5.5, "a\x00"])
def test_a_device_without_a_name_is_rejected(device: object) -> None:
    (said,) = _say({"humidity:0": {"rh": 50}}, src=device)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize(
    "name", ["temperature:", "temperature:²", "temperature:-1", "temperature:1e3", "temperature"]
)
def test_a_part_without_a_number_is_none(name: str) -> None:
    (said,) = _say({name: {"tC": 20}})
    assert isinstance(said, Reject)
