"""SenseAir S8: its quirks."""

import pytest
from pydantic import ValidationError

from drivers.common.modbus_rtu import with_crc
from drivers.senseair_s8 import SWALLOWED, Decoder, SenseairS8Options
from gateway.contract import Measurement, Quality, Reject

READING = bytes.fromhex("FE 04 00 00 00 04 E5 C6")
ABOUT = bytes.fromhex("FE 04 00 19 00 06 B5 C0")
ABC_OFF = bytes.fromhex("FE 06 00 1F 00 00 AC 03")


def _decoder(**options: object) -> Decoder:
    return Decoder(SenseairS8Options.model_validate(options))


def _asked(decoder: Decoder, times: int) -> set[bytes]:
    return {decoder.poll().lstrip(SWALLOWED) for _ in range(times)}


def _answer(status: int, co2: int) -> bytes:
    return with_crc(b"\xfe\x04\x08" + status.to_bytes(2, "big") + bytes(4) + (co2 & 0xFFFF).to_bytes(2, "big"))


def test_nothing_is_sent_out_of_turn() -> None:
    assert list(_decoder(abc="0h").start()) == []


def test_it_is_asked_for_a_reading_first_and_later_what_it_is_until_it_says_so() -> None:
    decoder = _decoder()
    assert [decoder.poll().lstrip(SWALLOWED) for _ in range(4)] == [READING, ABOUT, ABOUT, READING]
    decoder.feed(with_crc(b"\xfe\x04\x0c" + bytes(12)), 0)
    assert _asked(decoder, 100) == {READING}


def test_the_automatic_calibration_is_switched_off_until_the_echo_confirms_it() -> None:
    decoder = _decoder(abc="0h")
    assert _asked(decoder, 5) == {READING, ABOUT, ABC_OFF}
    decoder.feed(bytes.fromhex("FE 06 00 1F 00 B4 AC 74"), 0)  # it confirms another period
    assert ABC_OFF in _asked(decoder, 100)
    assert decoder.feed(ABC_OFF, 0) == []
    assert ABC_OFF not in _asked(decoder, 300)


def test_one_that_swallows_the_first_byte_gets_one_to_swallow() -> None:
    decoder = _decoder()
    assert [decoder.poll()[:1].hex() for _ in range(6)] == ["fe", "fe", "00", "fe", "00", "fe"]
    decoder.feed(_answer(0, 400), 0)
    assert [decoder.poll()[:1].hex() for _ in range(2)] == ["fe", "fe"]


def test_its_own_address_is_asked_and_others_are_not_heard() -> None:
    decoder = _decoder(address=7)
    assert decoder.poll()[:2] == b"\x07\x04"
    assert decoder.feed(_answer(0, 400), 0) == []
    assert [one.reason for one in decoder.finish()] == ["noise"]


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        (0, Quality.GOOD),
        (1 << 5, Quality.OUT_OF_RANGE),
        (1 << 0, Quality.INCONSISTENT),
        (1 << 6 | 1 << 5, Quality.INCONSISTENT | Quality.OUT_OF_RANGE),
    ],
)
def test_a_value_with_an_error_is_kept_and_marked(status: int, quality: Quality) -> None:
    said = _decoder().feed(_answer(status, 700), 0)
    assert said == [Measurement("air_quality", {"co2": 700.0, "device_error": status}, quality=quality)]


@pytest.mark.parametrize("co2", [0, -1, -300])
def test_no_value_at_all_is_no_reading(co2: int) -> None:
    (said,) = _decoder().feed(_answer(0, co2), 0)
    assert isinstance(said, Reject)
    assert said.reason == "range"


def test_a_byte_lost_from_a_k30s_answer_is_not_17410_ppm() -> None:
    decoder = _decoder()
    said = decoder.feed(bytes.fromhex("FE 04 02") + with_crc(bytes.fromhex("FE 44 02 03 20"))[1:], 0)
    assert not [one for one in said if isinstance(one, Measurement)]


def test_an_answer_with_the_questions_crc_is_damaged() -> None:
    (said,) = _decoder().feed(bytes.fromhex("FE 04 02 03 88 D5 C5"), 0)
    assert isinstance(said, Reject)
    assert said.reason == "checksum"


@pytest.mark.parametrize("options", [{"abc": "90min"}, {"abc": "4801h"}, {"address": 0}, {"address": 255}])
def test_options_the_sensor_does_not_know_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SenseairS8Options.model_validate(options)
