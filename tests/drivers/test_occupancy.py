from collections.abc import Mapping, Sequence

import pytest

from drivers.common.occupancy import Bay, BayOptions, State

SECOND = 10**9
EACH = {"interval": "0s"}
PARKING = {**EACH, "threshold_mm": 1000, "hysteresis_mm": 100, "debounce": "2s"}

Seen = float | State


def told(options: Mapping[str, object], seen: Sequence[tuple[float, Seen]]) -> list[object]:
    """Return ``occupied`` of each reading, "-" where it does not say."""
    bay = Bay(BayOptions.model_validate(options))
    said = [one for at, what in seen for one in bay.see(what, int(at * SECOND))]
    return [one.fields.get("occupied", "-") for one in said]


def every_second(*seen: Seen) -> list[tuple[float, Seen]]:
    return list(enumerate(seen))


def test_without_a_threshold_it_never_says_that_a_bay_is_occupied() -> None:
    assert told(EACH, every_second(100.0, "no_target", "blind_zone", 5000.0)) == ["-"] * 4


def test_a_bay_changes_hands_only_when_all_has_said_so_for_the_debounce() -> None:
    free, car = 2400.0, 700.0
    seen = every_second(free, free, free, car, free, car, car, car)
    assert told(PARKING, seen) == ["-", "-", False, False, False, False, False, True]


def test_a_vehicle_has_left_only_beyond_the_threshold_and_the_hysteresis() -> None:
    options = PARKING | {"debounce": "0s"}
    assert told(options, every_second(999.0, 1000.0, 1099.0, 1100.0, 1000.0, 999.0)) == [
        True, True, True, False, False, True,
    ]  # fmt: skip


def test_the_first_judgement_is_by_the_threshold_alone() -> None:
    assert told(PARKING | {"debounce": "0s"}, every_second(1050.0)) == [False]


@pytest.mark.parametrize(("state", "occupied"), [("blind_zone", True), ("no_target", False)])
def test_what_is_no_distance_still_tells_whether_the_bay_is_free(state: State, occupied: bool) -> None:
    assert told(PARKING, every_second(state, state, state))[-1] is occupied


def test_what_is_unclear_neither_makes_nor_breaks_a_change() -> None:
    seen = every_second(2400.0, 2400.0, 2400.0, 700.0, "unclear", 700.0, "unclear", "unclear")
    assert told(PARKING, seen) == ["-", "-", False, False, False, True, True, True]


def test_a_state_is_an_event_and_not_a_distance() -> None:
    (said,) = Bay(BayOptions()).see("no_target", 0, {"signal_strength": 7})
    assert said.fields == {"event": "no_target", "signal_strength": 7}


def test_readings_come_once_in_an_interval_and_at_once_when_the_bay_changes_hands() -> None:
    options = {"interval": "10s", "threshold_mm": 1000, "debounce": "0s"}
    bay = Bay(BayOptions.model_validate(options))
    seen = [(0, 2400.0), (1, 2401.0), (9, 2402.0), (10, 2403.0), (11, 700.0), (12, 701.0), (20, 702.0), (21, 703.0)]
    said = [(at, one.fields["distance"]) for at, what in seen for one in bay.see(what, at * SECOND)]
    assert said == [(0, 2400.0), (10, 2403.0), (11, 700.0), (21, 703.0)]
