"""TERA NextPM over Modbus RTU: its registers."""

import pytest

from drivers.common.modbus_rtu import Answer, parse, with_crc
from drivers.nextpm_modbus import Decoder, NextPmModbusOptions, means
from gateway.contract import Measurement, Quality, Reject

MEAN = bytes.fromhex("01 03 00 3E 00 0C 24 03")
STATE = with_crc(bytes.fromhex("01 03 00 13 00 01"))
FIRMWARE = bytes.fromhex("01 03 00 01 00 0A 94 0D")


def _decoder(**options: object) -> Decoder:
    return Decoder(NextPmModbusOptions.model_validate(options))


def _mean(*thousandths: int) -> bytes:
    data = b"".join(bytes(2) + bytes(2) for _ in range(3))
    data += b"".join((one & 0xFFFF).to_bytes(2, "big") + (one >> 16).to_bytes(2, "big") for one in thousandths)
    return with_crc(b"\x01\x03\x18" + data)


def test_it_is_asked_for_the_mean_and_now_and_then_for_state_and_firmware() -> None:
    decoder = _decoder()
    assert [decoder.poll() for _ in range(6)] == [MEAN, STATE, FIRMWARE, MEAN, STATE, MEAN]
    decoder.feed(with_crc(b"\x01\x03\x14\x00\x34" + bytes(18)), 0)
    asked = {decoder.poll() for _ in range(300)}
    assert asked == {MEAN, STATE}


@pytest.mark.parametrize(("average", "register"), [("10s", 50), ("60s", 62), ("15min", 74)])
def test_the_mean_is_the_one_that_is_wished_for(average: str, register: int) -> None:
    assert _decoder(average=average, address=3).poll()[:4] == bytes((3, 3, 0, register))


def test_the_low_word_comes_first() -> None:
    answer = parse(_mean(236, 70_000, 1_000_000))
    assert isinstance(answer, Answer)
    assert means(answer) == [(0.0, 0.0, 0.0, 0.236, 70.0, 1000.0)]


def test_the_last_known_state_marks_the_readings() -> None:
    decoder = _decoder()
    qualities = []
    for state in (0, 1 << 2, 1 << 7, 1 << 3):
        said = decoder.feed(with_crc(b"\x01\x03\x02\x00" + bytes((state,))) + _mean(10, 20, 30), 0)
        qualities += [one.quality for one in said if isinstance(one, Measurement) and "pm1" in one.fields]
    assert qualities == [Quality.GOOD, Quality.WARM_UP, Quality.INCONSISTENT, Quality.GOOD]


def test_zeros_everywhere_are_no_reading() -> None:
    (said,) = _decoder().feed(_mean(0, 0, 0), 0)
    assert isinstance(said, Reject)
    assert (said.reason, said.detail) == ("unsupported", "all values are zero: it has no data")


def test_zeros_that_outlast_the_mean_are_clean_air() -> None:
    decoder = _decoder()
    said = [one for second in (0, 60, 120) for one in decoder.feed(_mean(0, 0, 0), second * 10**9)]
    assert [type(one) for one in said] == [Reject, Reject, Reject]  # it may be asleep
    decoder.feed(with_crc(b"\x01\x03\x02\x00\x00"), 130 * 10**9)
    (said_then,) = decoder.feed(_mean(0, 0, 0), 140 * 10**9)
    assert isinstance(said_then, Measurement)
