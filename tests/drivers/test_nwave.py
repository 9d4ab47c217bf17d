"""Nwave NPS405, NPS310 and NCC405."""

from collections.abc import Callable
from typing import Any

import pytest

from drivers.codecs.nwave_nps405 import minutes

Read = Callable[..., list[Any]]


@pytest.mark.parametrize(
    ("packed", "expected"),
    [(0, 0), (89, 89), (90, 90), (91, 95), (119, 235), (120, 240), (121, 300), (126, 600), (127, None)],
)
def test_a_duration_grows_coarser_and_ends(packed: int, expected: int | None) -> None:
    assert minutes(packed) == expected


def test_eleven_hours_or_more_give_no_duration(payload: Read) -> None:
    (said,) = payload("nwave_nps405", 1, "FF")
    assert said.fields == {"occupied": True, "event": "status"}


def test_a_heartbeat_has_the_temperature_in_halves_above_ten(payload: Read) -> None:
    (said,) = payload("nwave_nps405", 2, "00 D3 D8")
    assert (said.fields["temperature"], said.fields["battery_voltage"]) == (-10.0, 3.344)


def test_a_registration_may_lack_the_battery_of_the_permit(payload: Read) -> None:
    with_battery, without = (payload("nwave_nps405", 10, hex_) for hex_ in ("D1 20 1F345678", "D1 1F345678"))
    assert with_battery == without


def test_a_registration_with_bit_7_clear_tells_nothing_of_the_bay(payload: Read) -> None:
    (said,) = payload("nwave_nps405", 10, "00 1F345678")
    assert "occupied" not in said.fields
    assert "previous_state_duration" not in said.fields


@pytest.mark.parametrize(("byte", "occupied"), [("01", True), ("FE", False)])
def test_of_the_nps310_only_bit_0_counts(payload: Read, byte: str, occupied: bool) -> None:
    assert payload("nwave_nps310", 1, byte)[0].fields["occupied"] is occupied


def test_the_health_byte_of_the_counter_is_read_without_its_upper_bit(payload: Read) -> None:
    assert payload("nwave_ncc405", 2, "A8 66 61")[0].fields["device_error"] == 40


def test_a_count_that_goes_on_is_no_intensity(payload: Read) -> None:
    (said,) = payload("nwave_ncc405", 1, "06 AA")
    assert (said.kind, said.fields["total_count"]) == ("traffic", 1706)
    assert "intensity" not in said.fields


@pytest.mark.parametrize("name", ["nwave_nps405", "nwave_nps310", "nwave_ncc405"])
def test_port_6_is_the_makers_own(payload: Read, name: str) -> None:
    assert payload(name, 6, "00")[0].reason == "unsupported"
