"""The window is learnt: no broker is kept waiting for a commit interval, and slow traffic is not committed singly."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sources.ack_window import START, AckWindow

MS = 1_000_000
SECOND = 1000 * MS
WINDOWS = [1, 5, 10, 20, 37, 1000, None]


@dataclass
class Simulation:
    """A broker that sends at most ``window`` unacknowledged messages, and a gateway that commits as ours does.

    Everything happens in simulated nanoseconds: a message travels ``travel``, a write takes ``write``.
    """

    window: int | None
    tracker: AckWindow = field(default_factory=lambda: AckWindow(1000))
    interval: int = SECOND
    travel: int = MS
    write: int = 5 * MS
    waiting: int = 0
    delivered: int = 0
    commits: int = 0
    now: int = 0
    _in_flight: int = 0
    _gathered: int = 0
    _writing: int = 0
    _due: int = 0
    _hurry: bool = False
    _events: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def run(self, seconds: float, rate: float = 0.0, backlog: int = 0) -> None:
        """Go on for ``seconds``; ``rate`` messages a second are published, ``backlog`` were before."""
        end = self.now + int(seconds * SECOND)
        if rate:
            for number in range(int(seconds * rate)):
                self._at(self.now + int(number * SECOND / rate), self._publish)
        self.waiting += backlog
        self._send()
        while self._events and self._events[0][0] <= end:
            self.now, _, happens = heapq.heappop(self._events)
            happens()
        self.now = end

    def _at(self, when: int, happens: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, happens))

    def _publish(self) -> None:
        self.waiting += 1
        self._send()

    def _send(self) -> None:
        while self.waiting and (self.window is None or self._in_flight < self.window):
            self.waiting -= 1
            self._in_flight += 1
            self._at(self.now + self.travel, self._arrive)

    def _arrive(self) -> None:
        self.delivered += 1
        self._gather(1)
        if self.tracker.note_arrival(self.now):
            self._hurry = True
        self._commit()

    def _gather(self, count: int) -> None:
        if not self._gathered:
            self._due = self.now + self.interval
            self._at(self._due, self._commit)
        self._gathered += count

    def _commit(self) -> None:
        if self._gathered and not self._writing and (self._hurry or self.now >= self._due):
            self._writing, self._gathered, self._hurry = self._gathered, 0, False
            self.commits += 1
            self._at(self.now + self.write, self._written)

    def _written(self) -> None:
        count, self._writing = self._writing, 0
        self.tracker.note_acknowledged(count, self.now, self.interval)
        self._at(self.now + self.travel, lambda: self._released(count))
        self._commit()

    def _released(self, count: int) -> None:
        self._in_flight -= count
        self._send()


@pytest.mark.parametrize("window", WINDOWS)
def test_a_backlog_flows_as_fast_as_the_window_and_the_disk_allow(window: int | None) -> None:
    broker = Simulation(window)
    broker.run(20, backlog=50_000)
    round_trip = broker.write + 2 * broker.travel
    possible = 20 * SECOND // round_trip * (window or 1000)
    assert broker.delivered >= min(0.7 * possible, 50_000)


@pytest.mark.parametrize("window", [1, 5, 10, 20, 37])
def test_a_backlog_flows_over_a_slow_network_too(window: int) -> None:
    broker = Simulation(window, travel=100 * MS)
    broker.run(60, backlog=50_000)
    assert broker.delivered >= 3 * 60 * window, "held to one window a commit interval"


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.99, 1.0, 1.01, 2.0])
def test_slow_traffic_costs_no_more_commits_than_the_interval_would(window: int | None, rate: float) -> None:
    broker = Simulation(window)
    broker.run(300, rate)
    if window == 1:
        assert broker.commits <= broker.delivered + 1
    else:
        assert broker.commits <= 301
    assert broker.waiting <= (window or 1000)


@pytest.mark.parametrize("rate", [10.0, 50.0, 200.0, 1000.0])
def test_with_a_large_window_steady_traffic_settles_at_a_commit_an_interval(rate: float) -> None:
    broker = Simulation(1000)
    broker.run(30 if rate > 500 else 300, rate)
    settled = broker.commits
    broker.run(20, rate)
    assert broker.commits - settled <= 30
    assert broker.waiting == 0


@pytest.mark.parametrize("window", [5, 10, 20, 37])
def test_traffic_that_fills_a_small_window_in_every_interval_does_not_pile_up(window: int) -> None:
    broker = Simulation(window)
    broker.run(120, rate=4 * window)
    assert broker.waiting <= 4 * window
    assert broker.commits <= 1.2 * broker.delivered / window + 10


def test_a_window_of_one_learnt_by_coincidence_is_unlearnt() -> None:
    broker = Simulation(None)
    broker.tracker.estimate = 1
    broker.run(120, rate=7)
    settled = broker.commits
    broker.run(60, rate=7)
    assert broker.commits - settled <= 75


def test_a_broker_restarted_with_another_window_is_learnt_anew() -> None:
    broker = Simulation(20)
    broker.run(5, backlog=1_000_000)
    for window in (1, 100, 5):
        broker.window = window
        delivered = broker.delivered
        broker.run(15)
        assert broker.delivered - delivered > 5 * 15 * window, window


def test_the_first_estimate_is_mosquittos_default_or_our_own_bound() -> None:
    assert AckWindow(1000).estimate == START == 20
    assert AckWindow(5).estimate == 5


def test_a_full_window_asks_for_a_commit_once_it_is_reached() -> None:
    tracker = AckWindow(1000)
    assert [tracker.note_arrival(at) for at in range(START)] == [False] * (START - 1) + [True]


def test_more_outstanding_than_thought_enlarges_the_estimate() -> None:
    tracker = AckWindow(1000)
    for at in range(START + 1):
        tracker.note_arrival(at)
    assert tracker.estimate == 31


def test_a_burst_silence_and_the_next_burst_at_our_acknowledgement_tell_the_window() -> None:
    tracker = AckWindow(1000)
    for at in range(7):
        tracker.note_arrival(at)
    tracker.note_acknowledged(7, SECOND, SECOND)
    assert tracker.estimate == START, "the silence may be all there is"
    tracker.note_arrival(SECOND + MS)
    assert tracker.estimate == 7


def test_a_burst_that_was_simply_over_tells_nothing() -> None:
    tracker = AckWindow(1000)
    for at in range(7):
        tracker.note_arrival(at)
    tracker.note_acknowledged(7, SECOND, SECOND)
    tracker.note_arrival(2 * SECOND)
    assert tracker.estimate == START


def test_a_new_connection_owes_nothing_and_keeps_what_was_learnt() -> None:
    tracker = AckWindow(1000)
    for at in range(7):
        tracker.note_arrival(at)
    tracker.note_acknowledged(3, SECOND, SECOND)
    tracker.estimate = 7
    tracker.reset()
    assert (tracker.outstanding, tracker.estimate) == (0, 7)
    tracker.note_acknowledged(4, SECOND, SECOND)
    assert tracker.outstanding == 0, "late acknowledgements of the old connection"


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, SECOND), st.integers(0, 60)), max_size=200),
)
def test_whatever_happens_the_estimate_stays_within_its_bounds(
    maximum: int, happenings: list[tuple[int, int, int]]
) -> None:
    tracker = AckWindow(maximum)
    now = 0
    for what, later, count in happenings:
        now += later
        if what == 0:
            tracker.note_acknowledged(count, now, SECOND)
        elif what == 1:
            tracker.reset()
        else:
            full = tracker.note_arrival(now)
            assert full == (tracker.outstanding >= tracker.estimate)
            assert full or tracker.outstanding < maximum
        assert 1 <= tracker.estimate <= maximum
        assert tracker.outstanding >= 0
