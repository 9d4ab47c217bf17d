"""The SmartSensor HD; what it says in whole streams is in its recordings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.wavetronix_ss125 import Decoder, WavetronixSs125Options
from drivers.wavetronix_ss125.bodies import fixed16, fixed24, interval, moment, passage
from drivers.wavetronix_ss125.framing import (
    DATA,
    EVENT,
    GENERAL,
    INTERVAL,
    LONGEST,
    VERSION,
    Body,
    crc8,
    parse_body,
    question,
)
from gateway.contract import Measurement, Quality, Reject

MARCH = bytes.fromhex("000FD466 01DE0000")
"""6 March 2026, 07:30:00."""
LATER = bytes.fromhex("000FD466 01DE7800")
MARCH_NS = 1_772_782_200_000_000_000


def _decoder(**options: object) -> Decoder:
    return Decoder(WavetronixSs125Options.model_validate(options))


def _frame(body: bytes, source: int = 1) -> bytes:
    head = b"Z1\0\0\0\0" + source.to_bytes(2, "big") + bytes((1, len(body)))
    return head + bytes((crc8(head),)) + body + bytes((crc8(body),))


def _lane(packet: int, stamp: bytes = MARCH, *, volume: int = 5, occupancy: int = 0x1900, lanes: int = 2) -> bytes:
    counts = volume.to_bytes(3, "big") + occupancy.to_bytes(2, "big") + volume.to_bytes(3, "big") + bytes(9)
    body = bytes((INTERVAL, packet, 0, 0, 0, 9)) + stamp + bytes.fromhex("803200") + counts
    return _frame(body + bytes.fromhex("803C00 0007D0 0005DC") + bytes((lanes, 0)))


def _vehicle(stamp: bytes = MARCH, speed: str = "803200") -> bytes:
    body = bytes((EVENT, 1, 0)) + stamp + bytes.fromhex(f"00 1480 0000FA {speed} 01 0480")
    return _frame(body)


def _general(*, metric: int = 1) -> bytes:
    return _frame(bytes((GENERAL, 0, 0)) + b"NE".ljust(66) + b"4711".ljust(16) + bytes((metric,)))


def _read(decoder: Decoder, *frames: bytes) -> list[Measurement]:
    return [one for one in decoder.feed(b"".join(frames), 0) if isinstance(one, Measurement)]


# --- numbers


def test_the_crc_is_that_of_polynomial_1c() -> None:
    assert crc8(b"123456789") == 0xBC


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("80375E", 55.3671875),
        ("FFED40", -19.25),
        ("8043C0", 67.75),
        ("BFFF80", 16383.5),
        ("C00080", -16384.5),
        ("005123", None),
        ("000000", None),
    ],
)
def test_a_number_of_24_bits_is_valid_only_with_bit_23_and_its_fraction_has_its_sign(
    data: str, value: float | None
) -> None:
    assert fixed24(bytes.fromhex(data)) == value


def test_a_number_of_16_bits_has_no_sign() -> None:
    assert fixed16(bytes.fromhex("FF80")) == 255.5


@pytest.mark.parametrize(
    ("data", "time"),
    [
        ("000FC192 059182CE", 1482099452718000000),
        ("000FC180 059182CE", None),  # day 0
        ("000FC012 059182CE", None),  # month 0
        ("000FC192 061182CE", None),  # hour 24
        ("000FC192 05BC82CE", None),  # minute 60
        ("000FC192 0591F2CE", None),  # second 60
        ("000FC192 059183E8", None),  # 1000 ms
        ("000EF021 00000000", None),  # year 1912
        ("001FFF9F 00000000", None),  # year 4095
    ],
)
def test_an_impossible_date_or_time_is_none(data: str, time: int | None) -> None:
    assert moment(bytes.fromhex(data)) == time


@given(st.integers(0, 255), st.binary(min_size=42, max_size=42))
def test_no_numbers_in_a_body_raise(sub: int, data: bytes) -> None:
    interval(sub, data)
    passage(sub, data[:20])


# --- questions


def test_a_question_is_addressed_and_both_its_parts_are_checked() -> None:
    asked = question(0x0102, INTERVAL, bytes(3))
    assert asked.hex(" ") == f"5a 31 00 01 02 00 00 00 00 06 {crc8(asked[:10]):02x} 71 00 00 00 00 00 {asked[-1]:02x}"
    assert asked[-1] == crc8(asked[11:-1])
    assert question(1, EVENT)[9] == 3


def test_the_units_are_asked_for_until_they_are_known() -> None:
    decoder = _decoder()
    assert [decoder.poll()[11] for _ in range(3)] == [GENERAL] * 3
    decoder.feed(_general(), 0)
    asked = [decoder.poll()[11] for _ in range(65)]
    assert asked[0] == INTERVAL
    assert asked[1] == DATA
    assert asked[2] == VERSION
    assert asked.count(INTERVAL) > 55
    assert asked.count(GENERAL) > 1  # somebody may change them


def test_with_units_given_it_is_read_at_once() -> None:
    assert _decoder(units="metric").poll()[11] == INTERVAL
    assert _decoder(units="metric", data="events").poll()[11] == EVENT


@pytest.mark.parametrize("options", [{"address": 0}, {"address": 65536}, {"data": "both"}, {"clock": "controller"}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WavetronixSs125Options.model_validate(options)


# --- frames


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "length"),
        (bytes((EVENT, 1, crc8(bytes((EVENT, 1))))), "length"),
        (bytes((EVENT, 1, 0, 0x55)), "checksum"),
        (bytes((EVENT, 1, 0, crc8(bytes((EVENT, 1, 0))))), "unsupported"),  # no 20 bytes
        (bytes((0x71, 0, 2, 0, 15, crc8(bytes((0x71, 0, 2, 0, 15))))), "unsupported"),  # refused
        (bytes((0x99, 0, 0, 1, crc8(bytes((0x99, 0, 0, 1))))), "unsupported"),
    ],
)
def test_a_body_that_says_nothing_is_rejected_with_its_reason(body: bytes, reason: str) -> None:
    said = parse_body(body)
    assert isinstance(said, Reject)
    assert said.reason == reason


def test_a_refusal_says_of_what() -> None:
    (said,) = _decoder().feed(_frame(bytes((0x71, 0, 2, 0, 15))), 0)
    assert isinstance(said, Reject)
    assert said.detail == "message 71 is answered by 15: no such interval"


def test_a_header_that_is_damaged_is_told_and_its_size_not_believed() -> None:
    frame = bytearray(_general())
    frame[9] = 244
    said = list(_decoder().feed(bytes(frame) + _general(), 0))
    assert isinstance(said[0], Reject)
    assert said[0].reason == "checksum"
    assert isinstance(said[-1], Measurement)


def test_the_answer_of_a_neighbour_is_noise() -> None:
    decoder = _decoder(clock="sensor", address=1)
    assert _read(decoder, _frame(_general()[11:-1], source=2)) == []


def test_frames_are_no_longer_than_they_say() -> None:
    assert len(_frame(bytes(244))) == LONGEST


# --- intervals


def test_lanes_are_given_together_when_the_last_has_come() -> None:
    decoder = _decoder(clock="sensor", units="metric")
    assert _read(decoder, _lane(1)) == []
    lanes = _read(decoder, _lane(0))
    assert [one.tags for one in lanes] == [{"lane": "1"}, {"lane": "2"}]
    assert {one.time for one in lanes} == {MARCH_NS}
    assert lanes[0].fields == {
        "intensity": 5,
        **{f"intensity_class_{number}": 0 if number else 5 for number in range(4)},
        "occupancy": 0.25,
        "average_headway_time": 2.0,
        "average_gap_time": 1.5,
        "average_vehicle_speed": 50.0,
        "speed_85th_percentile": 60.0,
    }


def test_lanes_of_an_interval_with_a_lost_packet_are_given_when_the_next_begins_or_the_line_closes() -> None:
    decoder = _decoder(clock="sensor")
    (late,) = _read(decoder, _lane(1), _lane(0, LATER))
    assert (late.tags["lane"], late.time) == ("2", MARCH_NS)
    (last,) = decoder.finish()
    assert isinstance(last, Measurement)
    assert last.tags == {"lane": "1"}


def test_an_interval_told_again_has_the_same_key() -> None:
    decoder = _decoder(clock="sensor")
    first, again = (_read(decoder, _lane(0), _lane(1)) for _ in range(2))
    assert first == again
    assert {one.key for one in first} == {str(MARCH_NS)}


def test_by_our_clock_the_interval_found_first_is_passed_over_and_the_next_bears_our_time() -> None:
    decoder = _decoder()
    assert _read(decoder, *[_lane(0), _lane(1)] * 3) == []
    lanes = _read(decoder, _lane(0, LATER), _lane(1, LATER))
    assert [one.time for one in lanes] == [None, None]


def test_approaches_are_sums_and_are_left_out() -> None:
    body = _lane(0, lanes=1)[11:-2] + b"\1"
    approach = bytes((INTERVAL, 1)) + body[2:]
    lanes = _read(_decoder(clock="sensor"), _frame(body), _frame(approach))
    assert [one.tags for one in lanes] == [{"lane": "1"}]


@pytest.mark.parametrize("occupancy", [0x7FFF, 0x8001, 0xFFFF])
def test_an_occupancy_that_is_an_error_is_left_out(occupancy: int) -> None:
    (lane,) = _read(_decoder(clock="sensor"), _lane(0, lanes=1, occupancy=occupancy))
    assert "occupancy" not in lane.fields
    assert lane.fields["intensity"] == 5


def test_an_empty_lane_has_no_headway() -> None:
    (lane,) = _read(_decoder(clock="sensor"), _lane(0, lanes=1, volume=0))
    assert not {"average_headway_time", "average_gap_time"} & lane.fields.keys()


def test_speeds_are_left_out_while_the_units_are_not_known() -> None:
    (lane,) = _read(_decoder(clock="sensor"), _lane(0, lanes=1))
    assert "average_vehicle_speed" not in lane.fields


def test_miles_and_feet_are_converted_and_a_change_of_the_units_is_followed() -> None:
    decoder = _decoder(clock="sensor")
    speeds = []
    for metric in (0, 1):
        lanes = _read(decoder, _general(metric=metric), _lane(0, lanes=1))
        speeds.append(lanes[-1].fields["average_vehicle_speed"])
    assert speeds == [80.47, 50.0]


def test_given_units_are_not_overruled() -> None:
    lanes = _read(_decoder(clock="sensor", units="imperial"), _general(metric=1), _lane(0, lanes=1))
    assert lanes[-1].fields["average_vehicle_speed"] == 80.47


@pytest.mark.parametrize("frame", [_lane(2), _lane(0, lanes=0), _lane(0, bytes(8)), _general(metric=2)])
def test_what_cannot_be_is_out_of_range(frame: bytes) -> None:
    (said,) = _decoder(clock="sensor").feed(frame, 0)
    assert isinstance(said, Reject)
    assert said.reason == "range"


def test_the_length_of_its_intervals_goes_with_them_once_it_is_known() -> None:
    decoder = _decoder(clock="sensor")
    (lane,) = _read(decoder, _frame(bytes((DATA, 0, 0, 0, 30)) + bytes(23)), _lane(0, lanes=1))
    assert lane.fields["period"] == 30.0


# --- vehicles


def test_a_vehicle_bears_its_lane_and_class() -> None:
    decoder = _decoder(clock="sensor", data="events", units="metric")
    (vehicle,) = _read(decoder, _vehicle())
    assert vehicle.tags == {"lane": "1", "vehicle_class": "1"}
    assert vehicle.time == MARCH_NS
    assert vehicle.fields == {
        "intensity": 1,
        "presence_time": 0.25,
        "average_vehicle_length": 4.5,
        "average_vehicle_speed": 50.0,
    }


def test_a_vehicle_without_a_speed_has_none() -> None:
    (vehicle,) = _read(_decoder(data="events", units="metric"), _vehicle(speed="003200"))
    assert "average_vehicle_speed" not in vehicle.fields


def test_vehicles_that_waited_nobody_knows_how_long_are_marked() -> None:
    decoder = _decoder(data="events", units="metric")
    none = _frame(bytes((EVENT, 0, 0)) + bytes(20))
    waited, fresh = _read(decoder, _vehicle(), none, _vehicle(LATER))
    assert (waited.quality, fresh.quality) == (Quality.ESTIMATED_TIME, Quality.GOOD)


def test_by_its_own_clock_no_vehicle_waited() -> None:
    (vehicle,) = _read(_decoder(data="events", clock="sensor"), _vehicle())
    assert vehicle.quality == Quality.GOOD


def test_a_vehicle_at_no_time_is_out_of_range() -> None:
    (said,) = _decoder(data="events").feed(_vehicle(bytes(8)), 0)
    assert isinstance(said, Reject)
    assert said.reason == "range"


def test_a_body_keeps_what_is_needed_of_it() -> None:
    found: Any = parse_body(_vehicle()[11:])
    assert isinstance(found, Body)
    assert (found.message, found.sub, len(found.data)) == (EVENT, 1, 20)
