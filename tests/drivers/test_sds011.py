"""Nova SDS011: its quirks."""

import pytest
from pydantic import ValidationError

from drivers.sds011 import (
    FIRMWARE,
    READ,
    REPORT_MODE,
    SET_ID,
    SLEEP_WORK,
    WORK,
    WORKING_PERIOD,
    Decoder,
    Reply,
    Report,
    Sds011Options,
    command,
    parse,
)
from gateway.contract import Measurement, Quality, Reject

WAKE = bytes.fromhex("AA B4 06 01 01 00 00 00 00 00 00 00 00 00 00 FF FF 06 AB")
ACTIVE = bytes.fromhex("AA B4 02 01 00 00 00 00 00 00 00 00 00 00 00 FF FF 01 AB")
EVERY_5_MIN = bytes.fromhex("AA B4 08 01 05 00 00 00 00 00 00 00 00 00 00 FF FF 0C AB")

AWAKE = bytes.fromhex("AA C5 06 01 01 00 A1 60 09 AB")
IS_ACTIVE = bytes.fromhex("AA C5 02 01 00 00 A1 60 04 AB")
IS_5_MIN = bytes.fromhex("AA C5 08 01 05 00 A1 60 0F AB")
ZEROS = bytes.fromhex("AA C0 00 00 00 00 00 00 00 AB")
SECOND = 10**9


def _report(pm25: int, pm10: int) -> bytes:
    body = pm25.to_bytes(2, "little") + pm10.to_bytes(2, "little") + b"\xa1\x60"
    return b"\xaa\xc0" + body + bytes([sum(body) & 0xFF]) + b"\xab"


def _decoder(**options: str) -> Decoder:
    return Decoder(Sds011Options.model_validate(options))


def test_the_wake_up_is_sent_first_because_asleep_it_heeds_nothing_else() -> None:
    commands = list(_decoder(working_period="5min").start())
    assert commands == [WAKE, ACTIVE, EVERY_5_MIN, command(FIRMWARE)]


def test_the_wake_up_is_sent_again_until_it_is_answered_by_work() -> None:
    decoder = _decoder()
    assert decoder.poll() == WAKE
    decoder.feed(bytes.fromhex("AD 50 10 5E DD"), 0)  # junk, captured in place of the answer
    decoder.feed(bytes.fromhex("AA C5 06 01 00 00 A1 60 08 AB"), 0)  # an answer, but it says sleep
    assert decoder.poll() == WAKE
    decoder.feed(AWAKE, 0)
    assert decoder.poll() == ACTIVE


def test_each_command_is_sent_again_until_its_own_answer_comes_and_then_it_is_quiet() -> None:
    decoder = _decoder(working_period="5min")
    decoder.feed(AWAKE + _report(10, 20) + IS_ACTIVE, 0)
    assert decoder.poll() == EVERY_5_MIN
    decoder.feed(bytes.fromhex("AA C5 08 01 00 00 A1 60 0A AB"), 0)  # another period than the one asked for
    assert decoder.poll() == EVERY_5_MIN
    decoder.feed(IS_5_MIN, 0)
    assert decoder.poll() == b""


def test_values_are_doubtful_for_thirty_seconds_after_waking() -> None:
    decoder = _decoder()
    decoder.feed(AWAKE, 5 * SECOND)
    qualities = [
        said.quality
        for now in (5 * SECOND, 35 * SECOND - 1, 35 * SECOND)
        for said in decoder.feed(_report(10, 20), now)
        if isinstance(said, Measurement)
    ]
    assert qualities == [Quality.WARM_UP, Quality.WARM_UP, Quality.GOOD]


@pytest.mark.parametrize("zeros", [ZEROS, _report(0, 0)], ids=["all of it", "under its id"])
def test_frames_of_zeros_are_no_data_and_mean_that_it_starts_anew(zeros: bytes) -> None:
    decoder = _decoder()
    assert decoder.feed(zeros, 0) == [Reject("unsupported", zeros, "both values are zero: it is starting")]
    (said,) = decoder.feed(_report(10, 20), SECOND)
    assert isinstance(said, Measurement)
    assert said.quality == Quality.WARM_UP


def test_one_zero_alone_is_a_value() -> None:
    assert _decoder().feed(_report(0, 3), 0) == [Measurement("air_quality", {"pm25": 0.0, "pm10": 0.3})]


def test_pm10_below_pm25_is_kept_and_marked() -> None:
    (said,) = _decoder().feed(_report(118, 58), 0)
    assert said == Measurement("air_quality", {"pm25": 11.8, "pm10": 5.8}, quality=Quality.INCONSISTENT)


def test_the_sum_covers_the_high_bytes() -> None:
    assert parse(_report(0x1234, 0x2345)) == Report(466.0, 902.9, b"\xa1\x60")


def test_a_report_with_a_wrong_sum_is_damaged_and_not_noise() -> None:
    spoiled = _report(10, 20)[:8] + b"\x00\xab"
    assert _decoder().feed(spoiled, 0) == [Reject("checksum", spoiled, "sum 1F, frame says 00")]


def test_a_lost_byte_costs_one_report_only() -> None:
    decoder = _decoder()
    said = decoder.feed(_report(10, 20)[:4] + _report(10, 20)[5:] + _report(30, 40), 0)
    assert [type(one) for one in said] == [Reject, Measurement]


def test_answers_are_read_with_their_values_and_the_id() -> None:
    assert parse(bytes.fromhex("AA C5 02 00 01 00 A1 60 04 AB")) == Reply(REPORT_MODE, b"\0\1\0", b"\xa1\x60")
    working = parse(AWAKE)
    assert isinstance(working, Reply)
    assert (working.code, working.value) == (SLEEP_WORK, WORK)


def test_the_firmware_is_the_date_in_its_answer() -> None:
    said = _decoder().feed(bytes.fromhex("AA C5 07 0F 07 0A A1 60 28 AB"), 0)
    assert said == [Measurement("air_quality", {"firmware_version": "15-7-10"})]


def test_commands_may_ask_set_aim_at_one_sensor_and_rename_it() -> None:
    assert command(READ) == bytes.fromhex("AA B4 04 00 00 00 00 00 00 00 00 00 00 00 00 FF FF 02 AB")
    aimed = command(WORKING_PERIOD, 1, target=b"\xa1\x60")
    assert aimed == bytes.fromhex("AA B4 08 01 01 00 00 00 00 00 00 00 00 00 00 A1 60 0B AB")
    renamed = command(SET_ID, new_id=b"\xa0\x01", target=b"\xa1\x60")
    assert renamed == bytes.fromhex("AA B4 05 00 00 00 00 00 00 00 00 00 00 A0 01 A1 60 A7 AB")


@pytest.mark.parametrize("period", ["90s", "31min", "1h", "5"])
def test_a_working_period_the_sensor_does_not_know_is_refused(period: str) -> None:
    with pytest.raises(ValidationError):
        Sds011Options.model_validate({"working_period": period})


def test_zeros_under_its_id_that_outlast_the_warm_up_are_clean_air() -> None:
    decoder = _decoder()
    said = [one for second in range(0, 50, 10) for one in decoder.feed(_report(0, 0), second * SECOND)]
    assert [type(one) for one in said] == [Reject] * 3 + [Measurement] * 2
    assert isinstance(said[3], Measurement)
    assert said[3].fields == {"pm25": 0.0, "pm10": 0.0}


def test_zeros_without_an_id_are_never_air() -> None:
    decoder = _decoder()
    said = [one for second in range(0, 100, 10) for one in decoder.feed(ZEROS, second * SECOND)]
    assert {type(one) for one in said} == {Reject}
