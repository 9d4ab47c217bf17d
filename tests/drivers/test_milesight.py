"""Milesight's family: entries, what they mean in each device, and readings with their own time."""

from typing import Any

import pytest

from gateway.contract import Measurement, Reject
from tests.support.recordings import decode_payload

CODECS = (
    "milesight_am",
    "milesight_em500_co2",
    "milesight_udl",
    "milesight_vs13x",
    "milesight_vs340",
    "milesight_vs350",
)
HEADER = (
    "02 0001 005F 00 0000 01 30313031 30313130 36373439443139303534363930303331 383638353038303634383037333530"
    "343630303433323234323133313130 3839383630343132313032323730303632383537 09 000E"
)


def measured(said: list[Any]) -> list[Measurement]:
    assert all(isinstance(one, Measurement) for one in said), said
    return said


@pytest.mark.parametrize("name", CODECS)
def test_a_serial_number_has_eight_bytes_whatever_the_readme_says(name: str) -> None:
    (said,) = decode_payload(name, 85, "FF 16 66 14 C3 96 94 87 00 00 01 75 64")
    assert said.fields == {"serial_number": "6614c39694870000", "battery_level": 1.0}


@pytest.mark.parametrize("number", ["6600b0940976", "6600b09409761234"])
@pytest.mark.parametrize("more", ["", "FF 09 01 00"])
def test_the_vs121_has_a_serial_number_of_six_or_eight_bytes(number: str, more: str) -> None:
    (said,) = decode_payload("milesight_vs121", 85, f"FF 08 {number} {more}")
    assert said.fields["serial_number"] == number


@pytest.mark.parametrize("port", [1, 85, 223])
def test_the_port_can_be_changed_so_any_is_taken(port: int) -> None:
    assert measured(decode_payload("milesight_vs340", port, "03 00 01"))[0].fields == {"occupied": True}


@pytest.mark.parametrize("name", CODECS)
def test_an_answer_to_a_setting_is_no_reading(name: str) -> None:
    (said,) = decode_payload(name, 85, "FE 03 58 02")
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


def test_tvoc_is_ppb_or_an_index_as_the_option_says() -> None:
    assert decode_payload("milesight_am", 85, "08 7D 25 00")[0].fields == {"tvoc": 37.0}
    assert decode_payload("milesight_am", 85, "08 7D 25 00", tvoc="index")[0].fields == {"tvoc_index": 0.37}
    assert decode_payload("milesight_am", 85, "08 E6 25 00", tvoc="index")[0].fields == {"tvoc_mass": 37.0}


def test_ozone_and_formaldehyde_are_given_in_ug_m3() -> None:
    (said,) = decode_payload("milesight_am", 85, "0D 7D 03 00 0A 7D 07 00")
    assert said.fields == {"o3": 59.86, "ch2o": 70.0}


KEPT = {
    "am102": "20 CE 7B3AF164 EE00 7C",
    "am103": "20 CE 7B3AF164 EE00 7C A803",
    "am304l": "20 CE 7B3AF164 01 EE00 01 7C 40 0500 01 0200",
    "am305l": "20 CE 7B3AF164 01 EE00 01 7C 40 0500 01 0200 01 A803",
    "am307": "20 CE 7B3AF164 EE00 7C00 01 02 A803 2500 6627",
    "am308": "20 CE 7B3AF164 EE00 7C00 01 02 A803 2500 6627 2000 3000",
    "am319_o3": "20 CE 7B3AF164 EE00 7C00 01 02 A803 2500 6627 2000 3000 0300",
    "am319_hcho": "20 CE 7B3AF164 EE00 7C00 01 02 A803 2500 6627 2000 3000 0700",
}


@pytest.mark.parametrize(("model", "hex_"), list(KEPT.items()))
@pytest.mark.parametrize("told", [True, False])
def test_kept_readings_have_their_own_time_and_their_length_tells_the_model(
    model: str, hex_: str, told: bool
) -> None:
    options = {"model": model} if told else {}
    said = decode_payload("milesight_am", 85, hex_ + hex_.replace("7B3A", "FF3D"), **options)
    first, second = (one for one in said if isinstance(one, Measurement))
    assert (first.time, second.time) == (1_693_530_747_000_000_000, 1_693_531_647_000_000_000)
    assert first.fields.get("co2", 936.0) == 936.0
    assert first.fields["temperature"] == 23.8


def test_the_place_of_ozone_and_formaldehyde_needs_the_model() -> None:
    said = decode_payload("milesight_am", 85, KEPT["am319_o3"])
    assert {"o3", "ch2o"}.isdisjoint(said[0].fields)
    assert (said[1].kind, said[1].what) == ("left out", "ozone or formaldehyde: the option model says which")
    assert decode_payload("milesight_am", 85, KEPT["am319_o3"], model="am319_o3")[0].fields["o3"] == 59.86


def test_kept_readings_of_a_length_that_no_model_has_are_refused() -> None:
    (said,) = decode_payload("milesight_am", 85, "20 CE 7B3AF164 EE00 7C00")
    assert said.reason == "unsupported"
    now, said = decode_payload("milesight_am", 85, "03 67 EE00 20 CE 7B3AF164 EE00 7C00")
    assert (now.fields, said.reason) == ({"temperature": 23.8}, "unsupported")


def test_two_short_readings_are_not_taken_for_a_long_one() -> None:
    two = KEPT["am102"] + KEPT["am102"]
    assert len(bytes.fromhex(two)) == len(bytes.fromhex(KEPT["am307"])) == 18
    assert [one.fields["relative_humidity"] for one in measured(decode_payload("milesight_am", 85, two))] == [0.62]
    later = KEPT["am102"] + KEPT["am102"].replace("7B3A", "FF3D")
    assert len(measured(decode_payload("milesight_am", 85, later))) == 2


def test_an_am304l_marks_each_kept_value_as_valid_or_not() -> None:
    said = decode_payload("milesight_am", 85, "20 CE 7B3AF164 03 EE00 00 7C 40 0500 01 0200")
    assert said[0].fields == {"motion": 5, "light_level": 2}
    assert [(one.what, one.detail) for one in said[1:]] == [
        ("temperature of a kept reading", "the device calls it 3")
    ]


def test_an_am305l_keeps_lux_under_another_channel_than_steps() -> None:
    record = "7B3AF164 01 EE00 01 7C 40 0500 01 2003 01 A803"
    for channel, light in (("20", {"light_level": 800}), ("21", {"illuminance": 800.0})):
        (said,) = measured(decode_payload("milesight_am", 85, f"{channel} CE {record}"))
        assert {name: said.fields[name] for name in ("light_level", "illuminance") if name in said.fields} == light
        assert said.fields["co2"] == 936.0


def test_the_upper_bit_of_the_movements_is_no_number() -> None:
    assert decode_payload("milesight_am", 85, "05 9F 0380")[0].fields == {"motion": 3}


@pytest.mark.parametrize(
    ("hex_", "fields"),
    [
        ("83 67 EE00 13", {"temperature": 23.8, "event": "temperature alarm"}),
        ("83 67 EE00 12", {"temperature": 23.8, "event": "temperature alarm over"}),
        ("86 9D 2003 10", {"illuminance": 800.0, "event": "dim"}),
        ("87 7D A803 13", {"co2": 936.0, "event": "CO2 alarm"}),
        ("B3 67 00 B7 7D 01", {"event": "temperature sensor failure, CO2 out of range"}),
    ],
)
def test_alarms_and_failures_of_the_am305l_are_told(hex_: str, fields: dict[str, object]) -> None:
    assert decode_payload("milesight_am", 85, hex_)[0].fields == fields


def test_a_reading_kept_before_the_clock_was_set_is_refused() -> None:
    (said,) = decode_payload("milesight_udl", 85, "20 CE 10000000 1E00")
    assert said.reason == "range"


@pytest.mark.parametrize(
    ("millimetres", "occupied"), [("B703", True), ("E703", True), ("E803", False), ("4408", False)]
)
def test_a_distance_below_the_threshold_is_a_vehicle(millimetres: str, occupied: bool) -> None:
    (said,) = decode_payload("milesight_udl", 85, f"04 82 {millimetres}", threshold_mm=1000)
    assert said.fields["occupied"] is occupied


def test_without_a_threshold_a_distance_tells_nothing_of_a_vehicle() -> None:
    assert decode_payload("milesight_udl", 85, "04 82 4408")[0].fields == {"distance": 2116.0}


def test_the_em500_gives_millimetres_in_both_of_its_entries() -> None:
    for hex_ in ("03 82 1E00", "83 E9 1E00 0000 00"):
        assert decode_payload("milesight_udl", 85, hex_)[0].fields["distance"] == 30.0


def test_over_nb_iot_a_header_stands_before_the_same_entries() -> None:
    (said,) = decode_payload("milesight_udl", 0, HEADER + "017564 03670B01 04823B01 050001")
    assert said.fields["distance"] == 315.0
    assert said.fields["serial_number"] == "6749D19054690031"
    assert said.fields["rssi"] == -95.0


def test_what_only_looks_like_the_header_is_read_as_entries() -> None:
    (said,) = decode_payload("milesight_udl", 0, HEADER + "017564")
    assert said.reason == "unsupported"


def test_the_bitmap_of_the_vs121_is_big_endian() -> None:
    said = measured(decode_payload("milesight_vs121", 85, "04 C9 03 08 00 A1"))
    assert [one.tags["region"] for one in said if one.fields.get("occupied")] == ["1", "6", "8"]
    assert [one.kind for one in said] == ["traffic", *["parking"] * 8]


def test_a_bitmap_for_more_regions_than_it_has_bits_is_no_trouble() -> None:
    assert len(decode_payload("milesight_vs121", 85, "04 C9 03 FF 00 A1")) == 17


def test_children_are_in_the_counts_already_and_left_out() -> None:
    lines = "".join(
        f"{channel:02X} {type_} 01000000"
        for channel, type_ in zip(range(0x11, 0x1D), ("D2", "D2", "CC") * 4, strict=True)
    )
    (said,) = decode_payload("milesight_vs13x", 85, lines + "1D E3 01010101 1E E4 01 0100 0200 03 D2 05000000")
    assert said.fields == {"total_count": 5}


def test_each_line_and_direction_is_a_series_of_its_own() -> None:
    said = measured(decode_payload("milesight_vs13x", 85, "03D201000000 04D202000000 06D203000000 08CC04000500"))
    assert [(one.tags["line"], one.tags["direction"], dict(one.fields)) for one in said] == [
        ("1", "in", {"total_count": 1}),
        ("1", "out", {"total_count": 2}),
        ("2", "in", {"total_count": 3, "intensity": 4}),
        ("2", "out", {"intensity": 5}),
    ]


@pytest.mark.parametrize(("channel", "name"), [("10", "average_dwell_time"), ("20", "max_dwell_time")])
def test_of_a_kept_stay_the_average_and_the_longest_come_one_by_one(channel: str, name: str) -> None:
    (said,) = measured(decode_payload("milesight_vs13x", 85, f"20CE 7B3AF164 {channel} 02 1F00"))
    assert (said.fields, said.tags) == ({name: 31.0}, {"region": "2"})
    assert said.time == 1_693_530_747_000_000_000


@pytest.mark.parametrize("name", ["milesight_am", "milesight_em500_co2", "milesight_udl", "milesight_vs350"])
def test_a_temperature_below_zero_is_signed_and_little_endian(name: str) -> None:
    assert decode_payload(name, 85, "03 67 9CFF")[0].fields == {"temperature": -10.0}


def test_a_vs330_that_does_not_know_says_nothing() -> None:
    (said,) = decode_payload("milesight_vs340", 85, "02 82 E803 03 8E 02")
    assert said.fields == {"distance": 1000.0}


def test_both_alarms_of_a_vs350_are_told() -> None:
    said = measured(decode_payload("milesight_vs350", 85, "84CC 0111 0811 01 85CC E803 E903 00"))
    assert said[-1].fields == {"event": "total alarm, count alarm over"}


@pytest.mark.parametrize(
    ("hex_", "fields"),
    [("00 0B00 0400", {"intensity": 11}), ("01 0B00 0400 1D00 0800", {"intensity": 11, "total_count": 29})],
)
def test_a_kept_count_may_lack_its_totals(hex_: str, fields: dict[str, int]) -> None:
    came, went = measured(decode_payload("milesight_vs350", 85, "20 CE 7B3AF164" + hex_))
    assert came.fields == fields
    assert came.time == went.time == 1_693_530_747_000_000_000
