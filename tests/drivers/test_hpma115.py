"""Honeywell HPMA115S0 and HPMA115C0: their quirks."""

import pytest

from drivers.hpma115 import AUTO_OFF, AUTO_ON, COEFFICIENT, READ, START, STOP, Decoder, Reply, Report, command, parse
from drivers.hpma115 import DRIVER as HPMA115
from gateway.contract import Measurement, Quality, Reject

SECOND = 10**9
S0_ANSWER = bytes.fromhex("40 05 04 00 30 00 31 56")
C0_ANSWER = bytes.fromhex("40 0D 04 00 30 00 31 00 32 00 33 00 00 00 00 E9")
SHOWN_IN_A_FORUM = bytes((66, 77, 0, 28, 0, 0, 0, 1, 0, 2, *(0,) * 18, 81, 0, 0, 255))


def _auto(*words: int, last: int = 0) -> bytes:
    body = b"\x42\x4d\x00\x1c" + b"".join(
        word.to_bytes(2, "big") for word in [*words, *[0] * (12 - len(words)), last]
    )
    return body + sum(body).to_bytes(2, "big")


def _decoder(**options: str) -> Decoder:
    return Decoder(HPMA115.options.model_validate(options))  # type: ignore[arg-type] # the driver's own options


def test_the_examples_of_the_datasheet_are_read() -> None:
    assert parse(S0_ANSWER) == Report({"pm25": 48, "pm10": 49})
    assert parse(C0_ANSWER) == Report({"pm1": 48, "pm25": 49, "pm4": 50, "pm10": 51})
    assert parse(bytes.fromhex("40 02 10 64 4A")) == Reply(COEFFICIENT, 100)


def test_a_report_of_the_s0_has_two_values_whatever_its_last_word_says() -> None:
    assert parse(SHOWN_IN_A_FORUM) == Report({"pm25": 1, "pm10": 2})


def test_a_report_with_a_fourth_value_is_one_of_the_c0() -> None:
    assert parse(_auto(4, 7, 9, 23)) == Report({"pm1": 4, "pm25": 7, "pm4": 9, "pm10": 23})
    assert parse(_auto(0, 2, 3, 5)) == Report({"pm1": 0, "pm25": 2, "pm4": 3, "pm10": 5})


def test_zeros_are_clean_air_and_marked_for_as_long_as_it_may_be_starting() -> None:
    decoder, zeros = _decoder(warm_up="10s"), bytes.fromhex("40 05 04 00 00 00 00 B7")
    said = [one for second in (0, 5, 10, 15) for one in decoder.feed(zeros, second * SECOND)]
    clean = {"pm25": 0.0, "pm10": 0.0}
    assert said == [
        *[Measurement("air_quality", clean, quality=Quality.WARM_UP)] * 2,
        *[Measurement("air_quality", clean)] * 2,
    ]


@pytest.mark.parametrize(
    "frame",
    [
        _auto(9, 14, 17, 8, 12, 15, 1650, 473, 88, 9, 3, 1, last=0x9700),
        _auto(last=0x9700),
        _auto(0, 8, 8, 0, 8, 8, 210, 70, 45, 30, last=0x0018),
    ],
    ids=["PMS5003", "PMS5003 in clean air", "PMS5003S"],
)
def test_a_plantower_with_reports_of_the_same_length_is_not_taken_for_it(frame: bytes) -> None:
    assert _decoder().feed(frame, 0) == [Reject("unsupported", frame, "more than four values: a Plantower?")]


def test_commands_carry_the_complement_of_their_sum() -> None:
    sent = {code: command(code).hex(" ") for code in (START, STOP, READ, COEFFICIENT, AUTO_OFF, AUTO_ON)}
    assert list(sent.values()) == [
        "68 01 01 96",
        "68 01 02 95",
        "68 01 04 93",
        "68 01 10 87",
        "68 01 20 77",
        "68 01 40 57",
    ]
    assert command(0x08, b"\x64") == bytes.fromhex("68 02 08 64 2A")


def test_that_a_command_was_obeyed_says_nothing_and_that_it_was_not_is_counted() -> None:
    said = _decoder().feed(b"\xa5\xa5\x96\x96", 0)
    assert said == [Reject("unsupported", b"\x96\x96", "it did not obey")]


def test_it_is_started_and_told_to_report_until_it_does() -> None:
    decoder = _decoder()
    assert list(decoder.start()) == [command(START), command(AUTO_ON)]
    decoder.feed(b"", 0)
    assert [decoder.poll() for _ in range(3)] == [command(START), command(AUTO_ON), command(START)]
    decoder.feed(SHOWN_IN_A_FORUM, SECOND)
    assert decoder.poll() == b""


def test_with_a_working_period_fan_and_laser_rest() -> None:
    decoder = _decoder(working_period="5min")
    decoder.feed(SHOWN_IN_A_FORUM, 0)
    decoder.feed(SHOWN_IN_A_FORUM, 40 * SECOND)
    assert [decoder.poll(), decoder.poll()] == [command(STOP), b""]


def test_values_are_doubtful_at_first_and_where_they_contradict_each_other() -> None:
    decoder = _decoder(warm_up="10s")
    said = [*decoder.feed(C0_ANSWER, 0), *decoder.feed(_auto(5, 4, 6, 7), 10 * SECOND)]
    assert [one.quality for one in said if isinstance(one, Measurement)] == [Quality.WARM_UP, Quality.INCONSISTENT]


@pytest.mark.parametrize("cut", range(1, len(C0_ANSWER)))
def test_an_answer_that_lost_its_beginning_costs_itself_alone(cut: int) -> None:
    said = _decoder().feed(C0_ANSWER[cut:] + S0_ANSWER, 0)
    assert [one.fields["pm10"] for one in said if isinstance(one, Measurement)] == [49.0]
