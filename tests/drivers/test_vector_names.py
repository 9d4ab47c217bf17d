"""The rules by which names of external vectors are read."""

from collections.abc import Mapping

import pytest

from tests.drivers.vectors.names import find, same


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ({"distance_cm": 207}, "distance_mm", 2070),
        ({"speed_mph": 10}, "speed_kmh", 16.09344),
        ({"ug_m3": 10000}, "mg_m3", 10),
        ({"co_ppb": 3700}, "co_ppm", 3.7),
        ({"period_min": 2}, "working_period_s", 120),
        ({"pm1_0_ug_m3": 4}, "pm1_ug_m3", 4),
        ({"n5_0_per_0_1L": 6}, "n5_per_0_1L", 6),
        ({"firmware": "1.2"}, "firmware_version", "1.2"),
        ({"range": 77.0}, "range_ft", 77.0),
        ({"status": 1, "state": 2}, "state", 2),
        ({"red_dwell_s": None}, "red_dwell_ms", None),
    ],
)
def test_a_thing_is_found_under_another_name_and_in_another_unit(
    said: Mapping[str, object], name: str, value: object
) -> None:
    found, known = find(said, name)
    assert known
    assert found == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"pm10_ug_m3": 4}, "pm1_ug_m3"),
        ({"pm1_0_ug_m3": 4}, "pm10_ug_m3"),
        ({"co_ppb": 4}, "co_ug_m3"),
        ({}, "speed"),
    ],
)
def test_what_is_another_thing_or_another_dimension_is_not_found(said: Mapping[str, object], name: str) -> None:
    assert find(said, name) == (None, False)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (5.2347561, 5.234756),
        ("137.429", 137.429),
        ("0103", "01 03"),
        ("15-7-10", "15.7.10"),
        ("1994-11-19T22:54:46.00Z", "1994-11-19T22:54:46Z"),
        ("reply", "ack"),
        ((1, 2), [1, 2]),
    ],
)
def test_values_are_the_same_to_the_digits_given_and_however_they_are_written(said: object, wanted: object) -> None:
    assert same(said, wanted)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [(8.04, 8.0), (5.2347, 5.24), ("01 03", "1 0 4"), ("reply", "measurement"), (None, 0), ([1], [1, 2]), (1, None)],
)
def test_what_differs_is_told(said: object, wanted: object) -> None:
    assert not same(said, wanted)
