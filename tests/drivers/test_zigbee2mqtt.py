"""Zigbee2MQTT: retained words, units that depend on what stands beside them, and hostile messages."""

import json

import pytest

from drivers.zigbee2mqtt import DRIVER, Decoder, Zigbee2MqttOptions
from gateway.contract import Measurement, Reject, Remark


def _say(message: object, topic: str = "zigbee2mqtt/hall", base: str = "zigbee2mqtt") -> Measurement | Reject:
    said, *_ = Decoder(Zigbee2MqttOptions(base=base)).decode(topic, json.dumps(message).encode())
    assert isinstance(said, Measurement | Reject)
    return said


@pytest.mark.parametrize("seen", [1772345228123, "2026-03-01T06:07:08.123Z", "2026-03-01T08:07:08.123+02:00"])
def test_a_retained_reading_said_again_has_its_own_time(seen: object) -> None:
    said = _say({"co2": 600, "last_seen": seen})
    assert isinstance(said, Measurement)
    assert said.time == 1772345228_123000000


@pytest.mark.parametrize("seen", ["yesterday", "", 0, -1, [], True, 10**30])
def test_a_last_seen_that_is_no_time_is_rejected(seen: object) -> None:
    said = _say({"co2": 600, "last_seen": seen})
    assert isinstance(said, Reject)
    assert said.detail == "last_seen is no time"


def test_a_voltage_without_a_battery_is_the_mains() -> None:
    mains, battery = _say({"co2": 600, "voltage": 230}), _say({"co2": 600, "voltage": 2995, "battery": 80})
    assert isinstance(mains, Measurement)
    assert isinstance(battery, Measurement)
    assert "battery_voltage" not in mains.fields
    assert battery.fields["battery_voltage"] == 2.995


@pytest.mark.parametrize("name", ["occupancy", "presence"])
@pytest.mark.parametrize("occupancy", [True, False])
def test_what_a_motion_sensor_calls_occupancy_is_motion(name: str, occupancy: object) -> None:
    said = _say({name: occupancy, "battery": 80})
    assert isinstance(said, Measurement)
    assert said.fields == {"motion": int(bool(occupancy)), "battery_level": 0.8}


@pytest.mark.parametrize("message", [{"illuminance": 16994, "illuminance_lux": 49}, {"illuminance": 49}])
def test_illuminance_is_raw_only_beside_lux(message: object) -> None:
    said = _say(message)
    assert isinstance(said, Measurement)
    assert said.fields == {"illuminance": 49.0}


@pytest.mark.parametrize("topic", ["zigbee2mqtt/bridge/info", "zigbee2mqtt/hall/availability", "zigbee2mqtt/a/b/set"])
def test_what_the_bridge_says_beside_states_is_no_reading(topic: str) -> None:
    said = _say({"co2": 600}, topic)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


def test_another_base_topic_may_be_set() -> None:
    assert isinstance(_say({"co2": 600}, "home/zigbee/hall", "home/zigbee"), Measurement)
    assert isinstance(_say({"co2": 600}, "other/hall"), Reject)


@pytest.mark.parametrize("message", [{"co2": "x"}, {"co2": True}, {"battery_low": 2}, {"linkquality": 1.5}])
def test_what_is_no_value_of_its_kind_is_rejected(message: object) -> None:
    said = _say(message)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize(
    ("name", "value"), [("pressure", True), ("battery", ""), ("linkquality", 1.5), ("pm25", "nan")]
)
def test_one_value_that_is_none_costs_no_other(name: str, value: object) -> None:
    message = json.dumps({"temperature": 22.4, name: value}).encode()
    said, remark = Decoder(Zigbee2MqttOptions()).decode("zigbee2mqtt/seat", message)
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 22.4}
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.what) == ("left out", name)


def test_a_co2_that_no_air_has_is_beyond_the_bounds_that_are_checked() -> None:
    bound = {one.name: one.low for one in DRIVER.fields}["co2"]
    assert bound is not None
    assert 1 < bound < 400


def test_what_was_never_heard_is_null_and_no_matter() -> None:
    message = json.dumps({"temperature": 22.4, "co2": None, "battery": None}).encode()
    (said,) = Decoder(Zigbee2MqttOptions()).decode("zigbee2mqtt/hall", message)
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 22.4}


@pytest.mark.parametrize("degrees", [-327.68, -273.2, -1000])
def test_what_is_colder_than_can_be_is_left_out(degrees: float) -> None:
    message = json.dumps({"temperature": degrees, "co2": 600}).encode()
    said, remark = Decoder(Zigbee2MqttOptions()).decode("zigbee2mqtt/hall", message)
    assert isinstance(said, Measurement)
    assert said.fields == {"co2": 600.0}
    assert isinstance(remark, Remark)
    assert remark.what == "temperature"
