"""LORIOT: what its envelopes leave out, and what hostile ones put in."""

import json
from typing import Any

import pytest

from drivers.loriot import Decoder
from gateway.contract import Options, Reject, Remark, Uplink

EUI = "70b3d57ed0041234"
SECOND = 10**9


def _say(**parts: Any) -> Uplink | Reject:  # noqa: ANN401 -- JSON may hold anything
    message = {"cmd": "rx", "EUI": EUI.upper(), "ts": 1772345228123, "fcnt": 7, "port": 2, "data": "0115", **parts}
    (said,) = Decoder(Options()).decode("anything", json.dumps(message).encode())
    assert isinstance(said, Uplink | Reject)
    return said


def _uplink(**parts: Any) -> Uplink:  # noqa: ANN401 -- the same
    said = _say(**parts)
    assert isinstance(said, Uplink), said
    return said


def test_rx_and_gw_of_one_frame_are_the_same_reading() -> None:
    first, again = _uplink(rssi=-90), _uplink(cmd="gw", gws=[{"rssi": -80, "snr": 3}])
    assert (first.key, first.time, first.payload) == (again.key, again.time, again.payload)


def test_the_same_counter_after_a_join_is_another_key() -> None:
    assert _uplink(ts=1772345228123).key != _uplink(ts=1772345999123).key


def test_the_loudest_gateway_gives_the_levels() -> None:
    said = _uplink(cmd="gw", rssi=-50, gws=[{"rssi": -104, "snr": -8}, {"rssi": -91, "snr": 8}])
    assert (said.fields["rssi"], said.fields["snr"]) == (-91.0, 8.0)


def test_a_basic_rx_has_no_levels() -> None:
    assert _uplink().fields == {"frame_counter": 7}


@pytest.mark.parametrize(("said", "level"), [(254, 1.0), (1, 0.0), (128, 0.502)])
def test_the_battery_is_a_share_of_254_steps(said: int, level: float) -> None:
    assert _uplink(bat=said).fields["battery_level"] == level


@pytest.mark.parametrize("said", [0, 255, None, "254", 256, -1, True])
def test_mains_and_a_level_that_is_not_known_are_no_battery(said: object) -> None:
    assert "battery_level" not in _uplink(bat=said).fields


@pytest.mark.parametrize("stamp", [1772345228123, 1772345228.123])
def test_a_time_is_in_milliseconds_or_in_seconds(stamp: float) -> None:
    assert _uplink(ts=stamp).time == 1772345228_123000000


@pytest.mark.parametrize("stamp", [None, "now", 0, -5, [], 1e30])
def test_a_time_that_is_none_is_left_to_the_time_of_arrival_and_there_is_no_key(stamp: object) -> None:
    said = _uplink(ts=stamp)
    assert (said.time, said.key) == (None, None)


@pytest.mark.parametrize("data", ["", "{", "[]", "5", '{"cmd": 5}'])
def test_a_wrapped_text_that_is_no_envelope_is_noise(data: str) -> None:
    payload = json.dumps({"type": "D", "tech": "L", "data": data}).encode()
    (said,) = Decoder(Options()).decode("loriot/cra", payload)
    assert isinstance(said, Reject)
    assert (said.reason, said.raw) == ("noise", payload)


@pytest.mark.parametrize(
    "parts",
    [{"data": "0"}, {"data": 5}, {"port": 256}, {"port": True}, {"EUI": "7"}],
    ids=str,
)
def test_a_part_of_the_wrong_kind_is_rejected(parts: dict[str, object]) -> None:
    said = _say(**parts)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize("counter", [-1, 2**32, None, "", "nan", []])
def test_a_counter_that_is_none_costs_no_payload_but_the_key(counter: object) -> None:
    message = {"cmd": "rx", "EUI": EUI, "ts": 1772345228123, "fcnt": counter, "port": 2, "data": "0115"}
    uplink, remark = Decoder(Options()).decode("anything", json.dumps(message).encode())
    assert isinstance(uplink, Uplink)
    assert (uplink.payload, uplink.key, uplink.fields) == (b"\x01\x15", None, {})
    assert isinstance(remark, Remark)
    assert remark.what == "fcnt"
