"""How vehicles that come one by one become readings of each lane."""

import pytest

from drivers.common.lanes import Lanes, Tally, Vehicle

SECOND = 10**9


def test_each_average_is_of_the_vehicles_that_have_it() -> None:
    tally = Tally()
    for vehicle in (Vehicle(50.0, 4.0, None, 0.5), Vehicle(70.0, None, 3.0, 0.25), Vehicle(None, 8.0, 1.0, 0.25)):
        tally.add(vehicle)
    assert tally.fields(10.0) == {
        "intensity": 3,
        "period": 10.0,
        "occupancy": 0.1,
        "average_vehicle_speed": 60.0,
        "max_vehicle_speed": 70.0,
        "average_vehicle_length": 6.0,
        "average_gap_time": 2.0,
    }


@pytest.mark.parametrize("other", ["lost", "of unknown stay"])
def test_without_the_stay_of_all_there_is_no_occupancy(other: str) -> None:
    tally = Tally()
    tally.add(Vehicle(occupied=1.0))
    if other == "lost":
        tally.lose(1)
    else:
        tally.add(Vehicle(50.0))
    assert "occupancy" not in tally.fields(10.0)


def test_a_stay_that_began_before_the_interval_fills_it_at_most() -> None:
    tally = Tally()
    tally.add(Vehicle(occupied=100.0))
    assert tally.fields(60.0)["occupancy"] == 1.0


def test_without_a_period_there_is_neither_period_nor_occupancy() -> None:
    assert Tally().fields(0.0) == {"intensity": 0}


def test_a_lane_once_seen_gives_zeros_while_its_detector_lives_and_nothing_when_it_is_dead() -> None:
    lanes = Lanes(60.0)
    lanes.advance(0)
    lanes.lane(2).add(Vehicle(50.0))
    assert [one.fields["intensity"] for one in lanes.advance(60 * SECOND)] == [1]
    lanes.alive = True
    assert [one.fields["intensity"] for one in lanes.advance(120 * SECOND)] == [0]
    assert lanes.advance(180 * SECOND) == []
    assert lanes.finish() == []


def test_the_open_interval_ends_with_its_real_length() -> None:
    lanes = Lanes(60.0)
    lanes.advance(0)
    lanes.lane(1).lose(2)
    lanes.advance(15 * SECOND)
    (said,) = lanes.finish()
    assert (said.fields, said.tags) == ({"intensity": 2, "period": 15.0, "sample_count": 0}, {"lane": "1"})
