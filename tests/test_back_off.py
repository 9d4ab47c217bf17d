"""Attempts come ever more slowly, never beyond a bound, and not in step with those of others."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.back_off import BackOff, steady

SECONDS = st.floats(0.001, 1000.0)
BOUNDS = st.tuples(SECONDS, SECONDS).map(sorted)


@given(BOUNDS, st.integers(1, 60))
def test_each_wait_is_twice_the_one_before_up_to_the_longest(bounds: list[float], attempts: int) -> None:
    first, longest = bounds
    back_off = BackOff(first, longest, jitter=steady)
    waits = [back_off.next() for _ in range(attempts)]
    assert waits[0] == first
    assert all(after == min(2 * before, longest) for before, after in pairwise(waits))


@given(BOUNDS, st.floats(0.0, 1.0), st.lists(st.floats(0.0, 2000.0), max_size=30))
def test_jitter_takes_at_most_half_of_a_wait(bounds: list[float], luck: float, at_least: list[float]) -> None:
    lucky = BackOff(*bounds, jitter=lambda low, high: low + luck * (high - low))
    plain = BackOff(*bounds, jitter=steady)
    for seconds in at_least:
        whole = plain.next(seconds)
        assert whole >= seconds
        assert whole / 2 <= lucky.next(seconds) <= whole


@given(BOUNDS, st.integers(0, 60), st.floats(0.0, 2000.0))
def test_a_success_begins_the_waits_anew(bounds: list[float], attempts: int, at_least: float) -> None:
    back_off = BackOff(*bounds, jitter=steady)
    for _ in range(attempts):
        back_off.next(at_least)
    back_off.reset()
    new = BackOff(*bounds, jitter=steady)
    assert [back_off.next() for _ in range(5)] == [new.next() for _ in range(5)]


@given(BOUNDS, st.integers(0, 60), st.floats(0.0, 2000.0))
def test_what_a_failure_asks_for_does_not_change_the_waits_after_it(
    bounds: list[float], attempts: int, at_least: float
) -> None:
    asked, plain = BackOff(*bounds, jitter=steady), BackOff(*bounds, jitter=steady)
    for _ in range(attempts):
        assert asked.next(at_least) == max(plain.next(), at_least)
    assert asked.next() == plain.next()


@given(BOUNDS, st.integers(0, 60), SECONDS)
def test_an_attempt_that_half_succeeded_bounds_the_next_wait_and_no_more(
    bounds: list[float], attempts: int, most: float
) -> None:
    shortened, plain = BackOff(*bounds, jitter=steady), BackOff(*bounds, jitter=steady)
    for _ in range(attempts):
        shortened.next()
        plain.next()
    shortened.shorten(most)
    assert shortened.next() == min(plain.next(), most)


def test_two_gateways_that_failed_together_do_not_come_back_together() -> None:
    one, other = BackOff(1.0, 60.0), BackOff(1.0, 60.0)
    assert [one.next() for _ in range(20)] != [other.next() for _ in range(20)]
