"""Libelium Smart Parking: the same bytes in two firmwares."""

import pytest

from drivers.codecs.libelium_smart_parking import parse
from tests.support.recordings import decode_payload

INFO = "80 04 1E 01 AD 10 93 93 EE 00 C7"


def test_the_same_bytes_mean_other_things_in_another_firmware() -> None:
    second, third = (
        decode_payload("libelium_smart_parking", 3, INFO, firmware=firmware)[0].fields for firmware in ("v2", "v3")
    )
    assert (second["temperature"], second["battery_voltage"]) == (30.0, 3.596)
    assert (third["temperature"], third["device_error"]) == (1.0, 0x1E)
    assert "battery_voltage" not in third


def test_the_magnetic_field_is_read_of_firmware_2_alone() -> None:
    assert parse(bytes.fromhex(INFO), "v2").axes == (429, 4243, 37870)
    assert parse(bytes.fromhex(INFO), "v3").axes is None


@pytest.mark.parametrize(("firmware", "event"), [("v2", "status"), ("v3", "recalibration")])
def test_bit_4_says_recalibrated_in_firmware_3_alone(firmware: str, event: str) -> None:
    assert decode_payload("libelium_smart_parking", 3, "90" + INFO[2:], firmware=firmware)[0].fields["event"] == event


def test_the_battery_to_be_changed_is_told_in_every_frame() -> None:
    for type_ in range(9):
        said = decode_payload("libelium_smart_parking", 3, f"{0x40 | type_:02X}" + INFO[2:], firmware="v2")[0]
        assert said.fields["battery_low"] is True


@pytest.mark.parametrize(("type_", "temperature"), [(0, -5), (1, -5), (3, -5), (4, -5), (6, -5), (7, -5), (8, -5)])
def test_the_temperature_stands_at_another_place_in_each_type(type_: int, temperature: int) -> None:
    place = {0: 2, 3: 3, 4: 2}.get(type_, 4)
    frame = bytearray(11)
    frame[0], frame[place] = type_, 0xFB
    assert parse(bytes(frame), "v2").temperature == temperature


def test_a_daily_update_counts_resets_in_both() -> None:
    frame = bytes.fromhex("82 9F 66 57 00 00 0D 9F 02 FF 00")
    assert [(read.resets, read.configuration) for read in (parse(frame, "v2"), parse(frame, "v3"))] == [(2, 255)] * 2


def test_firmware_2_tells_the_time_of_day_and_its_settings() -> None:
    assert parse(bytes.fromhex("8114160011F35A1095F3B5"), "v2").clock == (22, 0)
    start = parse(bytes.fromhex("050106160801010100014B"), "v2")
    assert (start.firmware, start.settings) == (6, (22, 8, 1, 1, 1, 0, 1, 75))


def test_twelve_bytes_are_firmware_1_and_refused() -> None:
    assert decode_payload("libelium_smart_parking", 3, INFO + "00")[0].reason == "length"


def test_an_unknown_type_of_frame_is_unsupported() -> None:
    assert decode_payload("libelium_smart_parking", 3, "8F" + INFO[2:])[0].reason == "unsupported"
