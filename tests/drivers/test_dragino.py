"""Dragino's distance, air and climate sensors."""

import pytest

from gateway.contract import Measurement, Quality
from tests.support.recordings import decode_payload

READING = "0D3B 0AEF 00 FF9C 01"


def test_the_battery_is_not_the_distance() -> None:
    for of_firmware in ("0D3B 0AEF", "0D3B 0AEF 00"):
        said = decode_payload("dragino_ldds75", 2, of_firmware)[0]
        assert said.fields == {"battery_voltage": 3.387, "distance": 2799.0}


def test_the_upper_bits_of_the_battery_are_flags() -> None:
    (own, *_) = decode_payload("dragino_ldds04", 2, "CD4A 0316 0318 031A 0315 01")
    assert own.fields == {"battery_voltage": 3.402, "event": "trigger"}


@pytest.mark.parametrize(("raw", "event"), [("0000", "no sensor"), ("0001", "too near"), ("0014", "too near")])
def test_0_and_up_to_20_are_states_and_no_distances(raw: str, event: str) -> None:
    said = decode_payload("dragino_ldds75", 2, f"0D3B {raw} 00 0000 01", threshold_mm=1000)[0]
    assert said.quality == Quality.OUT_OF_RANGE
    assert said.fields == {"battery_voltage": 3.387, "event": event}


def test_a_sensor_that_is_not_there_makes_the_reading_doubtful() -> None:
    said = decode_payload("dragino_ldds75", 2, "0D3B 0AEF 00 0000 00")[0]
    assert (said.fields["event"], said.quality) == ("no sensor", Quality.OUT_OF_RANGE)


@pytest.mark.parametrize(("probe", "degrees"), [("tenths", -10.0), ("hundredths", -1.0), (None, None)])
def test_the_scale_of_the_probe_is_an_option(probe: str | None, degrees: float | None) -> None:
    said = decode_payload("dragino_ldds75", 2, READING, probe=probe)[0]
    assert said.fields.get("external_temperature") == degrees


def test_a_probe_that_does_not_answer_gives_no_temperature() -> None:
    assert (
        "external_temperature"
        not in decode_payload("dragino_ldds75", 2, "0D3B 0AEF 00 7FFF 01", probe="hundredths")[0].fields
    )
    assert "external_temperature" not in decode_payload("dragino_lht52", 2, "0A64 020F 7FFF 01 65E0AA4E")[0].fields


def test_of_several_samples_the_last_holds_and_the_others_are_named() -> None:
    said, earlier = decode_payload("dragino_ldds75", 2, "1D3B 0000 00 0000 00 0AEF 0AF0")
    assert said.fields == {"battery_voltage": 3.387, "distance": 2800.0}
    assert (earlier.kind, earlier.detail) == ("left out", "2799 mm")


@pytest.mark.parametrize(
    ("name", "hex_"), [("ldds75", "0D3B0AEF000001" + "64F13A7B"), ("lht52", "0A64020F7FFF01" + "64F13A7B")]
)
def test_kept_readings_have_their_own_time(name: str, hex_: str) -> None:
    first, second = decode_payload(f"dragino_{name}", 3, hex_ + hex_.replace("64F13A7B", "64F13DFF"))
    assert (first.time, second.time) == (1_693_530_747_000_000_000, 1_693_531_647_000_000_000)


@pytest.mark.parametrize("strength", ["0000", "0063", "FFFF"])
def test_a_weak_or_blinding_echo_makes_the_distance_doubtful(strength: str) -> None:
    assert (
        decode_payload("dragino_llds12", 2, f"0D5C 0000 0B18 {strength} 00 1E 01")[0].quality == Quality.OUT_OF_RANGE
    )
    assert decode_payload("dragino_llds12", 2, "0D5C 0000 0B18 0064 00 1E 01")[0].quality == Quality.GOOD


@pytest.mark.parametrize("strength", ["0032", "FFFF"])
def test_a_weak_or_blinded_lidar_says_nothing_of_the_bay(strength: str) -> None:
    (said,) = decode_payload("dragino_llds12", 2, f"0D5C 0000 0B18 {strength} 00 1E 01", threshold_mm=1500)
    assert "occupied" not in said.fields
    assert (
        decode_payload("dragino_llds12", 2, "0D5C 0000 0B18 0064 00 1E 01", threshold_mm=1500)[0].fields["occupied"]
        is False
    )


@pytest.mark.parametrize("name", ["llds12", "ldds04"])
def test_the_answer_to_a_question_is_no_reading(name: str) -> None:
    assert decode_payload(f"dragino_{name}", 2, "0D5C 0000 0B18 01B1 00 1E 02")[0].reason == "unsupported"


def test_each_head_is_a_series_and_one_that_is_missing_is_none() -> None:
    said = decode_payload("dragino_ldds04", 2, "0D4A 0316 0000 031A 0315 01")
    assert [one.tags.get("head") for one in said] == [None, "1", "3", "4"]
    assert [one.fields.get("distance") for one in said] == [None, 790.0, 794.0, 789.0]


def test_the_bounds_of_the_alarm_are_no_reading() -> None:
    assert decode_payload("dragino_laq4", 2, "0D07 7C EC280064019007D0")[0].reason == "unsupported"


def test_a_reading_of_just_now_leaves_the_time_to_the_network() -> None:
    assert decode_payload("dragino_lht52", 2, "0A64 020F 7FFF 01 65E0AA4E")[0].time is None


@pytest.mark.parametrize("name", ["ldds75", "lht52"])
def test_device_information_tells_firmware_and_battery(name: str) -> None:
    said = decode_payload(f"dragino_{name}", 5, "27 0123 01 FF 0D3B")[0]
    assert isinstance(said, Measurement)
    assert (said.fields["firmware_version"], said.fields["battery_voltage"]) == ("1.2.3", 3.387)


LHT65 = "CBF6 0B0D 0376"


def test_a_date_tells_a_reading_that_is_sent_again_from_a_cable_that_is_not_plugged_in() -> None:
    (loose,) = decode_payload("dragino_lht65", 2, f"{LHT65} 81 7FFF 7FFF")
    (again,) = decode_payload("dragino_lht65", 2, "0ADD 0B0D 0376 81 65E0AA4E")
    assert (loose.fields["event"], loose.time) == ("no probe", None)
    assert (again.fields["external_temperature"], again.time) == (27.81, 1_709_222_478_000_000_000)


def test_kept_readings_that_were_asked_for_have_their_own_time_and_no_battery() -> None:
    first, second = decode_payload("dragino_lht65", 2, "7FFF 0898 0146 41 6008F92F 0ADD 088E 014B 41 6008F9A1")
    assert (first.time, second.time) == (1_611_200_815_000_000_000, 1_611_200_929_000_000_000)
    assert first.fields == {"temperature": 22.0, "relative_humidity": 0.326}
    assert second.fields == {"temperature": 21.9, "relative_humidity": 0.331, "external_temperature": 27.81}


@pytest.mark.parametrize(("name", "port"), [("lht65", 2), ("aqs01", 3), ("ldds75", 3), ("ldds04", 3), ("lht52", 3)])
def test_zeros_alone_say_that_nothing_was_kept(name: str, port: int) -> None:
    (said,) = decode_payload(f"dragino_{name}", port, "00" * 11)
    assert (said.reason, said.detail) == ("unsupported", "nothing was kept")


def test_the_battery_s_grade_and_the_humidity_s_upper_bits_are_no_part_of_the_numbers() -> None:
    (said,) = decode_payload("dragino_lht65", 2, "FE0C 0B0D C376 09 65E0AA4E")
    assert said.fields == {"temperature": 28.29, "relative_humidity": 0.886, "external_temperature": -5.0}
    assert said.time is None


def test_a_sensor_of_the_lht65_that_does_not_answer_gives_no_climate() -> None:
    (said,) = decode_payload("dragino_lht65", 2, "CBF6 7FFF FFFF 01 7FFF 7FFF")
    assert said.fields == {"battery_voltage": 3.062, "event": "no sensor"}


def test_the_number_of_a_probe_is_no_reading() -> None:
    for kind in ("0F", "10", "20"):
        assert decode_payload("dragino_lht65", 2, f"{LHT65} {kind} 0ADD 7FFF")[0].reason == "unsupported"


def test_the_scale_of_the_aqs01_s_temperature_is_in_its_frame() -> None:
    for flags, degrees in (("00", 24.2), ("10", 2.42)):
        (said,) = decode_payload("dragino_aqs01", 2, f"0E42 00F2 0236 276E 02A4 {flags}")
        assert said.fields["temperature"] == degrees


def test_the_gas_of_an_aqs02_is_an_option_since_both_say_the_same_of_themselves() -> None:
    (said,) = decode_payload("dragino_aqs01", 2, "0E42 00F2 0236 276E 0002 00", gas="co")
    assert said.fields["co"] == pytest.approx(2328.8, abs=0.1)
    assert "co2" not in said.fields


@pytest.mark.parametrize("raw", ["0000", "FFFF"])
def test_a_laser_that_sees_nothing_says_nothing_of_the_bay(raw: str) -> None:
    own, passed = decode_payload("dragino_ds20l", 2, f"0E10 40 {raw} 00 00000007", threshold_mm=300)
    assert own.fields == {"battery_voltage": 3.6, "event": "no distance"}
    assert (passed.kind, passed.fields) == ("traffic", {"total_count": 7})


@pytest.mark.parametrize(("probe", "degrees"), [("tenths", None), ("hundredths", 32.76)])
def test_no_probe_in_tenths_costs_the_distance_nothing(probe: str, degrees: float | None) -> None:
    (said,) = decode_payload("dragino_ldds75", 2, "0D3B 0AEF 00 0CCC 01", probe=probe)
    assert said.fields.get("external_temperature") == degrees
    assert (said.fields["distance"], said.quality) == (2799.0, Quality.GOOD)


@pytest.mark.parametrize("tail", ["00 00D7 01", "01 FF9C 01", "02 7FFF 00", "02 0CCC 00"])
def test_the_state_behind_the_samples_is_no_distance(tail: str) -> None:
    said, earlier = decode_payload("dragino_ldds75", 2, f"1D0C 0AEF 00 0000 01 0AEF 0AF0 0AF1 {tail}")
    assert (said.fields["distance"], earlier.detail) == (2801.0, "2799, 2800 mm")


def test_in_the_frame_of_samples_the_probe_is_in_tenths_and_nothing_stands_for_none() -> None:
    frame = "1D0C 0AEF 00 0000 01 0AEF 00 {} 01"
    for raw, degrees in (("00D7", 21.5), ("FF9C", -10.0), ("0000", None), ("7FFF", None)):
        (said,) = decode_payload("dragino_ldds75", 2, frame.format(raw))
        assert said.fields.get("external_temperature") == degrees
    (said,) = decode_payload("dragino_ldds75", 2, frame.format("0000"), probe="tenths")
    assert said.fields["external_temperature"] == 0.0


def test_each_of_three_heads_is_a_series_now_and_kept() -> None:
    own, *heads = decode_payload("dragino_ldds75", 2, "0D0C 00D7 0AEF 0AF0 0AF1 10")
    assert own.fields == {"battery_voltage": 3.34, "external_temperature": 21.5}
    assert [(one.tags["head"], one.fields["distance"]) for one in heads] == [
        ("1", 2799.0),
        ("2", 2800.0),
        ("3", 2801.0),
    ]
    kept = decode_payload("dragino_ldds75", 3, "0AEF 0AF0 0AF1 00 64F13A7B", heads=3)
    assert [one.fields["distance"] for one in kept] == [2799.0, 2800.0, 2801.0]
    assert {one.time for one in kept} == {1_693_530_747_000_000_000}


def test_heads_whose_sensor_is_not_there_say_nothing_of_their_bays() -> None:
    _, *heads = decode_payload("dragino_ldds75", 2, "0D0C 0000 0AEF 0AF0 0AF1 00", threshold_mm=3000)
    assert [one.fields for one in heads] == [{"event": "no sensor"}] * 3


@pytest.mark.parametrize(
    ("generation", "first", "woken"), [("lb", "4D", True), ("lb", "8D", False), ("first", "8D", True)]
)
def test_the_generations_of_four_heads_have_different_flags(generation: str, first: str, woken: bool) -> None:
    own, *_ = decode_payload("dragino_ldds04", 2, f"{first}4A 0316 0318 031A 0315 01", generation=generation)
    assert (own.fields.get("event") == "trigger") is woken


def test_what_a_dds04_lb_kept_has_its_own_time() -> None:
    said = decode_payload("dragino_ldds04", 3, "4001BE0B5B0D3164CCC6C0")
    assert [one.fields["distance"] for one in said] == [446.0, 2907.0, 3377.0]
    assert {one.time for one in said} == {1_691_141_824_000_000_000}
