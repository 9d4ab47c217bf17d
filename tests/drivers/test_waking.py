"""When a sensor that wears out is awake, and from when on it is believed."""

import pytest
from pydantic import ValidationError

from drivers.common.duty_cycle import Cycle, Sleeping, Turn
from gateway.contract import Quality

SECOND = 10**9


def _cycle(**options: str) -> Cycle:
    return Cycle(Sleeping.model_validate(options))


def test_a_silent_sensor_is_to_be_woken_until_it_talks() -> None:
    cycle = _cycle()
    cycle.passed(0)
    assert [cycle.turn(), cycle.turn()] == [Turn.WAKE_UP, Turn.WAKE_UP]
    cycle.heard(SECOND)
    assert cycle.turn() is Turn.NOTHING


def test_values_are_doubtful_for_a_while_after_the_first_and_good_then() -> None:
    cycle = _cycle(warm_up="30s")
    assert [cycle.heard(now * SECOND) for now in (5, 34, 35)] == [Quality.WARM_UP, Quality.WARM_UP, Quality.GOOD]


def test_after_a_silence_it_is_woken_and_doubted_anew() -> None:
    cycle = _cycle(warm_up="30s")
    for now in range(0, 60, 2):
        cycle.passed(now * SECOND)
        cycle.heard(now * SECOND)
    cycle.passed(68 * SECOND)
    assert cycle.turn() is Turn.NOTHING
    cycle.passed(69 * SECOND)
    assert cycle.turn() is Turn.WAKE_UP
    assert cycle.heard(70 * SECOND) == Quality.WARM_UP


def test_with_a_working_period_it_sleeps_between_and_is_woken_for_the_next() -> None:
    cycle = _cycle(working_period="2min", warm_up="30s")
    turns = {}
    for now in range(1000, 1250):
        cycle.passed(now * SECOND)
        if (now - 1000) % 120 < 42:  # a sensor that takes two seconds to obey
            cycle.heard(now * SECOND)
        if (turn := cycle.turn()) is not Turn.NOTHING:
            turns[now - 1000] = turn
    assert {now for now, turn in turns.items() if turn is Turn.GO_TO_SLEEP} == {40, 41, 160, 161}
    assert Turn.WAKE_UP not in turns.values()


def test_a_sleeper_is_woken_when_its_time_comes() -> None:
    cycle = _cycle(working_period="2min", warm_up="30s")
    cycle.passed(0)
    cycle.heard(39 * SECOND)
    cycle.passed(40 * SECOND)
    assert [cycle.turn(), cycle.turn()] == [Turn.GO_TO_SLEEP, Turn.NOTHING]
    cycle.passed(119 * SECOND)
    assert cycle.turn() is Turn.NOTHING
    cycle.passed(120 * SECOND)
    assert cycle.turn() is Turn.WAKE_UP


def test_a_sensor_that_goes_on_is_told_to_sleep_again() -> None:
    cycle = _cycle(working_period="2min", warm_up="30s")
    cycle.passed(0)
    cycle.passed(50 * SECOND)
    for now in (50, 52):
        cycle.heard(now * SECOND)
        assert cycle.turn() is Turn.GO_TO_SLEEP


@pytest.mark.parametrize("options", [{"working_period": "40s"}, {"working_period": "5min", "warm_up": "5min"}])
def test_a_working_period_without_time_to_sleep_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="longer than the warm-up"):
        _cycle(**options)
