"""Devices that sleep, keep a setting or lose one, and the drivers that bring them to measure."""

from itertools import pairwise

import pytest

from firmware_sim.devices.sps30 import Status
from firmware_sim.devices.tfmini import CENTIMETRES, MILLIMETRES, PIXHAWK
from firmware_sim.truth.compare import compare
from firmware_sim.truth.points import StoredPoint
from gateway.contract import Quality, Reject
from tests.support.conversation import Conversation

LASERS = ["hpma115", "hpma115c0", "pms3003", "pms5003", "pms5003s", "pms5003st", "pms5003t", "sds011", "sds198"]


def _differences(talk: Conversation) -> list[str]:
    points = [StoredPoint(one.kind, {"sensor": "x"}, one.fields, one.time or 0) for one in talk.measured]
    return compare(talk.truth, points).differences


@pytest.mark.parametrize("name", LASERS)
def test_with_a_working_period_it_rests_most_of_the_time_and_nothing_is_missed(name: str) -> None:
    talk = Conversation(name, working_period="5min")
    spoke = []
    for _ in range(600):
        before = len(talk.truth)
        talk.go_on(2)
        spoke.append(len(talk.truth) > before)
    assert 0.05 < sum(spoke) / len(spoke) < 0.2
    assert sum(now and not then for then, now in pairwise(spoke)) >= 3
    assert _differences(talk) == []


@pytest.mark.parametrize("name", ["nextpm", "winsen_zh"])
def test_with_a_working_period_a_sensor_that_is_asked_has_its_laser_on_an_eighth_of_the_time(name: str) -> None:
    talk = Conversation(name, working_period="10min")
    asleep = 0
    for _ in range(3600):
        talk.go_on(1)
        asleep += talk.twin.asleep
    assert asleep > 3600 * 3 // 4
    good = [one for one in talk.measured if one.quality == Quality.GOOD and "pm25" in one.fields]
    assert len(good) >= 5


@pytest.mark.parametrize(
    ("name", "asleep"),
    [
        ("pms5003", "42 4D E4 00 00 01 73"),
        ("sps30", "7E 00 01 00 FE 7E 7E 00 10 00 EF 7E"),
        ("hpma115", "68 01 02 95"),
    ],
)
def test_a_sensor_found_asleep_is_woken(name: str, asleep: str) -> None:
    talk = Conversation(name, connected=False)
    talk.twin.receive(bytes.fromhex(asleep), 0.0)
    talk.begin()
    talk.go_on(60)
    assert len(talk.truth) > 10


def test_a_nextpm_found_asleep_is_woken_by_one_toggle() -> None:
    talk = Conversation("nextpm", connected=False)
    talk.twin.asleep = True
    talk.begin()
    talk.go_on(120)
    assert not talk.twin.asleep
    assert talk.twin.toggles == 1
    assert len(talk.truth) > 10


@pytest.mark.parametrize("name", ["pms5003", "pms5003t", "pms5003st"])
def test_reports_without_particles_after_a_start_are_not_read(name: str) -> None:
    talk = Conversation(name)
    talk.twin.faults.hollow_at_start = 3
    talk.go_on(30)
    assert [one.reason for one in talk.said if isinstance(one, Reject)] == ["unsupported"] * 3
    assert _differences(talk) == []


def test_a_sps30_is_cleaned_and_its_failing_laser_is_noticed() -> None:
    talk = Conversation("sps30", cleaning="5min")
    talk.go_on(320)
    assert talk.twin.cleanings == 1
    talk.twin.faults.status = Status.LASER
    talk.go_on(300)
    assert 1 << 5 in talk.values("device_error")


def test_no_calibration_is_ever_set_off_by_faults() -> None:
    talk = Conversation("mhz19", abc=False)
    talk.twin.faults.noise = talk.twin.faults.corrupt = 0.5
    talk.go_on(600)
    assert talk.twin.calibrations == 0
    assert not talk.twin.abc


@pytest.mark.parametrize("form", [PIXHAWK, MILLIMETRES])
def test_a_tfmini_that_keeps_another_format_through_power_cuts_is_set_right(form: int) -> None:
    talk = Conversation("tfmini", connected=False)
    talk.twin.format = form
    talk.twin.save()
    talk.begin()
    talk.go_on(10)
    assert len(talk.truth) > 50
    assert talk.values("distance") == [taken.fields["distance"] for taken in talk.truth]


def test_a_tfmini_that_went_back_to_text_is_told_again() -> None:
    talk = Conversation("tfmini", every=1.0)
    talk.go_on(5)
    talk.twin.format = PIXHAWK
    talk.go_on(5)
    assert talk.twin.format == CENTIMETRES
