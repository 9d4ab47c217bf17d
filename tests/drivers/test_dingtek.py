"""Dingtek's parking sensors and people counters."""

import pytest

from gateway.contract import Measurement, Quality, Reject
from tests.support.recordings import decode_payload

DO201 = "80 00 31 02 17 06B4 {} 0161 0010 FFF6 FFF0 {} 2D 0001 00 81"


def one(name: str, hex_: str) -> Measurement:
    (said,) = decode_payload(name, 3, hex_)
    assert isinstance(said, Measurement)
    return said


@pytest.mark.parametrize(("flags", "taken"), [("0000", False), ("1000", True), ("0100", False)])
def test_a_bay_is_taken_by_the_upper_half_of_its_flags(flags: str, taken: bool) -> None:
    assert one("dingtek_do20x", DO201.format(flags, "15")).fields["occupied"] is taken


def test_a_magnet_makes_the_bay_doubtful_and_is_told() -> None:
    said = one("dingtek_do20x", DO201.format("1010", "15"))
    assert (said.fields["event"], said.quality) == ("strong magnet", Quality.INCONSISTENT)


def test_the_temperature_of_a_bay_is_signed() -> None:
    assert one("dingtek_do20x", DO201.format("0000", "F6")).fields["temperature"] == -10.0


def test_a_do202_has_the_place_for_a_distance_and_none_and_zero_is_none() -> None:
    assert one("dingtek_do20x", DO201.format("0000", "15")).fields["distance"] == 1716.0
    assert "distance" not in one("dingtek_do20x", DO201.format("0000", "15").replace("31", "32", 1)).fields
    assert "distance" not in one("dingtek_do20x", DO201.format("0000", "15").replace("06B4", "0000")).fields


def test_both_counters_have_their_flags_in_other_places() -> None:
    first = one("dingtek_dc5x0", "80 00 02 01 15 0101 01 00 016F 000000000000 0001 00 81")
    assert first.fields == {"total_count": 257, "battery_low": True, "battery_voltage": 3.67}
    later = one("dingtek_dc5x0", "80 00 15 01 12 0005 00 14 00 00 10 00 01A4 0001 81")
    assert later.fields == {
        "temperature": 20.0,
        "total_count": 5,
        "battery_low": False,
        "battery_voltage": 4.2,
        "event": "count alarm",
    }


@pytest.mark.parametrize("name", ["dingtek_do20x", "dingtek_dc5x0"])
def test_a_frame_that_is_not_as_long_as_it_says_is_refused(name: str) -> None:
    for head, reason in (("80 00 02 01 16", "length"), ("81 00 02 01 15", "noise")):
        (said,) = decode_payload(name, 3, head + "0101 01 00 016F 000000000000 0001 00 81")
        assert (type(said), said.reason) == (Reject, reason)


def test_another_device_of_the_maker_is_none_of_the_parking_sensors() -> None:
    assert decode_payload("dingtek_do20x", 3, DO201.format("1000", "15").replace("31", "99", 1))[0].reason == "noise"


def test_settings_tell_the_firmware_alone() -> None:
    said = one("dingtek_do20x", "80 00 31 03 10 01 01 18 1E 3C 00 3C 14 00 00 81")
    assert said.fields == {"firmware_version": "1.1", "event": "configuration"}
