"""How full the spool is, how fast that changes, and a word when it passes a level."""

from pathlib import Path
from typing import Any

import pytest

from gateway.spool import Gauge, Levels, Spool, SpoolSettings
from gateway.spool.pressure import LEVELS, room_left, say_hours
from tests.support.disk import SimulatedDisk
from tests.support.spool import Batches

ROOT = Path("/spool")
MIB = 1 << 20


def levels(**changes: Any) -> Levels:  # noqa: ANN401 -- any field
    return Levels(0, 100 * MIB, False, 0, 0, {})._replace(**changes)


def test_rates_are_averages_over_a_minute() -> None:
    gauge = Gauge()
    for second in range(200):
        # Ten readings a second in the first hundred seconds, two afterwards.
        taken = min(second, 100) * 10 + max(0, second - 100) * 2
        pressure = gauge.sample(float(second), levels(next_seq=taken, written=taken * 28, taken={"influx": taken}))
    assert pressure.readings_in == pytest.approx(2.0)
    assert pressure.bytes_in == pytest.approx(56.0)
    assert pressure.readings_out == {"influx": pytest.approx(2.0)}
    assert len(gauge._samples) <= 62


def test_while_the_sinks_keep_pace_there_is_no_end() -> None:
    gauge = Gauge()
    gauge.sample(0.0, levels(taken={"influx": 0}))
    pressure = gauge.sample(10.0, levels(next_seq=100, written=3000, taken={"influx": 99}))
    assert pressure.hours_left is None
    assert pressure.words() == "0% full"


def test_the_slowest_sink_decides_how_long_the_room_lasts() -> None:
    gauge = Gauge()
    gauge.sample(0.0, levels(taken={"influx": 0, "other": 0}))
    now = levels(undelivered=25 * MIB, room=75 * MIB, next_seq=100, written=MIB, taken={"influx": 100, "other": 50})
    pressure = gauge.sample(10.0, now)
    # Half of a MiB in ten seconds stays: 1500 s.
    assert pressure.hours_left == pytest.approx(1500 / 3600)
    assert pressure.words() == "25% full, for 25 min at this rate"


def test_without_sinks_everything_stays() -> None:
    gauge = Gauge()
    gauge.sample(0.0, levels())
    assert gauge.sample(36.0, levels(next_seq=10, written=MIB)).hours_left == pytest.approx(1.0)


def test_a_cursor_that_was_lost_is_no_negative_rate() -> None:
    gauge = Gauge()
    gauge.sample(0.0, levels(next_seq=50, taken={"influx": 50}))
    assert gauge.sample(1.0, levels(next_seq=50, taken={"influx": 0})).readings_out == {"influx": 0.0}


def test_each_level_is_told_once_and_again_only_after_a_real_fall() -> None:
    gauge = Gauge()
    fills = [0.1, 0.49, 0.5, 0.6, 0.45, 0.55, 0.85, 0.79, 0.81, 1.0, 0.95, 1.0, 0.2, 0.7]
    told = [level for fill in fills for level in gauge.passed(fill)]
    assert told == [0.5, 0.8, 1.0, 0.0, 0.5]
    assert LEVELS == (0.5, 0.8, 1.0)


def test_a_jump_over_several_levels_is_one_word() -> None:
    assert list(Gauge().passed(1.0)) == [1.0]


@pytest.mark.parametrize(
    ("hours", "words"), [(0.5, "30 min"), (1.9, "114 min"), (5.0, "5 h"), (71.0, "71 h"), (100.0, "4 days")]
)
def test_time_is_said_in_the_unit_people_use(hours: float, words: str) -> None:
    assert say_hours(hours) == words


def test_what_is_delivered_counts_as_room() -> None:
    bounds = {"max_bytes": 100, "min_free_bytes": 10}
    assert room_left(100, 0, 1000, **bounds) == 100
    assert room_left(100, 60, 1000, **bounds) == 40
    assert room_left(50, 50, 30, **bounds) == 20, "the disk is the narrower bound"
    assert room_left(50, 50, 5, **bounds) == 0


def test_an_open_spool_tells_its_levels(disk: SimulatedDisk, batches: Batches) -> None:
    settings = SpoolSettings(max_bytes=8_000, min_free_bytes=0)
    with Spool.open(ROOT, settings, sinks=["influx"], filesystem=disk) as spool:
        assert spool.levels() == Levels(0, 8_000, False, 0, 0, {"influx": 0})
        spool.writer.append(batches(10))
        size = spool.status().bytes
        assert spool.levels() == Levels(size, 8_000 - size, False, 10, size, {"influx": 0})
        spool.consumer("influx").seek(10)
        assert spool.levels() == Levels(0, 8_000, False, 10, size, {"influx": 10})
        spool.consumer("influx").seek(0)
        while not spool.levels().full:
            spool.writer.append(batches(10))
        assert not spool.ledger.entries, "told before anything is dropped"
