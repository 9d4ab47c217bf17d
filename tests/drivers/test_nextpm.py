"""TERA NextPM in its own protocol: its toggling sleep command, and its other quirks."""

import pytest
from pydantic import ValidationError

from drivers import nextpm_modbus
from drivers.common.nextpm import flags
from drivers.nextpm import DRIVER, Decoder, NextPmOptions, parse, question, with_sum
from gateway.contract import Measurement, Quality, Reject

MEAN, STATE, TOGGLE, FIRMWARE, INSIDE = (question(code) for code in (0x12, 0x16, 0x15, 0x17, 0x14))
SECOND = 10**9


def _decoder(**options: object) -> Decoder:
    return Decoder(NextPmOptions.model_validate(options))


def _state(state: int) -> bytes:
    return with_sum(bytes((0x81, 0x16, state)))


def _mean(tenths: int, state: int = 0) -> bytes:
    masses = b"".join(value.to_bytes(2, "big") for value in (tenths, tenths + 1, tenths + 2))
    return with_sum(bytes((0x81, 0x12, state)) + bytes(6) + masses)


def _qualities(decoder: Decoder, data: bytes, now: int) -> list[Quality]:
    return [said.quality for said in decoder.feed(data, now) if isinstance(said, Measurement)]


def test_commands_are_as_the_manual_prints_them() -> None:
    assert question(0x11) == bytes.fromhex("81 11 6E")
    assert bytes.fromhex("81 15 6A") == TOGGLE
    assert bytes.fromhex("81 17 68") == FIRMWARE


def test_the_toggle_is_never_sent_to_a_sensor_that_has_not_just_said_that_it_sleeps() -> None:
    decoder = _decoder()
    assert list(decoder.start()) == []
    asked = {decoder.poll() for _ in range(300)}
    assert asked == {MEAN, STATE}  # the state, because nothing was answered
    decoder.feed(_mean(100), 0)
    assert TOGGLE not in {decoder.poll() for _ in range(300)}


def test_asleep_it_is_toggled_once_and_then_has_to_say_so_again() -> None:
    decoder = _decoder()
    decoder.poll()
    decoder.feed(_state(1), 0)
    assert decoder.poll() == TOGGLE
    decoder.feed(with_sum(b"\x81\x15\x01"), 0)  # whose state this is, old or new, nobody can tell
    assert decoder.poll() != TOGGLE
    decoder.feed(_state(1), 0)  # it is still asleep: the toggle was lost
    assert decoder.poll() == TOGGLE


def test_a_late_answer_behind_the_toggle_is_not_believed() -> None:
    decoder = _decoder()
    decoder.poll()
    decoder.feed(_state(1), 0)
    assert decoder.poll() == TOGGLE
    decoder.feed(_state(1), 0)
    assert decoder.poll() != TOGGLE


def test_the_state_is_asked_for_when_a_question_was_not_answered() -> None:
    decoder = _decoder()
    assert [decoder.poll() for _ in range(3)] == [MEAN, STATE, STATE]
    decoder.feed(_state(0), 0)
    assert decoder.poll() == FIRMWARE


def test_its_length_is_that_of_the_command_in_the_answer_and_not_in_the_question() -> None:
    decoder = _decoder()
    assert decoder.poll() == MEAN
    state, mean = decoder.feed(_state(4) + _mean(100), 0)
    assert state == Measurement("air_quality", {"device_error": 0})
    assert isinstance(mean, Measurement)


def test_the_firmware_is_asked_for_until_it_is_known_and_the_inside_now_and_then() -> None:
    decoder = _decoder()
    asked = []
    for _ in range(200):
        asked.append(decoder.poll())
        decoder.feed(with_sum(b"\x81\x17\x00\x00\x34") if asked[-1] == FIRMWARE else _mean(100), 0)
    assert asked.count(FIRMWARE) == 1
    assert asked.count(INSIDE) == 8


@pytest.mark.parametrize(("average", "code"), [("10s", 0x11), ("60s", 0x12), ("15min", 0x13)])
def test_the_mean_is_the_one_that_is_wished_for(average: str, code: int) -> None:
    assert _decoder(average=average).poll() == question(code)


def test_values_are_doubtful_while_it_is_not_ready_and_for_some_time_after_it_was_woken() -> None:
    decoder = _decoder(warm_up="20s")
    decoder.poll()
    decoder.feed(_state(1), 0)
    assert decoder.poll() == TOGGLE
    decoder.poll()
    assert _qualities(decoder, _mean(100, state=4), 5 * SECOND) == [Quality.WARM_UP]
    assert _qualities(decoder, _mean(100), 25 * SECOND - 1) == [Quality.WARM_UP]
    assert _qualities(decoder, _mean(100), 25 * SECOND) == [Quality.GOOD]


def test_with_a_working_period_it_sleeps_after_a_good_reading_and_wakes_in_time() -> None:
    decoder = _decoder(working_period="5min", warm_up="30s")
    assert decoder.poll() == MEAN
    decoder.feed(_mean(100), 0)
    assert decoder.poll() == TOGGLE
    decoder.poll()
    decoder.feed(_state(1), 2 * SECOND)
    assert decoder.poll() == b""
    decoder.feed(b"", 269 * SECOND)
    assert decoder.poll() == b""
    decoder.feed(b"", 270 * SECOND)
    assert decoder.poll() == TOGGLE
    assert decoder.poll() != TOGGLE


def test_a_doubtful_reading_does_not_send_it_to_sleep() -> None:
    decoder = _decoder(working_period="5min")
    decoder.poll()
    decoder.feed(_mean(100, state=4), 0)
    assert decoder.poll() != TOGGLE


@pytest.mark.parametrize("state", [1 << 1, 1 << 4, 1 << 5, 1 << 6, 1 << 7])
def test_an_error_marks_the_reading(state: int) -> None:
    (said,) = _decoder().feed(_mean(100, state), 0)
    assert isinstance(said, Measurement)
    assert (said.fields["device_error"], said.quality) == (state, Quality.INCONSISTENT)


def test_the_heater_in_damp_air_is_no_error() -> None:
    (said,) = _decoder().feed(_mean(100, 1 << 3), 0)
    assert isinstance(said, Measurement)
    assert (said.fields["device_error"], said.quality) == (0, Quality.GOOD)


def test_the_bits_have_names() -> None:
    assert flags(0x76) == ["degraded", "not_ready", "t_rh_error", "fan_error", "memory_error"]


def test_the_manuals_misprint_of_the_address_command_is_damaged() -> None:
    said = parse(bytes.fromhex("81 22 00 5A"))
    assert isinstance(said, Reject)
    assert said.reason == "checksum"


def test_by_an_address_it_speaks_modbus_which_can_share_a_line() -> None:
    decoder = DRIVER.decoder(NextPmOptions(address=2))
    assert isinstance(decoder, nextpm_modbus.Decoder)
    assert decoder.poll()[:2] == b"\x02\x03"


@pytest.mark.parametrize(
    "options",
    [{"address": 2, "working_period": "5min"}, {"average": "5min"}, {"address": 0}, {"working_period": "30s"}],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NextPmOptions.model_validate(options)
