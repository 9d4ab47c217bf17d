"""What the daemon says about itself: numbers, and words for what is wrong."""

import json

import pytest

from gateway.contract import Reject
from gateway.health import MOST_REFUSED, REJECTS_KEPT, Health, SensorHealth, SourceHealth
from gateway.supervise import Liveness
from tests.support.clock import FakeClock

SECOND = 1_000_000_000


@pytest.fixture
def well(clock: FakeClock) -> Health:
    """A gateway with one source, one sink and one sensor, all of them well."""
    health = Health("koper-01", "Koper", clock)
    health.clock_known = True
    health.source("air").link.went_up()
    health.sink("influx").link.went_up()
    sensor = SensorHealth("aq-tito", "air", "air_quality", configured=True, expect_every=60.0, seen=clock.monotonic())
    health.sensors["aq-tito"] = sensor
    sensor.heard({"pm25": 3.0}, 0, clock.monotonic())
    return health


def test_when_all_is_well_nobody_is_bothered(well: Health) -> None:
    assert well.problems() == []


def test_a_link_that_is_down_is_named_with_its_reason(well: Health) -> None:
    well.source("air").link.up, well.source("air").link.problem = False, "cable pulled"
    well.sink("influx").link.up, well.sink("influx").link.problem = False, "401: wrong token"
    assert well.problems() == ["air: cable pulled", "influx: 401: wrong token"]


def test_a_link_that_has_not_come_up_yet_is_a_problem(well: Health) -> None:
    well.source("radar")
    assert well.problems() == ["radar: starting"]


def test_a_silent_sensor_is_named_once_it_is_silent_for_longer_than_expected(well: Health, clock: FakeClock) -> None:
    clock.pass_by(60 * SECOND)
    assert well.problems() == []
    clock.pass_by(SECOND)
    assert well.problems() == ["aq-tito: quiet for 61 s"]
    well.sensors["aq-tito"].heard({}, 0, clock.monotonic())
    assert well.problems() == []


def test_a_sensor_of_which_nothing_is_expected_is_never_silent(well: Health, clock: FakeClock) -> None:
    well.sensors["aq-tito"].expect_every = None
    clock.pass_by(10**9 * SECOND)
    assert well.problems() == []


def test_a_full_disk_and_an_unknown_clock_are_problems(well: Health) -> None:
    well.spool_problem = "no space left"
    well.clock_known = False
    assert well.problems() == ["spool: no space left", "clock: not known to be right, readings are clock-deferred"]


def test_a_sign_of_life_is_counted_with_its_values(well: Health) -> None:
    sensor = well.sensors["aq-tito"]
    sensor.heard({"pm25": 9.0}, 4, 61.0)
    assert (sensor.readings, sensor.values, sensor.quality, sensor.seen) == (2, {"pm25": 9.0}, 4, 61.0)


def test_rejects_are_counted_by_reason_and_the_last_few_kept_by_their_beginning() -> None:
    source = SourceHealth(Liveness("air", FakeClock()))
    for number in range(20):
        source.rejected(Reject("noise" if number % 2 else "checksum", bytes([number]) * 1000, "why"), "city/air")
    assert source.rejects == {"noise": 10, "checksum": 10}
    assert len(source.last_rejects) == REJECTS_KEPT
    assert source.last_rejects[-1][:4] == ("noise", bytes([19]) * 64, "why", "city/air")


def test_the_same_name_is_the_same_source() -> None:
    health = Health("koper-01", "Koper", FakeClock())
    assert health.source("air") is health.source("air")
    assert health.sink("air") is health.sink("air")


def test_the_whole_state_is_plain_values(well: Health, clock: FakeClock) -> None:
    well.commits, well.committed = 2, 7
    well.source("air").rejected(Reject("noise", b"\xff"))
    sink = well.sink("influx")
    sink.last_success = clock.monotonic() - 3
    well.sensors["new"] = SensorHealth(
        "new", "air", "parking", configured=False, expect_every=1.0, seen=clock.monotonic() - 9
    )
    clock.pass_by(2 * SECOND)
    state = well.snapshot()
    assert json.loads(json.dumps(state)) == state
    assert state["uptime_s"] == 2.0
    assert state["readings"] == {"committed": 7, "commits": 2, "refused": 0}
    assert state["sources"]["air"]["rejects"] == {"noise": 1}
    assert state["sinks"]["influx"]["last_success_s"] == 5.0
    assert state["sensors"] == {"seen": 2, "quiet": ["new"], "not_configured": ["new"]}
    assert state["problems"] == well.problems() == ["new: quiet for 11 s"]


def test_the_state_of_a_new_gateway_is_plain_values_too() -> None:
    health = Health("koper-01", "Koper", FakeClock())
    health.sink("influx")
    assert health.snapshot()["sinks"]["influx"]["last_success_s"] is None


def test_many_unknown_sensors_do_not_make_the_state_large(well: Health) -> None:
    for number in range(5000):
        well.sensors[f"x{number}"] = SensorHealth(f"x{number}", "air", "parking", False, None, 0.0)
    assert len(well.snapshot()["sensors"]["not_configured"]) == 100


def test_invented_names_that_are_refused_are_counted_and_not_all_remembered() -> None:
    health = Health("koper-01", "Koper", FakeClock())
    for number in range(3 * MOST_REFUSED):
        health.refuse("quarantine_full", "no room", 2, {f"a{number}", f"b{number}"})
    found = health.refusals["quarantine_full"]
    assert (found.count, len(found.sensors)) == (6 * MOST_REFUSED, MOST_REFUSED)
