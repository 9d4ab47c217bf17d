"""Milesight's sensors of climate, level and rooms: EM300, EM410-RDL, VS321, VS360, VS373."""

from typing import Any

import pytest

from gateway.contract import Measurement
from tests.support.recordings import decode_payload


def fields(name: str, hex_: str, **options: object) -> list[dict[str, Any]]:
    said = decode_payload(name, 85, hex_, **options)
    assert all(isinstance(one, Measurement) for one in said), said
    return [dict(one.fields) for one in said]


@pytest.mark.parametrize(
    ("hex_", "count"),
    [
        ("20CE 9E744663 1001 5D", 1),  # EM320-TH
        ("20CE 9E744663 1001 5D 20CE FE774663 1001 5D", 2),
        ("20CE 9E744663 1001 5D 00 20CE FE774663 1001 5D 01 20CE 5E7B4663 1001 5D 01", 3),  # EM300
    ],
)
def test_where_the_next_kept_reading_begins_tells_the_length_of_one(hex_: str, count: int) -> None:
    assert fields("milesight_em300", hex_) == [{"temperature": 27.2, "relative_humidity": 0.465}] * count


def test_a_counter_is_kept_under_the_time_of_its_climate() -> None:
    climate, pulses = decode_payload("milesight_em300", 85, "20CE 9E744663 1001 5D 02 00 00010000")
    assert (pulses.kind, pulses.fields) == ("traffic", {"total_count": 256})
    assert climate.time == pulses.time == 1_665_561_758_000_000_000


def test_an_input_that_was_kept_is_no_count() -> None:
    assert len(fields("milesight_em300", "20CE 9E744663 1001 5D 01 01 00000000")) == 1


def test_a_contact_means_something_else_in_each_model_and_is_left_out() -> None:
    assert fields("milesight_em300", "0367 0000 0600 01 0500 01") == [{"temperature": 0.0}]


@pytest.mark.parametrize(
    ("raw", "event"), [("FDFF", {"event": "no target"}), ("FFFF", {"event": "sensor failure"}), ("FEFF", {})]
)
def test_what_stands_for_no_distance_says_nothing_of_the_bay(raw: str, event: dict[str, str]) -> None:
    (said,) = fields("milesight_rdl", f"0500 00 0482 {raw}", threshold_mm=1000)
    assert said == {"tilted": False, **event}
    (said,) = fields("milesight_rdl", f"20CE 7B3AF164 {raw} 0C01 0000 00", threshold_mm=1000)
    assert said == {"temperature": 26.8, **event}


def test_a_surface_within_the_blind_zone_has_no_distance() -> None:
    assert fields("milesight_rdl", "B482 6400 01", threshold_mm=1000) == [{"event": "too near"}]
    assert fields("milesight_rdl", "20CE 7B3AF164 6400 FFFF 0000 04", threshold_mm=1000) == [
        {"event": "too near, temperature sensor failure"}
    ]


def test_a_tenth_below_zero_is_a_temperature_where_no_failure_is_written_so() -> None:
    assert fields("milesight_rdl", "0367 FFFF") == [{"temperature": -0.1}]
    assert fields("milesight_vs321", "0367 FFFF") == [{"event": "temperature sensor failure"}]


def test_a_region_that_is_not_in_use_is_neither_free_nor_taken() -> None:
    said = decode_payload("milesight_vs321", 85, "06FE 0500 0400")
    assert [(one.tags["region"], one.fields["occupied"]) for one in said] == [("1", False), ("3", True)]


def test_a_camera_that_cannot_see_counts_nobody() -> None:
    assert fields("milesight_vs321", "05FD 0000 08F4 0001 06FE 0100 0000") == [{"event": "detection unavailable"}]
    assert fields("milesight_vs321", "05FD 0000 08F4 0000") == [{"people_count": 0}]


def test_what_a_camera_kept_holds_though_it_cannot_see_now() -> None:
    said = fields("milesight_vs321", "08F4 0001 20CE 7B3AF164 00 0500")
    assert said == [{"event": "detection unavailable"}, {"people_count": 5}]


def test_the_firmwares_of_a_vs373_say_taken_differently() -> None:
    old = decode_payload("milesight_vs373", 85, "04F9 00010101")
    new = decode_payload("milesight_vs373", 85, "0AB3 04 01000000")
    assert [one.fields["occupied"] for one in old] == [one.fields["occupied"] for one in new] == [True] + [False] * 3


def test_an_alarm_that_was_kept_has_its_own_time() -> None:
    (said,) = decode_payload("milesight_vs373", 85, "20CE 7B3AF164 0100 00 02 00")
    assert (said.fields, said.time) == ({"event": "fall alarm over"}, 1_693_530_747_000_000_000)


def test_the_second_half_of_a_beam_has_its_own_battery() -> None:
    main, node = decode_payload("milesight_vs350", 85, "0175 64 0275 5A")
    assert (main.tags, node.tags) == ({}, {"unit": "node"})
    assert (main.fields, node.fields) == ({"battery_level": 1.0}, {"battery_level": 0.9})


def test_troubles_of_the_beam_begin_and_end() -> None:
    assert fields("milesight_vs350", "03F4 0001 03F4 0200") == [{"event": "counting anomaly, beam misaligned over"}]
