"""SenseAir K30: its quirks."""

import pytest

from drivers.common.modbus_rtu import with_crc
from drivers.senseair_k30 import Decoder, SenseairK30Options
from gateway.contract import Measurement, Reject

QUESTION = bytes.fromhex("FE 44 00 08 02 9F 25")


def _answer(co2: int, address: int = 0xFE) -> bytes:
    return with_crc(bytes((address, 0x44, 2)) + (co2 & 0xFFFF).to_bytes(2, "big"))


def test_it_is_asked_by_the_function_of_its_own() -> None:
    decoder = Decoder(SenseairK30Options())
    assert list(decoder.start()) == []
    assert decoder.poll() == decoder.poll() == QUESTION
    assert Decoder(SenseairK30Options(address=0x68)).poll() == with_crc(b"\x68" + QUESTION[1:5])


def test_a_value_is_in_ppm() -> None:
    assert Decoder(SenseairK30Options()).feed(_answer(4801), 0) == [Measurement("air_quality", {"co2": 4801.0})]


@pytest.mark.parametrize("co2", [0, -2])
def test_no_value_at_all_is_no_reading(co2: int) -> None:
    (said,) = Decoder(SenseairK30Options()).feed(_answer(co2), 0)
    assert isinstance(said, Reject)
    assert said.reason == "range"


def test_a_lost_byte_does_not_turn_the_header_into_17410_ppm() -> None:
    decoder = Decoder(SenseairK30Options())
    torn = _answer(800)[1:]
    said = [*decoder.feed(torn + torn + _answer(801), 0)]
    assert [one.fields for one in said if isinstance(one, Measurement)] == [{"co2": 801.0}]


def test_the_answer_of_a_neighbour_is_not_heard() -> None:
    decoder = Decoder(SenseairK30Options(address=0x68))
    assert decoder.feed(_answer(800, 0x69), 0) == []
    assert [one.reason for one in decoder.finish()] == ["noise"]
