"""The Things Stack: what its envelopes leave out, and what hostile ones put in."""

import json
from typing import Any

import pytest

from drivers.ttn import Decoder
from gateway.contract import Measurement, Options, Reject, Remark, Uplink

EUI = "70b3d57ed0041234"
TOPIC = "v3/city@prehod/devices/spot-17/up"


def _say(**parts: Any) -> Uplink | Reject:  # noqa: ANN401 -- JSON may hold anything
    message = {"end_device_ids": {"dev_eui": EUI}, "received_at": "2026-03-01T06:07:08Z", "uplink_message": parts}
    (said,) = Decoder(Options()).decode(TOPIC, json.dumps(message).encode())
    assert isinstance(said, Uplink | Reject)
    return said


def _uplink(**parts: Any) -> Uplink:  # noqa: ANN401 -- the same
    said = _say(**parts)
    assert isinstance(said, Uplink), said
    return said


def test_a_missing_port_beside_a_payload_is_zero() -> None:
    assert (_uplink(frm_payload="gkHe").port, _uplink(frm_payload="gkHe").payload) == (0, b"\x82\x41\xde")


def test_a_frame_of_the_networks_own_commands_has_neither_port_nor_payload() -> None:
    said = _uplink(f_cnt=5)
    assert (said.port, said.payload, said.fields) == (None, b"", {"frame_counter": 5})


def test_the_counter_of_another_session_is_another_key() -> None:
    assert _uplink(session_key_id="A", f_cnt=1).key != _uplink(session_key_id="B", f_cnt=1).key
    assert _uplink(session_key_id="A", f_cnt=1).key == _uplink(session_key_id="A", f_cnt=1).key
    assert _uplink(f_cnt=1).key is None


def test_a_gateways_own_clock_is_not_believed() -> None:
    assert _uplink(settings={"time": "2031-01-01T00:00:00Z"}).time == 1772345228_000000000


@pytest.mark.parametrize(
    "parts",
    [
        {"frm_payload": "q"},
        {"frm_payload": 5},
        {"frm_payload": "gk\u0142e"},
        {"f_port": 256},
        {"f_port": -1},
        {"f_port": True},
        {"decoded_payload": [1]},
    ],
    ids=str,
)
def test_a_part_of_the_wrong_kind_is_rejected(parts: dict[str, object]) -> None:
    said = _say(**parts)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize("eui", [None, 5, "", "70b3d57ed004123", "x" * 16])
def test_a_device_without_an_identity_is_rejected(eui: object) -> None:
    message = {"end_device_ids": {"dev_eui": eui}, "uplink_message": {}}
    (said,) = Decoder(Options()).decode(TOPIC, json.dumps(message).encode())
    assert isinstance(said, Reject)
    assert said.detail == "no device EUI of 16 hex digits"


@pytest.mark.parametrize(("name", "value"), [("f_cnt", 2**32), ("f_cnt", "x"), ("decoded_payload", [1])])
def test_a_part_that_is_none_costs_no_payload(name: str, value: object) -> None:
    parts = {"frm_payload": "gkHe", "f_port": 2, "session_key_id": "A", name: value}
    message = {"end_device_ids": {"dev_eui": EUI}, "uplink_message": parts}
    uplink, remark = Decoder(Options()).decode(TOPIC, json.dumps(message).encode())
    assert isinstance(uplink, Uplink)
    assert (uplink.port, uplink.payload) == (2, b"\x82\x41\xde")
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.what) == ("left out", name)
    assert (uplink.key is None) == (name == "f_cnt")


@pytest.mark.parametrize("ids", [{"device_id": "spot-17"}, {"device_id": "spot-17", "dev_eui": ""}])
def test_a_device_without_an_eui_is_named_by_its_id(ids: dict[str, object]) -> None:
    message = {"end_device_ids": ids, "uplink_message": {"frm_payload": "gkHe"}}
    (said,) = Decoder(Options()).decode(TOPIC, json.dumps(message).encode())
    assert isinstance(said, Uplink)
    assert said.sensor == "spot-17"


def _normalized(payload: object, **parts: Any) -> list[Measurement | Remark]:  # noqa: ANN401 -- JSON may hold anything
    return list(_uplink(frm_payload="AA==", normalized_payload=payload, **parts).readings)


def test_a_normalized_payload_of_one_object_is_read_as_a_list_of_one() -> None:
    one = {"air": {"temperature": 20.5}}
    assert _normalized(one) == _normalized([one]) == [Measurement("air_quality", {"temperature": 20.5})]


def test_parts_of_one_moment_are_one_reading_and_two_probes_are_two() -> None:
    said = _normalized([{"air": {"temperature": 1}}, {"wind": {"speed": 2}}, {"air": {"temperature": 3}}])
    assert said == [
        Measurement("air_quality", {"temperature": 1.0, "wind_speed": 2.0}),
        Measurement("air_quality", {"temperature": 3.0}, tags={"probe": "2"}),
    ]


def test_an_object_whose_time_cannot_be_read_is_not_of_now() -> None:
    said = _normalized([{"time": "soon", "air": {"temperature": 1}}])
    assert said == [Remark("left out", "time", "'soon' is no time")]


@pytest.mark.parametrize("value", [None, "", "warm", True, [], {}])
def test_one_part_without_a_value_does_not_cost_the_others(value: object) -> None:
    said = _normalized([{"air": {"temperature": value, "co2": 450}}])
    assert Measurement("air_quality", {"co2": 450.0}) in said


def test_half_a_place_is_none() -> None:
    assert _normalized([{"position": {"latitude": 45}}]) == []


def test_the_readings_of_one_uplink_in_messages_of_their_own_are_not_each_others_repetition() -> None:
    keys = {}
    for temperature in (1, 2, 2):
        parts = {"session_key_id": "A", "normalized_payload": {"air": {"temperature": temperature}}}
        message = {"end_device_ids": {"dev_eui": EUI}, "uplink_normalized": parts}
        (said,) = Decoder(Options()).decode(f"{TOPIC}/normalized", json.dumps(message).encode())
        assert isinstance(said, Uplink)
        keys[said.key] = said.readings
    assert list(keys.values()) == [(Measurement("air_quality", {"temperature": n}),) for n in (1.0, 2.0)]


def test_a_payload_of_many_objects_is_bounded_and_says_so() -> None:
    said = _normalized([{"time": f"2026-03-01T{n // 60:02}:{n % 60:02}:00Z", "air": {"co2": n}} for n in range(300)])
    assert said[0] == Remark("left out", "normalized_payload", "44 of 300 objects")
    assert len(said) == 257


def test_a_reading_in_a_message_of_its_own_behind_its_uplink_is_a_repetition_of_that() -> None:
    decoder = Decoder(Options())

    def say(**said: object) -> Uplink:
        (uplink,) = decoder.decode(TOPIC, json.dumps({"end_device_ids": {"dev_eui": EUI}, **said}).encode())
        assert isinstance(uplink, Uplink)
        return uplink

    both = [{"air": {"temperature": 1}}, {"air": {"temperature": 2}}]
    about = {"session_key_id": "A", "f_cnt": 5}
    whole = say(uplink_message={**about, "normalized_payload": both})
    assert len(whole.readings) == 2
    assert [say(uplink_normalized={**about, "normalized_payload": one}) for one in both] == [whole, whole]
    later = say(uplink_normalized={**about, "f_cnt": 6, "normalized_payload": both[0]})
    assert later.key != whole.key
    assert len(later.readings) == 1
