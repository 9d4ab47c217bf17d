"""Actility ThingPark: numbers in texts, and what hostile envelopes hold."""

import json
from typing import Any

import pytest

from drivers.actility import Decoder
from gateway.contract import Options, Reject, Uplink

EUI = "70b3d57ed0041234"


def _say(**parts: Any) -> Uplink | Reject:  # noqa: ANN401 -- JSON may hold anything
    message = {"DevEUI_uplink": {"DevEUI": EUI.upper(), **parts}}
    (said,) = Decoder(Options()).decode("anything", json.dumps(message).encode())
    assert isinstance(said, Uplink | Reject)
    return said


def test_numbers_are_read_as_texts_and_as_numbers() -> None:
    parts = {"FPort": 2, "FCntUp": 7, "LrrRSSI": -80, "LrrSNR": 7.5}
    assert _say(payload_hex="01", **parts) == _say(payload_hex="01", **{name: str(it) for name, it in parts.items()})


def test_the_local_offset_is_taken_off_the_time() -> None:
    said = _say(Time="2018-10-03T15:38:46.882+02:00")
    assert isinstance(said, Uplink)
    assert said.time == 1538573926_882000000


def test_the_same_counter_after_a_join_is_another_key() -> None:
    first, second = _say(FCntUp="1", Time="2018-10-03T15:38:46Z"), _say(FCntUp="1", Time="2018-10-04T15:38:46Z")
    assert isinstance(first, Uplink)
    assert isinstance(second, Uplink)
    assert first.key != second.key


@pytest.mark.parametrize("level", ["", "loud", "nan", "1e999", None, [], "inf"])
def test_a_level_that_is_none_is_left_out(level: object) -> None:
    said = _say(FCntUp="1", LrrRSSI=level)
    assert isinstance(said, Uplink)
    assert said.fields == {"frame_counter": 1}


@pytest.mark.parametrize(
    "parts",
    [{"payload_hex": "0"}, {"payload_hex": 5}, {"FPort": "256"}, {"FPort": "-1"}, {"DevEUI": "7"}],
    ids=str,
)
def test_a_part_of_the_wrong_kind_is_rejected(parts: dict[str, object]) -> None:
    said = _say(**parts)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize("payload", [b"[]", b"{}", b'"DevEUI_uplink"', b'{"DevEUI_a":1,"DevEUI_uplink":{}}'])
def test_json_that_is_no_envelope_is_not_ours(payload: bytes) -> None:
    (said,) = Decoder(Options()).decode("anything", payload)
    assert isinstance(said, Reject)
    assert said.reason == "noise"
