"""Sensirion SEN5x: its quirks."""

from struct import pack
from typing import Any

import pytest

from drivers.common.shdlc import command, stuff
from drivers.sen5x import READ, SERIAL, START, STARTING, VERSION, Decoder, Sen5xOptions
from gateway.contract import Measurement, Quality, Reject

SECOND = 10**9
READ_IT = bytes.fromhex("7E 00 03 01 0C EF 7E")
WORDS = (82, 88, 90, 91, 4428, 4772, 420, 10)


def _reply(code: int, data: bytes = b"", state: int = 0) -> bytes:
    body = bytes((0, code, state, len(data))) + data
    return b"\x7e" + stuff(body + bytes((~sum(body) & 0xFF,))) + b"\x7e"


def _reading(*words: int) -> bytes:
    return _reply(READ, pack(">4H4h", *words))


def _decoder(**options: Any) -> Decoder:  # noqa: ANN401 -- as in a configuration file
    return Decoder(Sen5xOptions.model_validate(options))


def _fields(*words: int) -> dict[str, Any]:
    (said,) = _decoder().feed(_reading(*words), 0)
    assert isinstance(said, Measurement), said
    return dict(said.fields)


def test_the_question_and_the_start_are_the_bytes_that_were_found() -> None:
    decoder = _decoder()
    assert list(decoder.start()) == [bytes.fromhex("7E 00 00 01 02 FC 7E")]
    decoder.feed(_reply(START), 0)
    assert decoder.poll() == READ_IT


@pytest.mark.parametrize(
    ("place", "lacking"),
    [(0, "pm1"), (3, "pm10"), (4, "relative_humidity"), (5, "temperature"), (6, "tvoc_index"), (7, "nox_index")],
)
def test_a_value_that_is_not_known_does_not_cost_the_others(place: int, lacking: str) -> None:
    unknown = 0xFFFF if place < 4 else 0x7FFF
    assert _fields(*WORDS).keys() - _fields(*WORDS[:place], unknown, *WORDS[place + 1 :]).keys() == {lacking}


def test_dust_of_32767_tenths_is_a_number_and_climate_of_minus_one_step_is_one_too() -> None:
    said = _fields(0x7FFF, 88, 90, 91, -1, -1, 420, 10)
    assert (said["pm1"], said["relative_humidity"], said["temperature"]) == (3276.7, -0.0001, -0.005)


def test_an_index_of_zero_is_of_a_sensor_that_warms_up() -> None:
    assert not {"tvoc_index", "nox_index"} & _fields(*WORDS[:6], 0, 0).keys()


def test_one_that_lost_its_power_is_started_again_and_doubted() -> None:
    decoder = _decoder()
    decoder.feed(_reply(START, state=0x43) + _reading(*WORDS), 0)
    assert decoder.poll() == READ_IT
    (said,) = decoder.feed(_reply(READ, state=0x43), SECOND)
    assert isinstance(said, Reject)
    assert decoder.poll() == STARTING
    decoder.feed(_reply(START), 2 * SECOND)
    later = [one for now in (3, 31.9, 32) for one in decoder.feed(_reading(*WORDS), int(now * SECOND))]
    assert [one.quality for one in later if isinstance(one, Measurement)] == [
        Quality.WARM_UP,
        Quality.WARM_UP,
        Quality.GOOD,
    ]


def test_one_that_measures_already_is_not_doubted() -> None:
    decoder = _decoder()
    assert decoder.feed(_reply(START, state=0x43), 0) == []
    (said,) = decoder.feed(_reading(*WORDS), SECOND)
    assert isinstance(said, Measurement)
    assert said.quality == Quality.GOOD


def test_what_it_says_of_itself_comes_with_a_reading_and_is_asked_for_no_more() -> None:
    decoder = _decoder()
    decoder.feed(_reply(START), 0)
    asked = [decoder.poll() for _ in range(3)]
    assert asked == [READ_IT, command(VERSION), command(SERIAL, b"\x03")]
    assert decoder.feed(_reply(VERSION, bytes((2, 0, 0, 4, 0, 1, 0))) + _reply(SERIAL, b"1F2A\0"), 0) == []
    first, second = decoder.feed(_reading(*WORDS) * 2, 0)
    assert isinstance(first, Measurement)
    assert first.fields["firmware_version"] == "2.0"
    assert first.fields["serial_number"] == "1F2A"
    assert isinstance(second, Measurement)
    assert "serial_number" not in second.fields
    assert {decoder.poll() for _ in range(200)} == {READ_IT}


def test_firmware_that_does_not_know_the_version_is_asked_for_it_once() -> None:
    decoder = _decoder()
    decoder.feed(_reply(START), 0)
    decoder.feed(_reply(VERSION, state=2), 0)
    assert command(VERSION) not in [decoder.poll() for _ in range(200)]


def test_the_answers_of_an_sps30_are_no_readings_of_a_sen5x() -> None:
    decoder = _decoder()
    said = decoder.feed(_reply(VERSION, bytes((2, 2, 0, 7, 0, 2, 0))) + _reply(READ, pack(">10f", *range(10))), 0)
    assert [type(one) for one in said] == [Reject]
