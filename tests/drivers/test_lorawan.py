"""LoRaWAN payloads without an envelope: where the parts are, and how they are written."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.lorawan import DRIVER
from gateway.contract import Measurement, Reject, Uplink

PAYLOAD = bytes.fromhex("016700eb")


def say(payload: bytes, topic: str = "lorawan/bay-17/2", **options: object) -> Measurement | Reject | Uplink:
    decoder: Any = DRIVER.decoder(DRIVER.options.model_validate(options))
    (said,) = decoder.decode(topic, payload)
    assert isinstance(said, Measurement | Reject | Uplink)
    return said


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("hex", b"016700eb"),
        ("hex", b"01 67 00 EB\r\n"),
        ("hex", b"01:67:00:eb"),
        ("hex", b"01-67-00-EB"),
        ("hex", b"0x016700EB"),
        ("hex", b"0x01 0x67 0x00 0xEB"),
        ("base64", b"AWcA6w=="),
        ("base64", b"AWcA6w==\n"),
        ("base64", b"AWcA6w"),
        ("bytes", PAYLOAD),
    ],
)
def test_a_payload_may_be_written_in_several_ways(encoding: str, written: bytes) -> None:
    assert say(written, encoding=encoding) == Uplink("bay-17", 2, PAYLOAD, None, None, None, {})


@pytest.mark.parametrize(
    ("encoding", "written"), [("hex", b"AWcA6w=="), ("base64", b"0167!"), ("base64", b"AW cA"), ("hex", b"")]
)
def test_what_is_written_in_another_way_is_noise(encoding: str, written: bytes) -> None:
    said = say(written, encoding=encoding)
    assert isinstance(said, Reject)
    assert said.reason == "noise"


def test_a_payload_longer_than_any_is_refused() -> None:
    said = say(bytes(256), encoding="bytes")
    assert isinstance(said, Reject)
    assert said.reason == "length"


def test_with_a_codec_for_all_devices_a_payload_is_a_reading() -> None:
    said = say(b"016700eb", topic="bridge/bay-17", sensor="topic:1", port=2, codec="cayenne_lpp")
    assert said == Measurement("air_quality", {"temperature": 23.5}, "bay-17")


def test_the_options_of_that_codec_are_its_own() -> None:
    with pytest.raises(ValidationError, match="codec_options: Extra inputs are not permitted"):
        DRIVER.options.model_validate({"codec": "cayenne_lpp", "codec_options": {"colour": "red"}})


def test_a_codec_that_there_is_not_is_told_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match="no codec is called 'cayene_lpp'; did you mean 'cayenne_lpp'"):
        DRIVER.options.model_validate({"codec": "cayene_lpp"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sensor": "deveui"}, "a path needs payload"),
        ({"port": "fport"}, "a path needs payload"),
        ({"sensor": "topic:last"}, "write a topic level as"),
        ({"port": 300}, "from 0 to 255"),
        ({"payload": "data", "encoding": "bytes"}, "JSON holds no bytes"),
        ({"codec_options": {"a": 1}}, "no codec is set"),
    ],
)
def test_options_that_can_never_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DRIVER.options.model_validate(options)


@pytest.mark.parametrize("topic", ["lorawan", "lorawan//2", "2"])
def test_a_topic_that_names_no_device_is_told(topic: str) -> None:
    said = say(b"016700eb", topic=topic, port=1)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"
    assert "-2" in said.detail
