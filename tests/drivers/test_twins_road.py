"""Radars, loops and controllers beside a road: their clocks, what is lost on the way, and what waits in them."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from firmware_sim.devices.natch import BORN
from firmware_sim.truth.compare import compare
from firmware_sim.truth.points import StoredPoint
from gateway.contract import Measurement, Quality
from tests.support.conversation import Conversation


def _differences(talk: Conversation) -> list[str]:
    points = [StoredPoint(one.kind, {"sensor": "x", **one.tags}, one.fields, one.time or 0) for one in talk.measured]
    return compare(talk.truth, points).differences


def _road(talk: Conversation) -> list[Measurement]:
    """Return what was read of the road, and not of the device itself."""
    return [one for one in talk.measured if "intensity" in one.fields]


@pytest.mark.parametrize("name", ["wavetronix_ss105", "wavetronix_ss125"])
def test_the_interval_that_is_found_first_is_not_read(name: str) -> None:
    talk = Conversation(name)
    talk.go_on(45)
    assert len(talk.truth) > 0
    assert not _road(talk)


@pytest.mark.parametrize("name", ["wavetronix_ss105_clock", "wavetronix_ss125_clock"])
def test_with_a_clock_that_is_right_intervals_have_their_own_times(name: str) -> None:
    talk = Conversation(name)
    talk.go_on(300)
    times = [one.time for one in _road(talk) if one.tags["lane"] == "1" and one.time is not None]
    assert {after - before for before, after in pairwise(times)} == {30 * 10**9}


def test_what_the_network_loses_the_controller_says_again() -> None:
    talk = Conversation("natch")
    talk.twin.faults.torn = 0.3
    talk.go_on(600)
    talk.twin.stop()
    talk.twin.faults.torn = 0.0
    talk.go_on(60)
    assert talk.twin.quiet()
    assert len(talk.truth) > 150
    assert _differences(talk) == []


def _after_nobody_listened(name: str) -> Conversation:
    talk = Conversation(name)
    talk.go_on(5)
    talk.pass_by(150)  # over midnight
    talk.go_on(60)
    assert _differences(talk) == []
    return talk


def test_what_waited_in_the_controller_is_marked() -> None:
    talk = _after_nobody_listened("natch")
    assert {one.quality for one in _road(talk)} == {Quality.ESTIMATED_TIME, Quality.GOOD}
    assert {one.time for one in _road(talk)} == {None}


def test_what_waited_in_a_controller_whose_clock_is_right_bears_its_own_time() -> None:
    talk = _after_nobody_listened("natch_clock")
    times = [one.time for one in _road(talk) if one.time is not None]
    born = int(BORN.timestamp()) * 10**9
    assert len(set(times)) == len(_road(talk)) > 30
    assert all(0 <= time - born <= talk.now * 1e9 for time in times)
    assert times == sorted(times)


def test_a_packet_that_is_lost_comes_with_the_next_answer() -> None:
    talk = Conversation("wavetronix_ss125_clock")
    talk.go_on(31)
    talk.twin.lost_packets = {1}
    talk.go_on(60)
    assert _differences(talk) == []
    assert not talk.twin.lost_packets


def test_speeds_are_the_same_in_the_units_of_either_setting() -> None:
    speeds: list[list[object]] = []
    for metric in (True, False):
        talk = Conversation("wavetronix_ss125_clock")
        talk.twin.metric = metric
        talk.go_on(120)
        speeds.append([one.fields["average_vehicle_speed"] for one in _road(talk) if one.fields["intensity"]])
    assert speeds[0] == pytest.approx(speeds[1], abs=0.02)
    assert len(speeds[0]) > 5


def test_of_damaged_periods_none_is_given_that_was_not_measured() -> None:
    talk = Conversation("rtms_g4_periods")
    talk.twin.faults.noise = talk.twin.faults.corrupt = talk.twin.faults.torn = 0.02
    talk.go_on(3000)
    names = ("intensity", "occupancy")
    given = Counter(tuple(one.fields[name] for name in names) for one in _road(talk))
    measured = Counter(tuple(taken.fields[name] for name in names) for taken in talk.truth)
    assert given.total() > 150
    assert not given - measured


def test_a_pair_of_loops_measures_speed() -> None:
    talk = Conversation("canoga")
    talk.go_on(600)
    talk.end()
    given = [one.fields for one in talk.measured if "average_vehicle_speed" in one.fields]
    weight = sum(int(fields["intensity"]) for fields in given)
    average = sum(float(fields["average_vehicle_speed"]) * int(fields["intensity"]) for fields in given) / weight
    assert average == pytest.approx(sum(talk.twin.speeds) / len(talk.twin.speeds), rel=0.03)


def test_an_answer_that_lost_its_first_byte_costs_no_vehicle() -> None:
    talk = Conversation("canoga")
    for _ in range(20):
        talk.go_on(10)
        talk.twin.lose_first = True
    talk.end()
    assert _differences(talk) == []


def test_loops_count_every_vehicle_once_through_noise_and_damage() -> None:
    """This once: another seed may draw a damaged answer that the card's XOR lets through."""
    talk = Conversation("canoga")
    talk.go_on(10)
    faults = talk.twin.faults
    faults.noise = faults.corrupt = faults.torn = 0.1
    talk.go_on(1200)
    faults.noise = faults.corrupt = faults.torn = 0.0
    talk.end()
    assert "noise" in talk.reasons
    assert _differences(talk) == []


@pytest.mark.parametrize(
    ("status", "fields"), [(0x80, {"device_error": 0x80}), (0x10, {"device_error": 0, "event": "wrong_way"})]
)
def test_a_fault_is_told_within_a_minute_even_on_an_empty_road(status: int, fields: dict[str, Any]) -> None:
    talk = Conversation("adec_tdc")
    talk.twin.stop()
    talk.go_on(30)
    talk.twin.status = status
    talk.go_on(60)
    assert any(fields.items() <= one.fields.items() for one in talk.measured)


@pytest.mark.parametrize("size", [6, 7, 11])
def test_a_detector_of_each_layout_is_read(size: int) -> None:
    talk = Conversation("adec_tdc")
    talk.twin.record_size = size
    talk.go_on(120)
    assert any("average_vehicle_length" in one.fields for one in talk.measured) == (size > 6)


def test_a_radar_averages_over_what_the_options_say() -> None:
    talk = Conversation("houston_dr500", every=1.0, average="10s")
    talk.go_on(5)
    assert talk.twin.variables["TA"] == 10
    assert set(talk.values("period")) == {10.0}


@pytest.mark.parametrize("units", range(4))
def test_speeds_are_read_in_whatever_unit_the_radar_has(units: int) -> None:
    talk = Conversation("houston_dr500", every=1.0, connected=False)
    talk.twin.variables["UN"] = units
    talk.begin()
    talk.twin.faults.noise = talk.twin.faults.corrupt = 0.1
    talk.go_on(300)
    read = talk.values("average_vehicle_speed")
    assert read == pytest.approx([taken.fields["average_vehicle_speed"] for taken in talk.truth], abs=0.005)
    assert len(read) > 100
