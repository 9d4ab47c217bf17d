"""Houston Radar DR-500: packets, units, and what it is asked when."""

from binascii import crc_hqx

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.houston_dr500 import (
    LONGEST,
    Code,
    Decoder,
    HoustonDr500Options,
    Packet,
    about,
    crc,
    frames,
    packet,
    parse,
    variable,
)
from gateway.contract import Measurement, Reject

KMH, MPH = packet(Code.VARIABLE, b"\0UN\1\0"), packet(Code.VARIABLE, b"\0UN\0\0")
SPEED = packet(Code.ASK_SPEED)


def _decoder(**options: object) -> Decoder:
    return Decoder(HoustonDr500Options.model_validate(options))


def _fields(decoder: Decoder, data: bytes) -> list[dict[str, object]]:
    return [dict(one.fields) for one in decoder.feed(data, 0) if isinstance(one, Measurement)]


def test_the_check_is_the_catalogue_s_xmodem() -> None:
    assert crc(b"123456789") == 0x31C3


def test_the_check_goes_low_byte_first() -> None:
    assert packet(Code.ASK_SPEED) == bytes.fromhex("F3 31 72 26 FC")
    assert crc(b"\x31") == 0x2672


@pytest.mark.parametrize(("byte", "escaped"), [(0xF3, "FA 03"), (0xFA, "FA 0A"), (0xFC, "FA 0C")])
def test_marks_within_a_packet_are_escaped(byte: int, escaped: str) -> None:
    packed = packet(Code.SPEED, bytes((byte,)))
    assert packed[2:4] == bytes.fromhex(escaped)
    assert parse(packed) == Packet(Code.SPEED, bytes((byte,)), packed)


def test_the_check_itself_is_escaped_too() -> None:
    data = next(
        two
        for two in (bytes((a, b)) for a in range(256) for b in range(256))
        if crc_hqx(b"\x19" + two, 0) >> 8 == 0xFC
    )
    packed = packet(Code.VARIABLE, data)
    assert packed.endswith(b"\xfa\x0c\xfc")
    assert parse(packed) == Packet(Code.VARIABLE, data, packed)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=100)), max_size=5))
def test_what_is_packed_is_found_again(packets: list[tuple[int, bytes]]) -> None:
    found = list(frames().feed(b"".join(packet(code, data) for code, data in packets)))
    assert [(one.code, one.data) for one in found if isinstance(one, Packet)] == packets
    assert len(found) == len(packets)


def test_a_packet_without_an_end_does_not_hide_the_next_one() -> None:
    found = [one for one in frames().feed(b"\xf3\x32\x2d" + SPEED) if isinstance(one, Packet)]
    assert [one.code for one in found] == [Code.ASK_SPEED]


def test_nothing_is_waited_for_beyond_the_longest_packet() -> None:
    decoder = _decoder()
    decoder.feed(MPH, 0)
    assert _fields(decoder, b"\xf3" + bytes(LONGEST) + packet(Code.SPEED, b"\x2d"))


@pytest.mark.parametrize(("unit", "kmh"), [(0, 72.42), (1, 45.0), (2, 49.38), (3, 162.0)])
def test_speeds_are_in_the_unit_that_the_radar_names(unit: int, kmh: float) -> None:
    decoder = _decoder()
    decoder.feed(packet(Code.VARIABLE, b"\0UN" + bytes((unit, 0))), 0)
    assert _fields(decoder, packet(Code.SPEED, b"\x2d")) == [{"average_vehicle_speed": kmh}]


@pytest.mark.parametrize("unit", [b"", packet(Code.VARIABLE, b"\0UN\7\0"), packet(Code.VARIABLE, b"\1UN\1\0")])
def test_a_speed_whose_unit_is_not_known_is_refused(unit: bytes) -> None:
    (said,) = _decoder().feed(unit + packet(Code.SPEED, b"\x2d"), 0)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


def test_a_unit_that_somebody_changes_is_followed() -> None:
    decoder = _decoder()
    decoder.feed(MPH + KMH, 0)
    assert _fields(decoder, packet(Code.SPEED, b"\x2d")) == [{"average_vehicle_speed": 45.0}]


def test_nobody_is_an_event_and_needs_no_unit() -> None:
    assert _fields(_decoder(), packet(Code.SPEED, b"\0")) == [{"event": "no_target"}]


def test_a_setting_that_is_refused_is_told_and_one_that_is_taken_is_not() -> None:
    decoder = _decoder()
    assert list(decoder.feed(packet(Code.STATUS, b"\4\0"), 0)) == []
    (said,) = decoder.feed(packet(Code.STATUS, b"\xfe\xff"), 0)
    assert isinstance(said, Reject)
    assert "-2" in said.detail


@pytest.mark.parametrize("code", [0x2B, 0x2D, 0x20, 0x32])
def test_a_message_of_another_layout_is_no_reading(code: int) -> None:
    (said,) = _decoder().feed(packet(code, b"\1\2\3"), 0)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


def test_it_says_who_it_is_and_what_it_leaves_out_is_left_out() -> None:
    assert about(b"REV=2.61\r\nTYPE=TRAFFIC\r\n") == {"firmware_version": "2.61", "hardware_version": "TRAFFIC"}
    assert about(b"REV=\nnonsense\n\xff=\xfe") == {}


def test_nothing_is_set_unless_the_options_say_so() -> None:
    assert list(_decoder().start()) == [variable("UN"), variable("TA"), packet(Code.ABOUT)]
    assert next(iter(_decoder(average="10s").start())) == packet(Code.SET, b"\0TA\x0a\0")


def test_the_unit_is_asked_for_again_and_again_and_who_it_is_until_it_told() -> None:
    decoder = _decoder()
    decoder.feed(packet(Code.ABOUT, b"REV=1\n"), 0)
    asked = [decoder.poll() for _ in range(400)]
    assert asked.count(variable("UN")) >= 3
    assert packet(Code.ABOUT) not in asked
    assert asked.count(SPEED) > 380


def test_an_average_over_no_time_is_refused() -> None:
    with pytest.raises(ValidationError):
        HoustonDr500Options.model_validate({"average": "0s"})
