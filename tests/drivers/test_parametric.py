"""Parametric TCR and PCR2."""

import pytest

from drivers.codecs.parametric_tcr import directions, settings
from tests.support.recordings import decode_payload

CLASSES = "0000 00 0001 06 0000 00 0002 0B 0000 00 0001 1E 0000 00 0000 00"


def test_the_average_speed_is_that_of_the_vehicles_and_not_of_the_classes() -> None:
    _, left, right = decode_payload("parametric_tcr", 15, "BE 02 01 64 12C2 00FA" + CLASSES)
    assert right.fields["average_vehicle_speed"] == 14.5
    assert "average_vehicle_speed" not in left.fields
    assert (left.tags, right.tags) == ({"direction": "left"}, {"direction": "right"})


def test_the_classes_add_up_to_the_intensity() -> None:
    _, _, right = decode_payload("parametric_tcr", 15, "BE 02 01 64 12C2 00FA" + CLASSES)
    assert sum(right.fields[f"intensity_class_{n}"] for n in range(4)) == right.fields["intensity"] == 4


@pytest.mark.parametrize(
    ("battery", "fields"), [("01 64", {"battery_level": 1.0}), ("02 2B5C", {"battery_voltage": 11.1})]
)
def test_the_battery_is_in_per_cent_or_millivolts_by_version(battery: str, fields: dict[str, float]) -> None:
    (own, *_) = decode_payload("parametric_tcr", 15, f"BE 02 {battery} 0000 FFA0 {CLASSES}")
    assert own.fields == {**fields, "solar_power": 0.0, "device_temperature": -9.6}


def test_the_settings_after_a_join_are_read() -> None:
    read = settings(bytes.fromhex("BE0201000102030000000003 05A0 0007 64 00 00 0107 0819 1A31 3278".replace(" ", "")))
    assert (read.firmware, read.interval, read.link_check, read.hold_off, read.sensitivity) == (
        "1.2.3",
        3,
        1440,
        7,
        100,
    )
    assert read.classes == ((1, 7), (8, 25), (26, 49), (50, 120))


def test_no_vehicle_has_no_speed() -> None:
    assert directions(bytes(32))["left"].speed == 0.0


@pytest.mark.parametrize(
    ("name", "hex_"), [("parametric_tcr", "BE 01 04"), ("parametric_pcr2", "0A 0001 17 0002 01 0000")]
)
def test_another_device_is_not_ours(name: str, hex_: str) -> None:
    port = 15 if name.endswith("tcr") else 14
    assert decode_payload(name, port, hex_)[0].reason == "noise"


@pytest.mark.parametrize("second", ["0A", "16"])
def test_the_short_form_has_no_sums(second: str) -> None:
    own, left, right = decode_payload("parametric_pcr2", 14, f"0A 0002 {second} 0001 01 FF9A")
    assert own.fields == {"device_temperature": -10.2}
    assert (left.fields, right.fields) == ({"intensity": 2}, {"intensity": 1})


@pytest.mark.parametrize(
    ("hex_", "fields"),
    [
        ("03 0001 0002 0003 0004 64", {"battery_level": 1.0}),
        ("04 0001 0002 0003 0004 1C20", {"battery_voltage": 7.2}),
    ],
)
def test_the_long_form_has_sums_that_go_on(hex_: str, fields: dict[str, float]) -> None:
    own, left, right = decode_payload("parametric_pcr2", 14, f"BE 01 {hex_} 0CE4 0139")
    assert own.fields == {**fields, "solar_power": 3.3, "device_temperature": 31.3}
    assert (left.fields, right.fields) == ({"intensity": 1, "total_count": 3}, {"intensity": 2, "total_count": 4})


@pytest.mark.parametrize(
    ("hex_", "firmware"), [("BE0103 00 030402" + "00" * 13, "3.4.2"), ("00 030002" + "00" * 10, "3.0.2")]
)
def test_both_forms_of_the_settings_tell_the_firmware(hex_: str, firmware: str) -> None:
    (said,) = decode_payload("parametric_pcr2", 190, hex_)
    assert said.fields == {"event": "configuration", "firmware_version": firmware}


@pytest.mark.parametrize(("port", "category"), [(13, "all"), (14, "1"), (15, "2"), (16, "3"), (17, "4")])
def test_the_second_generation_sends_a_message_for_each_category(port: int, category: str) -> None:
    _, right, left = decode_payload("parametric_tcr", port, "A2 14 0A 03E8 32 044C 34 33")
    assert right.tags == {"direction": "left_to_right", "category": category}
    assert left.tags == {"direction": "right_to_left", "category": category}


def test_the_first_byte_tells_the_generations_apart_on_the_port_that_they_share() -> None:
    (own, *_) = decode_payload("parametric_tcr", 15, "A2 14 0A 0000 00 0000 00 33")
    assert own.fields == {"battery_voltage": 5.1}
    (own, *_) = decode_payload("parametric_tcr", 15, "BE 02 01 64 12C2 00FA" + CLASSES)
    assert own.fields["battery_level"] == 1.0


def test_a_category_without_vehicles_has_no_speed_and_no_date_makes_no_time() -> None:
    said = decode_payload("parametric_tcr", 14, "A2 14 0A 0000 00 0000 00 33")
    assert [one.fields for one in said[1:]] == [{"intensity": 0}, {"intensity": 0}]
    assert {one.time for one in said} == {None}


def test_the_identity_is_no_count_and_a_count_no_identity() -> None:
    assert decode_payload("parametric_tcr", 14, "D2 0A 02 02 11 00 42 00 00 00")[0].reason == "noise"
    assert decode_payload("parametric_tcr", 190, "A2 14 0A 03 E8 32 04 4C")[0].reason == "noise"
