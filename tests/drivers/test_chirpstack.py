"""ChirpStack: what its envelopes leave out, and what hostile ones put in."""

import json
from typing import Any

import pytest

from drivers.chirpstack import Decoder
from drivers.common.times import nanoseconds
from gateway.contract import Options, Reject, Uplink

EUI = "70b3d57ed0041234"


def _say(event: str, payload: bytes) -> Uplink | Reject:
    (said,) = Decoder(Options()).decode(f"application/1/device/{EUI}/event/{event}", payload)
    assert isinstance(said, Uplink | Reject)
    return said


def _up(**parts: Any) -> Uplink | Reject:  # noqa: ANN401 -- JSON may hold anything
    return _say("up", json.dumps({"deviceInfo": {"devEui": EUI}, **parts}).encode())


def _uplink(**parts: Any) -> Uplink:  # noqa: ANN401 -- the same
    said = _up(**parts)
    assert isinstance(said, Uplink), said
    return said


def test_what_is_left_out_is_zero() -> None:
    assert _uplink() == Uplink(EUI, 0, b"", None, None, None, {"frame_counter": 0})


def test_the_identity_is_lower_case() -> None:
    assert _uplink(deviceInfo={"devEui": EUI.upper()}).sensor == EUI


def test_v3_writes_the_identity_in_base64_and_calls_things_otherwise() -> None:
    message = {"devEUI": "cLPVftAEEjQ=", "data": "AQ==", "rxInfo": [{"rssi": -48, "loRaSNR": 9}]}
    said = _say("up", json.dumps(message).encode())
    assert said == Uplink(EUI, 0, b"\x01", None, None, None, {"frame_counter": 0, "rssi": -48.0, "snr": 9.0})


def test_the_gateway_that_heard_it_loudest_gives_the_radio_fields() -> None:
    receptions = [{"rssi": -103, "snr": 9}, {"rssi": -71, "snr": -2.5}, {"rssi": -80, "snr": 10}, {"snr": 12}]
    assert _uplink(rxInfo=receptions).fields == {"frame_counter": 0, "rssi": -71.0, "snr": -2.5}


@pytest.mark.parametrize("receptions", [None, [], {}, "x", 5, [1, None, []], [{"rssi": "-71"}], [{"location": {}}]])
def test_without_a_sound_reception_there_are_no_radio_fields(receptions: object) -> None:
    assert _uplink(rxInfo=receptions).fields == {"frame_counter": 0}


def test_the_object_of_the_servers_codec_is_passed_on() -> None:
    assert _uplink(object={"occupied": True, "temperature": 21.0}).object == {"occupied": True, "temperature": 21.0}


def test_the_time_is_kept_to_the_nanosecond() -> None:
    assert _uplink(time="2022-07-18T09:34:15.775023242+00:00").time == 1658136855_775023242


@pytest.mark.parametrize("time", [None, 5, "", "yesterday", "0001-01-01T00:00:00Z", "2022-13-01T00:00:00Z", []])
def test_a_time_nobody_can_vouch_for_is_left_to_the_time_of_arrival(time: object) -> None:
    assert _uplink(time=time).time is None


@pytest.mark.parametrize(
    "parts",
    [
        {"data": "q"},
        {"data": "qg=="[:3]},
        {"data": "q g=="},
        {"data": "ž==="},
        {"data": 5},
        {"data": ["qg=="]},
        {"fPort": "x"},
        {"fPort": 256},
        {"fPort": -1},
        {"fPort": 1.5},
        {"fPort": True},
        {"object": [1]},
        {"objectJSON": "{"},
        {"objectJSON": 5},
        {"deviceInfo": None},
        {"deviceInfo": "70b3d57ed0041234"},
        {"deviceInfo": {}},
        {"deviceInfo": {"devEui": 5}},
        {"deviceInfo": {"devEui": "70b3d57ed004123"}},
        {"deviceInfo": {"devEui": "70b3d57ed00 1234"}},
        {"deviceInfo": {"devEui": "70b3d57ed00\u0664\u0664\u0664\u0664\u0664"}},
    ],
    ids=str,
)
def test_a_part_of_the_wrong_kind_is_rejected_by_name(parts: dict[str, object]) -> None:
    said = _up(**parts)
    assert isinstance(said, Reject)
    assert said.reason == "range"
    assert said.detail


@pytest.mark.parametrize("payload", [b"[]", b"5", b'"up"', b"null", b"{}", b'{"speed":5}'])
def test_json_that_is_no_envelope_is_not_ours(payload: bytes) -> None:
    said = _say("up", payload)
    assert isinstance(said, Reject)
    assert said.reason == "noise"


@pytest.mark.parametrize("event", ["join", "ack", "txack", "log", "location", "integration", "invented", ""])
def test_events_without_a_reading_are_told_apart_from_noise(event: str) -> None:
    said = _say(event, json.dumps({"deviceInfo": {"devEui": EUI}}).encode())
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"
    assert event in said.detail


def test_a_log_event_says_what_the_server_complains_about() -> None:
    message = {"deviceInfo": {"devEui": EUI}, "level": "WARNING", "code": "UPLINK_F_CNT_RESET", "description": ["x"]}
    said = _say("log", json.dumps(message).encode())
    assert isinstance(said, Reject)
    assert said.detail == "log WARNING UPLINK_F_CNT_RESET"


def test_a_status_is_a_battery_level_and_nothing_for_a_codec() -> None:
    message = {"deviceInfo": {"devEui": EUI}, "margin": 10, "batteryLevel": 88.3}
    assert _say("status", json.dumps(message).encode()) == Uplink(
        EUI, None, b"", None, None, None, {"battery_level": 0.883}
    )


@pytest.mark.parametrize("part", ["externalPowerSource", "batteryLevelUnavailable"])
def test_a_device_that_knows_no_battery_level_has_none(part: str) -> None:
    said = _say("status", json.dumps({"deviceInfo": {"devEui": EUI}, part: True}).encode())
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("2022-07-18T09:34:15.775023242+00:00", 1658136855_775023242),
        ("2022-07-18T11:34:15.775023242+02:00", 1658136855_775023242),
        ("2022-07-18t04:04:15.775023242-05:30", 1658136855_775023242),
        ("2022-07-18 09:34:15z", 1658136855_000000000),
        ("2022-07-18T09:34:15.5Z", 1658136855_500000000),
        ("2022-07-18T09:34:15.7750232429999Z", 1658136855_775023242),
        ("2016-12-31T23:59:60Z", 1483228800_000000000),
        ("2024-02-29T00:00:00Z", 1709164800_000000000),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
        ("2262-04-11T23:47:16.854775808Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("2023-02-29T00:00:00Z", None),
        ("2022-07-18T24:00:00Z", None),
        ("2022-07-18T09:34:15", None),
        ("2022-07-18T09:34:15.Z", None),
        ("2022-07-18T09:34:15+24:00", None),
        ("2022-07-18T09:34:15Z\n", None),
        ("٢٠٢٢-07-18T09:34:15Z", None),
        (1658136855, None),
    ],
)
def test_times_are_read_exactly_or_not_at_all(text: object, expected: int | None) -> None:
    assert nanoseconds(text) == expected
