"""Bosch TPS110: its messages, and the objects of the vendor's codec."""

from typing import Any

import pytest

from drivers.codecs.bosch_tps110 import debug_codes, decode, from_object
from gateway.contract import Measurement, Options, Reject

STARTUP = bytes.fromhex("24 03 00 00 75 03 00 00 00 00 00 00 00 1D 02 03 01")


def _fields(port: int, payload: bytes) -> dict[str, Any]:
    (said,) = decode(port, payload, Options())
    assert isinstance(said, Measurement), said
    assert said.kind == "parking"
    return dict(said.fields)


def _object(**said: object) -> Measurement | Reject:
    (read,) = from_object(said, Options())
    return read


@pytest.mark.parametrize(("byte", "occupied"), [(0x00, False), (0x01, True), (0xFE, False), (0xFF, True)])
def test_only_bit_0_says_occupied(byte: int, occupied: bool) -> None:
    assert _fields(1, bytes([byte])) == {"occupied": occupied, "event": "status"}


@pytest.mark.parametrize(("byte", "degrees"), [(0x15, 21.0), (0xFF, -1.0), (0x80, -128.0), (0x7F, 127.0)])
def test_a_heartbeat_may_carry_a_signed_temperature(byte: int, degrees: float) -> None:
    assert _fields(2, bytes([1, byte])) == {"occupied": True, "event": "heartbeat", "temperature": degrees}
    assert _fields(2, b"\x01") == {"occupied": True, "event": "heartbeat"}


def test_a_start_up_tells_firmware_cause_and_the_first_debug_code() -> None:
    assert _fields(3, STARTUP) == {
        "occupied": True,
        "event": "startup",
        "device_error": 804,
        "firmware_version": "0.29.2",
        "reset_cause": 3,
    }


def test_debug_codes_have_twelve_bits_little_endian_and_empty_ones_are_left_out() -> None:
    assert debug_codes(STARTUP) == [804, 885]
    assert debug_codes(bytes.fromhex("FF FF 00 00 00 00 00 00 01 10 00 00") + bytes(5)) == [0xFFF, 1]
    assert debug_codes(bytes(17)) == []


def test_a_start_up_without_codes_says_that_there_is_no_error() -> None:
    assert _fields(3, bytes(12) + STARTUP[12:])["device_error"] == 0


@pytest.mark.parametrize(("port", "size"), [(1, 0), (1, 2), (2, 0), (2, 3), (3, 16), (3, 18)])
def test_a_payload_of_another_length_is_damaged(port: int, size: int) -> None:
    (said,) = decode(port, bytes(size), Options())
    assert isinstance(said, Reject)
    assert said.reason == "length"


@pytest.mark.parametrize("port", [0, 4, 5, 6, 7, 85])
def test_other_ports_are_answers_to_questions_and_no_readings(port: int) -> None:
    (said,) = decode(port, b"\x01", Options())
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


def test_the_vendors_object_says_the_same_as_the_payload() -> None:
    assert [*decode(3, STARTUP, Options())] == [
        _object(
            type="startup",
            debugCodes=[804.0, 885.0],
            firmwareVersion="0.29.2",
            resetCause="system request",
            occupied=True,
        )
    ]
    assert [*decode(2, b"\x01\xff", Options())] == [_object(type="heartbeat", occupied=True, temperature=-1.0)]
    assert [*decode(1, b"\x00", Options())] == [_object(type="parking status", occupied=False)]


def test_a_reset_cause_the_vendors_codec_cannot_name_is_left_out() -> None:
    said = _object(type="startup", occupied=True, debugCodes=[])
    assert isinstance(said, Measurement)
    assert said.fields == {"occupied": True, "event": "startup", "device_error": 0}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({}, "unsupported"),
        ({"type": "device usage", "bytes": [1]}, "unsupported"),
        ({"type": ["heartbeat"], "occupied": True}, "unsupported"),
        ({"type": "heartbeat"}, "range"),
        ({"type": "heartbeat", "occupied": 2}, "range"),
        ({"type": "heartbeat", "occupied": "no"}, "range"),
    ],
)
def test_an_object_without_a_state_is_rejected(said: dict[str, object], reason: str) -> None:
    read = _object(**said)
    assert isinstance(read, Reject)
    assert read.reason == reason


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e300, 10**400, "21", None, [21]])
def test_odd_details_in_an_object_do_not_cost_the_state(odd: object) -> None:
    said = _object(
        type="startup", occupied=True, temperature=odd, debugCodes=odd, firmwareVersion=odd, resetCause=odd
    )
    assert isinstance(said, Measurement)
    assert said.fields["occupied"] is True


@pytest.mark.parametrize(("written", "occupied"), [(1, True), (0, False), (1.0, True), (0.0, False)])
def test_a_codec_may_write_yes_as_1(written: float, occupied: bool) -> None:
    assert _object(type="heartbeat", occupied=written) == _object(type="heartbeat", occupied=occupied)
