"""ELSYS: one payload for all of its sensors."""

import pytest

from gateway.contract import Measurement, Remark
from tests.support.recordings import decode_payload


def one(hex_: str, **options: object) -> Measurement:
    (said,) = decode_payload("elsys", 5, hex_, **options)
    assert isinstance(said, Measurement), said
    return said


def test_the_pressure_is_in_thousandths_of_a_hectopascal() -> None:
    assert one("14 000F417A").fields == {"atmospheric_pressure": 999.802}


@pytest.mark.parametrize(
    ("state", "fields"), [(0, {"occupied": False}), (1, {"event": "changing"}), (2, {"occupied": True})]
)
def test_changing_is_neither_free_nor_taken(state: int, fields: dict[str, object]) -> None:
    said = one(f"11 {state:02X}")
    assert (said.kind, said.fields) == ("parking", fields)


def test_a_value_with_a_time_offset_is_an_older_one_and_left_out() -> None:
    said, *older = decode_payload("elsys", 5, "41 00E2 05  82 29 0005  01 00D5")
    assert said.fields == {"temperature": 21.3}
    assert [(one.kind, one.what) for one in older] == [("left out", "an older reading")] * 2


def test_a_second_probe_is_a_series_of_its_own() -> None:
    first, second = decode_payload("elsys", 5, "0C 00D5 19 0042")
    assert (first.fields, second.fields) == ({"external_temperature": 21.3}, {"external_temperature": 6.6})
    assert (first.tags, second.tags) == ({}, {"probe": "2"})


def test_settings_take_the_rest_of_the_payload() -> None:
    said, rest = decode_payload("elsys", 6, "01 00D5 3E 4A 07 01")
    assert said.fields == {"temperature": 21.3}
    assert rest == Remark("left out", "settings", "from 3E 4A 07 01")


def test_air_a_bay_and_pulses_are_told_apart() -> None:
    said = decode_payload("elsys", 5, "01 00E2 0E 0042 0A 0003 16 0004 07 0E4B", threshold_mm=100)
    assert [(one.kind, dict(one.tags), dict(one.fields)) for one in said] == [
        ("air_quality", {}, {"temperature": 22.6, "battery_voltage": 3.659}),
        ("parking", {}, {"distance": 66.0, "occupied": True}),
        ("traffic", {"input": "1"}, {"intensity": 3}),
        ("traffic", {"input": "2"}, {"intensity": 4}),
    ]


def test_the_battery_goes_where_the_rest_goes() -> None:
    said = one("07 0E4B 11 02")
    assert (said.kind, said.fields) == ("parking", {"battery_voltage": 3.659, "occupied": True})


def test_the_seen_temperature_of_an_infrared_sensor_is_the_surfaces() -> None:
    assert one("10 001F FFAA").fields == {"surface_temperature": -8.6}


@pytest.mark.parametrize("hex_", ["01 00", "14 00 00", "13 00", "01 00E2 06 03"])
def test_of_a_cut_payload_nothing_is_taken(hex_: str) -> None:
    (said,) = decode_payload("elsys", 5, hex_)
    assert said.reason == "length"


@pytest.mark.parametrize(
    "entry",
    ["1D 40", "1E 01", "1F 7F", "20 0102", "21 02", "22 00B4", "23 03", "24 32", "3B 03 010203", "3C 01020304"],
)
def test_types_that_came_later_cost_nothing_of_what_follows(entry: str) -> None:
    assert one(f"{entry} 01 0106").fields == {"temperature": 26.2}


def test_what_came_before_a_type_that_is_not_known_holds() -> None:
    said, rest = decode_payload("elsys", 5, "01 0106 25 0102")
    assert said.fields == {"temperature": 26.2}
    assert rest == Remark("left out", "type 25 is not known", "from 25 01 02")
    (nothing,) = decode_payload("elsys", 5, "25 0102 01 0106")
    assert nothing.reason == "unsupported"
