"""Winsen MH-Z19: its quirks."""

import pytest
from pydantic import ValidationError

from drivers.common.winsen import command, with_sum
from drivers.mhz19 import SPAN, ZERO, Decoder, MhZ19Options
from gateway.contract import Measurement, Quality, Reject

READ = bytes.fromhex("FF 01 86 00 00 00 00 00 79")
ABC_OFF = bytes.fromhex("FF 01 79 00 00 00 00 00 86")
ABC_ON = bytes.fromhex("FF 01 79 A0 00 00 00 00 E6")
RANGE_2000 = bytes.fromhex("FF 01 99 00 00 00 07 D0 8F")
SECOND = 10**9


def _decoder(**options: object) -> Decoder:
    return Decoder(MhZ19Options.model_validate(options))


def _answer(co2: int, status: int = 0) -> bytes:
    return with_sum(b"\xff\x86" + co2.to_bytes(2, "big") + bytes((66, status, 0, 0)))


def _said(code: int, result: int) -> bytes:
    return with_sum(bytes((0xFF, code, result)) + bytes(5))


def test_commands_are_as_the_manual_prints_them() -> None:
    assert command(0x86) == READ
    assert command(SPAN, 7, 0xD0) == bytes.fromhex("FF 01 88 07 D0 00 00 00 A0")


def test_a_sum_of_nothing_is_checked_by_nothing() -> None:
    assert with_sum(bytes.fromhex("FF 86 01 79 00 00 00 00")).endswith(b"\0")
    (said,) = _decoder(warm_up="0s").feed(with_sum(bytes.fromhex("FF 86 01 79 00 00 00 00")), 0)
    assert said == Measurement("air_quality", {"co2": 377.0})


def test_without_options_it_is_only_ever_read() -> None:
    decoder = _decoder()
    assert list(decoder.start()) == []
    assert {decoder.poll() for _ in range(100)} == {READ}


def test_settings_are_sent_until_they_are_confirmed() -> None:
    decoder = _decoder(abc=False, range=2000)
    assert {decoder.poll() for _ in range(10)} == {READ, ABC_OFF, RANGE_2000}
    decoder.feed(_said(0x79, 0), 0)  # it failed
    assert ABC_OFF in {decoder.poll() for _ in range(200)}
    assert decoder.feed(_said(0x79, 1), 0) == []
    assert {decoder.poll() for _ in range(200)} == {READ, RANGE_2000}
    decoder = _decoder(abc=True)
    assert [decoder.poll(), decoder.poll()] == [READ, ABC_ON]


def test_no_calibration_is_ever_sent_whatever_the_sensor_says() -> None:
    decoder = _decoder(abc=False, range=10000)
    sent = []
    for code in range(256):
        decoder.feed(_said(code, 1), 0)
        sent.append(decoder.poll()[2])
    assert not {ZERO, SPAN} & set(sent)


def test_the_confirmation_of_a_setting_is_no_reading() -> None:
    assert _decoder(warm_up="0s").feed(_said(0x79, 1) + _said(0x99, 1), 0) == []


def test_values_are_doubtful_for_three_minutes_after_the_line_opened() -> None:
    decoder = _decoder()
    qualities = [
        said.quality
        for now in (5 * SECOND, 185 * SECOND - 1, 185 * SECOND)
        for said in decoder.feed(_answer(410), now)
        if isinstance(said, Measurement)
    ]
    assert qualities == [Quality.WARM_UP, Quality.WARM_UP, Quality.GOOD]


def test_a_sensor_that_settles_says_so_whenever_that_is() -> None:
    (said,) = _decoder(warm_up="0s").feed(_answer(3557, 0x40), 0)
    assert isinstance(said, Measurement)
    assert said.quality == Quality.WARM_UP


def test_an_older_sensor_that_boots_says_15000_in_its_last_two_bytes() -> None:
    (booting,) = _decoder(warm_up="0s").feed(with_sum(bytes.fromhex("FF 86 01 9A 40 00 3A 98")), 0)
    assert isinstance(booting, Measurement)
    assert booting.quality == Quality.WARM_UP


def test_the_answer_to_a_calibration_that_was_never_asked_for_is_noise() -> None:
    decoder = _decoder()
    said = [*decoder.feed(_said(ZERO, 1), 0), *decoder.finish()]
    assert [one.reason for one in said if isinstance(one, Reject)] == ["noise"]
    assert len(said) == 1


def test_an_ff_too_many_does_not_shift_the_frames() -> None:
    said = _decoder(warm_up="0s").feed(b"\xff" + _answer(600) + b"\xff" + _answer(601), 0)
    assert [one.fields["co2"] for one in said if isinstance(one, Measurement)] == [600.0, 601.0]


def test_less_than_any_air_has_is_no_reading() -> None:
    (said,) = _decoder().feed(_answer(133), 0)
    assert isinstance(said, Reject)
    assert said.reason == "range"


def test_a_range_it_does_not_have_is_refused() -> None:
    with pytest.raises(ValidationError):
        MhZ19Options.model_validate({"range": 3000})
