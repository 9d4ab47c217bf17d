"""Telraam: numbers with a fraction, hours with too little uptime, and hostile rows."""

import json

import pytest

from drivers.telraam import Decoder
from gateway.contract import Measurement, Options, Reject, Remark


def _say(**parts: object) -> list[Measurement | Reject | Remark]:
    row = {"segment_id": 7, "date": "2026-03-01T06:00:00Z", "uptime": 1, "car": 5.5, **parts}
    return list(Decoder(Options()).decode("telraam/7", json.dumps({"report": [row]}).encode()))


def test_directions_are_told_apart_and_not_counted_twice() -> None:
    said = [one for one in _say(car=10, car_lft=4, car_rgt=6) if isinstance(one, Measurement)]
    assert [(one.tags["direction"], one.fields["intensity"]) for one in said] == [("left", 4), ("right", 6)]


def test_fractions_of_a_v1_counter_are_rounded() -> None:
    (said,) = _say(car=619.6)
    assert isinstance(said, Measurement)
    assert said.fields == {"intensity": 620}


def test_the_speed_of_85_in_100_cars_has_no_direction() -> None:
    said = [one for one in _say(car=10, car_lft=4, car_rgt=6, v85=41.5) if isinstance(one, Measurement)]
    assert [one.fields for one in said] == [{"intensity": 4}, {"intensity": 6}, {"speed_85th_percentile": 41.5}]
    assert said[2].tags == {"vehicle_type": "car"}
    (alone,) = _say(car=10, v85=41.5)
    assert isinstance(alone, Measurement)
    assert alone.fields == {"intensity": 10, "speed_85th_percentile": 41.5}


@pytest.mark.parametrize(("uptime", "taken"), [(0.49, False), (0.5, True), (1, True), (1.1, False), (None, False)])
def test_too_little_uptime_says_too_little(uptime: object, taken: object) -> None:
    (said,) = _say(uptime=uptime)
    assert isinstance(said, Measurement) is taken


@pytest.mark.parametrize(
    "parts",
    [
        {"segment_id": "7"},
        {"segment_id": True},
        {"date": 5},
        {"date": "today"},
        {"car": "x"},
        {"car": []},
        {"car": -1},
    ],
    ids=str,
)
def test_a_part_of_the_wrong_kind_is_rejected(parts: dict[str, object]) -> None:
    (said,) = _say(**parts)
    assert isinstance(said, Reject)
    assert said.reason == "range"


def test_a_count_that_is_none_costs_no_other() -> None:
    said = _say(car=5, bike="x", v85="fast")
    assert [one.fields for one in said if isinstance(one, Measurement)] == [{"intensity": 5}]
    assert [one.what for one in said if isinstance(one, Remark)] == ["bike", "v85"]
