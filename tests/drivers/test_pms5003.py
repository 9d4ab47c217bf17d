"""Plantower PMS5003 and its like: their quirks, and what all Plantower sensors share."""

from collections.abc import Iterable
from typing import Any

import pytest

from drivers.common.plantower import MODE, READ, SLEEP_WAKE, Reply, Report, command
from drivers.pms5003 import DRIVER, parse
from gateway.contract import Measurement, Quality, Reject

WAKE = bytes.fromhex("42 4D E4 00 01 01 74")
ACTIVE = bytes.fromhex("42 4D E1 00 01 01 71")
SLEEP = bytes.fromhex("42 4D E4 00 00 01 73")
WORDS = (9, 14, 17, 8, 12, 15, 1650, 473, 88, 9, 3, 1, 0x9700)
CLEAN = (0,) * 12 + (0x9700,)
SECOND = 10**9


def _frame(words: Iterable[int]) -> bytes:
    content = b"".join(word.to_bytes(2, "big") for word in words)
    body = b"\x42\x4d" + (len(content) + 2).to_bytes(2, "big") + content
    return body + sum(body).to_bytes(2, "big")


GOOD = _frame(WORDS)


def _decoder(**options: str) -> Any:  # noqa: ANN401 -- a driver's decoder is known by its protocol alone
    return DRIVER.decoder(DRIVER.options.model_validate(options))


def _masses(said: Iterable[Measurement | Reject]) -> list[tuple[object, ...]]:
    names = ("pm1", "pm25", "pm10")
    return [tuple(one.fields[name] for name in names) for one in said if isinstance(one, Measurement)]


def test_the_masses_outdoors_are_taken_and_counts_are_for_a_cubic_centimetre() -> None:
    (said,) = _decoder().feed(GOOD, 0)
    assert said.fields == {
        "pm1": 8.0,
        "pm25": 12.0,
        "pm10": 15.0,
        "particles_above_03": 16.5,
        "particles_above_05": 4.73,
        "particles_above_1": 0.88,
        "particles_above_25": 0.09,
        "particles_above_5": 0.03,
        "particles_above_10": 0.01,
        "device_error": 0,
        "firmware_version": "0x97",
    }


def test_the_clean_air_lock_out_loses_no_report() -> None:
    """The sum of an empty report ends in 42: a reader that takes it for a header waits for ever."""
    clean = _frame(CLEAN)
    assert clean.endswith(b"\x01\x42")
    decoder = _decoder()
    said = decoder.feed(b"\x01\x42" + clean * 3 + b"\x42\x42\x42" + clean, 0)
    assert _masses(said) == [(0.0, 0.0, 0.0)] * 4


@pytest.mark.parametrize("start", range(1, len(GOOD)))
def test_a_line_joined_in_the_middle_of_a_report_costs_that_report_alone(start: int) -> None:
    assert _masses(_decoder().feed((GOOD * 3)[start:], 0)) == [(8.0, 12.0, 15.0)] * 2


def test_a_report_with_mass_and_no_particles_is_a_start_and_no_reading() -> None:
    hollow = _frame((0, 10, 32, 0, 10, 32, 0, 0, 0, 0, 0, 0, 0x9700))
    assert _decoder().feed(hollow, 0) == [Reject("unsupported", hollow, "mass without particles: it is starting")]
    assert isinstance(parse(hollow), Report)


def test_a_header_read_as_a_value_never_gets_through_the_sum() -> None:
    """A lost byte once made PM1 16973, which is 424D."""
    said = _decoder().feed(GOOD[:5] + GOOD[6:] + GOOD, 0)
    assert [one.reason for one in said if isinstance(one, Reject)] == ["checksum"]
    assert _masses(said) == [(8.0, 12.0, 15.0)]


def test_a_stranger_with_the_same_header_is_told_by_its_length() -> None:
    co2 = bytes.fromhex("42 4D 08 D5 08 90 01 C9 01 2E 00 00 E2 11 02 F2")
    said = _decoder().feed(co2 + GOOD, 0)
    assert said[0] == Reject("noise", co2, "16 bytes that belong to no frame")
    assert _masses(said) == [(8.0, 12.0, 15.0)]


def test_replies_among_the_reports_are_understood_and_do_not_desynchronise() -> None:
    reply = bytes.fromhex("42 4D 00 04 E1 01 01 75")
    assert parse(reply) == Reply(MODE, 1)
    assert _masses(_decoder().feed(reply + GOOD + reply + GOOD, 0)) == [(8.0, 12.0, 15.0)] * 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((23, 39, 41, 22, 35, 41, 4104, 1193, 278, 12, 212, 224, 0x9A00), "another model"),
        ((9, 14, 17, 8, 12, 15, 1650, 473, 88, 9, 3, 1, 0x0018), "PMS5003S"),
        ((0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x5100), "no particles|without particles"),
    ],
    ids=["PMS5003T", "PMS5003S", "HPMA115"],
)
def test_a_sensor_with_reports_of_the_same_length_is_not_taken_for_it(words: tuple[int, ...], why: str) -> None:
    (said,) = _decoder().feed(_frame(words), 0)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"
    assert any(part in said.detail for part in why.split("|"))


def test_pm10_below_pm25_is_kept_and_marked() -> None:
    (said,) = _decoder(warm_up="0s").feed(_frame((*WORDS[:3], 5, 9, 8, *WORDS[6:])), 0)
    assert said.quality == Quality.INCONSISTENT


def test_the_version_is_said_once_and_the_error_code_always() -> None:
    broken = _frame((*WORDS[:12], 0x9702))
    said = _decoder().feed(GOOD + GOOD + broken, 0)
    assert [one.fields.get("firmware_version") for one in said] == ["0x97", None, None]
    assert [one.fields["device_error"] for one in said] == [0, 0, 2]


def test_commands_are_framed_with_a_sum_of_sixteen_bits() -> None:
    assert command(MODE, 0) == bytes.fromhex("42 4D E1 00 00 01 70")
    assert command(READ) == bytes.fromhex("42 4D E2 00 00 01 71")
    assert command(SLEEP_WAKE, 0) == SLEEP  # some copies of the manual print 01 72


def test_it_is_woken_and_set_to_report_by_itself_because_clones_do_not() -> None:
    assert list(_decoder().start()) == [WAKE, ACTIVE]


def test_while_it_is_silent_it_is_woken_and_told_its_mode_in_turn_and_left_alone_once_it_reports() -> None:
    decoder = _decoder()
    decoder.feed(b"", 0)
    assert [decoder.poll() for _ in range(3)] == [WAKE, ACTIVE, WAKE]
    decoder.feed(GOOD, SECOND)
    assert decoder.poll() == b""


def test_values_are_doubtful_for_thirty_seconds() -> None:
    decoder = _decoder()
    said = [one for now in range(0, 34, 2) for one in decoder.feed(GOOD, now * SECOND)]
    assert [one.quality for one in said] == [Quality.WARM_UP] * 15 + [Quality.GOOD] * 2


def test_with_a_working_period_it_sleeps_between() -> None:
    decoder = _decoder(working_period="5min")
    decoder.feed(GOOD, 0)
    decoder.feed(GOOD, 39 * SECOND)
    assert decoder.poll() == b""
    decoder.feed(GOOD, 41 * SECOND)
    assert [decoder.poll(), decoder.poll()] == [SLEEP, b""]
    decoder.feed(b"", 299 * SECOND)
    assert decoder.poll() == b""
    decoder.feed(b"", 300 * SECOND)
    assert decoder.poll() == WAKE


def test_a_unit_without_a_version_gives_its_masses_and_particles() -> None:
    (said,) = _decoder(warm_up="0s").feed(_frame((*WORDS[:12], 0)), 0)
    assert isinstance(said, Measurement)
    assert (said.fields["pm25"], said.fields["particles_above_03"]) == (12.0, 16.5)
    assert not {"device_error", "firmware_version"} & said.fields.keys()
