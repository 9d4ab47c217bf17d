"""SmartMeasure SM300D2: its two dialects, and sums that are off."""

import pytest

from drivers.common.modbus_rtu import with_crc
from drivers.sm300d2 import Decoder, Report, Sm300d2Options, parse
from gateway.contract import Measurement, Quality, Reject

SECOND = 10**9
BODY = bytes.fromhex("01 93 00 05 00 0C 00 14 00 1E")


def _plain(climate: str, off: int = 0, body: bytes = BODY) -> bytes:
    frame = b"\x3c\x02" + body + bytes.fromhex(climate)
    return frame + bytes((sum(frame) + off & 0xFF,))


def _decoder(warm_up: str = "0s") -> Decoder:
    return Decoder(Sm300d2Options.model_validate({"warm_up": warm_up}))


def _quality(frame: bytes) -> Quality:
    (said,) = _decoder().feed(frame, 0)
    assert isinstance(said, Measurement), said
    return said.quality


def test_it_is_only_listened_to() -> None:
    assert list(_decoder().start()) == []
    assert _decoder().poll() == b""


def test_both_dialects_say_the_same() -> None:
    same = Report((403.0, 5.0, 12.0, 20.0, 30.0), 22.3, 0.331)
    assert parse(_plain("16 03 21 01")) == same
    assert parse(with_crc(b"\x01\x03\x0e" + BODY + bytes.fromhex("08 B6 0C EE"))) == same


@pytest.mark.parametrize(
    ("climate", "degrees"),
    [("00 00 21 01", 0.0), ("00 05 21 01", 0.5), ("80 05 21 01", -0.5), ("94 09 21 01", -20.9)],
)
def test_the_highest_bit_of_the_degrees_means_below_zero(climate: str, degrees: float) -> None:
    report = parse(_plain(climate))
    assert isinstance(report, Report)
    assert report.temperature == degrees


def test_a_sum_that_is_80_hex_off_is_explained_by_frost_and_else_marked() -> None:
    assert _quality(_plain("16 03 21 01")) == Quality.GOOD
    assert _quality(_plain("82 03 21 01", off=0x80)) == Quality.GOOD
    assert _quality(_plain("16 03 21 01", off=0x80)) == Quality.INCONSISTENT


@pytest.mark.parametrize("off", [1, 0x7F, 0x81, 0xFF])
def test_a_sum_that_is_off_otherwise_is_damage(off: int) -> None:
    said = parse(_plain("16 03 21 01", off=off))
    assert isinstance(said, Reject)
    assert said.reason == "checksum"


def test_pm10_below_pm25_is_kept_and_marked() -> None:
    assert _quality(_plain("16 03 21 01", body=BODY[:8] + b"\x00\x10")) == Quality.INCONSISTENT


def test_values_are_doubtful_for_half_a_minute_after_the_line_opened() -> None:
    decoder = _decoder("30s")
    qualities = [
        said.quality
        for now in (0, 30 * SECOND - 1, 30 * SECOND)
        for said in decoder.feed(_plain("16 03 21 01"), now)
        if isinstance(said, Measurement)
    ]
    assert qualities == [Quality.WARM_UP, Quality.WARM_UP, Quality.GOOD]


def test_answers_of_modbus_with_another_size_are_not_ours() -> None:
    decoder = _decoder()
    assert decoder.feed(with_crc(b"\x01\x03\x04" + bytes(4)), 0) == []
    assert [one.reason for one in decoder.finish()] == ["noise"]
