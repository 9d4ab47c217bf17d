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


def test_of_several_samples_the_last_holds() -> None:
    said = decode_payload("dragino_ldds75", 2, "1D3B 0000 00 0000 00 0AEF 0AF0")[0]
    assert said.fields == {"battery_voltage": 3.387, "distance": 2800.0}


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
