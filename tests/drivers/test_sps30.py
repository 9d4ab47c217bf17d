"""Sensirion SPS30: its quirks."""

from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.common.shdlc import Reply, command, length, parse, stuff, unstuff
from drivers.sps30 import CLEAN, DRIVER, READ, SERIAL, START, STATUS, VERSION, WAKE, Decoder, Sps30Options
from gateway.contract import Measurement, Quality, Reject

SECOND = 10**9
FLOATS = (5.25, 9.5, 12.75, 13.5, 26.25, 37.0, 41.5, 42.375, 42.5, 0.828125)
START_FLOATS = bytes.fromhex("7E 00 00 02 01 03 F9 7E")
READ_IT = bytes.fromhex("7E 00 03 00 FC 7E")


def _reply(code: int, data: bytes = b"", state: int = 0) -> bytes:
    body = bytes((0, code, state, len(data))) + data
    return b"\x7e" + stuff(body + bytes((~sum(body) & 0xFF,))) + b"\x7e"


READING = _reply(READ, pack(">10f", *FLOATS))
STARTED, RUNS_ALREADY = _reply(START), _reply(START, state=0x43)


def _decoder(**options: Any) -> Decoder:  # noqa: ANN401 -- as in a configuration file
    return Decoder(Sps30Options.model_validate(options))


def _qualities(decoder: Decoder, *seconds: float) -> list[Quality]:
    said = [one for now in seconds for one in decoder.feed(READING, int(now * SECOND))]
    return [one.quality for one in said if isinstance(one, Measurement)]


def test_a_reading_of_floats_has_the_digits_a_float_carries() -> None:
    (said,) = _decoder().feed(_reply(READ, pack(">10f", *FLOATS[:9], 0.1)), 0)
    assert isinstance(said, Measurement)
    assert list(said.fields.values()) == [*FLOATS[:9], 0.1]


def test_the_typical_size_is_in_nanometres_where_it_is_a_whole_number() -> None:
    (said,) = _decoder().feed(_reply(READ, pack(">10H", *range(1, 10), 828)), 0)
    assert isinstance(said, Measurement)
    assert said.fields["pm1"] == 1.0
    assert said.fields["typical_particle_size"] == 0.828


def test_an_answer_without_data_means_no_new_sample_and_nothing_is_said() -> None:
    assert _decoder().feed(_reply(READ), 0) == []


def test_zeros_are_no_reading_before_the_first_that_is_not_zero() -> None:
    decoder, zeros = _decoder(), _reply(READ, bytes(40))
    assert decoder.feed(zeros, 0) == [Reject("unsupported", zeros, "all zero: it is starting")]
    _, clean = [*decoder.feed(READING, 0), *decoder.feed(zeros, 0)]
    assert isinstance(clean, Measurement)


def test_it_is_woken_with_a_byte_before_and_started_because_power_brings_it_up_idle() -> None:
    assert list(_decoder().start()) == [bytes.fromhex("FF 7E 00 7D 31 00 EE 7E"), START_FLOATS]
    assert list(_decoder(output="integer").start())[1] == bytes.fromhex("7E 00 00 02 01 05 F7 7E")


def test_until_it_measures_it_is_started_and_woken_in_turn() -> None:
    decoder = _decoder()
    assert [decoder.poll() for _ in range(3)] == [START_FLOATS, WAKE, START_FLOATS]
    decoder.feed(STARTED, 0)
    assert decoder.poll() == READ_IT


def test_a_start_while_it_runs_is_refused_and_harmless() -> None:
    decoder = _decoder()
    assert decoder.feed(RUNS_ALREADY, 0) == []
    assert decoder.poll() == READ_IT
    assert _qualities(decoder, 1) == [Quality.GOOD], "it runs for long"


def test_a_wake_up_while_it_is_awake_is_refused_and_harmless() -> None:
    captured = bytes.fromhex("FE 7E 00 7D 31 43 00 AB 7E")
    (noise,) = _decoder().feed(captured, 0)
    assert noise == Reject("noise", b"\xfe", "1 byte that belongs to no frame")


def test_one_that_lost_its_power_is_started_again_and_doubted() -> None:
    decoder = _decoder()
    decoder.feed(RUNS_ALREADY + READING, 0)
    (said,) = decoder.feed(_reply(READ, state=0x43), SECOND)
    assert isinstance(said, Reject)
    assert said.detail == "command 03 refused with 43"
    assert decoder.poll() == START_FLOATS
    decoder.feed(STARTED, 2 * SECOND)
    assert _qualities(decoder, 3, 31.9, 32) == [Quality.WARM_UP, Quality.WARM_UP, Quality.GOOD]


def test_version_and_serial_number_are_asked_for_until_they_are_told_and_the_status_again_and_again() -> None:
    decoder = _decoder()
    decoder.feed(STARTED, 0)
    first = [decoder.poll() for _ in range(5)]
    assert first == [READ_IT, command(VERSION), command(SERIAL, b"\x03"), READ_IT, command(STATUS, b"\0")]
    said = decoder.feed(_reply(VERSION, bytes((2, 2, 0, 7, 0, 2, 0))) + _reply(SERIAL, b"8CCABCFAE3201F49\0"), 0)
    assert said == [
        Measurement("air_quality", {"firmware_version": "2.2"}),
        Measurement("air_quality", {"serial_number": "8CCABCFAE3201F49"}),
    ]
    later = [decoder.poll() for _ in range(300)]
    assert command(VERSION) not in later
    assert command(SERIAL, b"\x03") not in later
    assert later.count(command(STATUS, b"\0")) == 7


def test_old_firmware_that_knows_no_status_is_asked_for_it_once() -> None:
    decoder = _decoder()
    decoder.feed(STARTED, 0)
    (said,) = decoder.feed(_reply(STATUS, state=2), 0)
    assert isinstance(said, Reject)
    assert command(STATUS, b"\0") not in [decoder.poll() for _ in range(300)]


def test_an_error_in_its_status_marks_the_readings_and_a_warning_does_not() -> None:
    decoder = _decoder()
    flagged, warned = _reply(READ, pack(">10f", *FLOATS), state=0x80), _reply(STATUS, b"\x00\x20\x00\x00\x00")
    (said,) = decoder.feed(flagged, 0)
    assert isinstance(said, Measurement)
    assert said.quality == Quality.INCONSISTENT
    assert decoder.feed(warned, 0) == [Measurement("air_quality", {"device_error": 1 << 21})]
    assert _qualities(decoder, 1) == [Quality.GOOD]


def test_its_fan_is_cleaned_weekly_and_meanwhile_values_stand_still() -> None:
    decoder = _decoder()
    decoder.feed(RUNS_ALREADY, 0)
    week = 7 * 86400
    decoder.feed(b"", (week - 1) * SECOND)
    assert decoder.poll() == READ_IT
    decoder.feed(b"", week * SECOND)
    assert decoder.poll() == bytes.fromhex("7E 00 56 00 A9 7E")
    decoder.feed(_reply(CLEAN), week * SECOND)
    assert _qualities(decoder, week + 9.9, week + 10) == [Quality.STUCK, Quality.GOOD]
    decoder.feed(b"", (2 * week - 1) * SECOND)
    assert command(CLEAN) not in [decoder.poll() for _ in range(100)]


def test_a_cleaning_that_is_not_confirmed_is_tried_again_after_a_minute() -> None:
    decoder = _decoder(cleaning="1d")
    decoder.feed(RUNS_ALREADY, 0)
    sent = []
    for now in range(86400, 86400 + 130, 10):
        decoder.feed(b"", now * SECOND)
        sent.append(decoder.poll())
    assert [at for at, one in enumerate(sent) if one == command(CLEAN)] == [0, 6, 12]


def test_one_that_loses_power_every_night_can_be_cleaned_at_its_start() -> None:
    decoder = _decoder(clean_at_start=True)
    decoder.feed(STARTED, SECOND)
    assert decoder.poll() == command(CLEAN)


def test_cleaning_may_be_left_to_the_sensor() -> None:
    decoder = _decoder(cleaning="0s")
    decoder.feed(STARTED, 0)
    decoder.feed(b"", 10**9 * SECOND)
    assert command(CLEAN) not in [decoder.poll() for _ in range(100)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e30])
def test_what_is_no_concentration_is_refused(value: float) -> None:
    frame = _reply(READ, pack(">10f", value, *FLOATS[1:]))
    assert _decoder().feed(frame, 0) == [Reject("range", frame, "no ten numbers that could be")]


def test_stuffing_is_undone_in_one_pass() -> None:
    assert unstuff(bytes.fromhex("7D 5D 31")) == bytes.fromhex("7D 31")
    assert stuff(bytes.fromhex("7E 7D 11 13 00")) == bytes.fromhex("7D 5E 7D 5D 7D 31 7D 33 00")


@given(st.integers(0, 255), st.binary(max_size=40), st.integers(0, 255))
def test_any_answer_survives_stuffing(code: int, data: bytes, state: int) -> None:
    frame = _reply(code, data, state)
    assert frame.count(b"\x7e") == 2
    assert len(frame) <= DRIVER.max_frame
    assert length(frame) == len(frame)
    assert parse(frame) == Reply(code, state & 0x7F, state > 127, data, frame)


def test_the_examples_of_the_datasheet_that_do_not_check_are_refused() -> None:
    for example in ("7E 00 D0 00 09 30 30 30 38 30 30 30 30 00 9B 7E", "7E 00 D1 01 07 02 02 00 07 00 02 00 1B 7E"):
        said = parse(bytes.fromhex(example))
        assert isinstance(said, Reject)
        assert said.reason == "checksum"


def test_zeros_that_outlast_the_warm_up_are_clean_air() -> None:
    decoder, zeros = _decoder(warm_up="10s"), _reply(READ, bytes(40))
    said = [one for second in range(0, 15, 5) for one in decoder.feed(zeros, second * 10**9)]
    assert [type(one) for one in said] == [Reject, Reject, Measurement]
