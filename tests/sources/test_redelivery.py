"""What a broker sends again is told from what is new, through reconnects, lost sessions and restarts."""

from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sources.redelivery import Redelivery

ONE, TWO, THREE = 0x11111111, 0x22222222, 0xFFFFFFFF


@pytest.fixture
def redelivery() -> Redelivery:
    known = Redelivery()
    known.begin_connection(session_present=False)
    return known


def test_a_new_message_is_no_repeat_even_with_dup_set(redelivery: Redelivery) -> None:
    assert not redelivery.note_message(1, ONE, repeated=False)
    assert not redelivery.note_message(2, TWO, repeated=True)


def test_what_was_taken_is_a_repeat_when_it_comes_again_on_the_kept_session(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(1, ONE, repeated=True)
    assert redelivery.note_message(1, ONE, repeated=True), "and once more"


def test_it_stays_a_repeat_over_several_connections_that_carried_nothing_new(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    for _ in range(5):
        redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(1, ONE, repeated=True)


def test_what_comes_again_but_was_never_taken_is_taken_now(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.begin_connection(session_present=True)
    assert not redelivery.note_message(2, TWO, repeated=True)
    redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(2, TWO, repeated=True)


def test_an_identity_used_again_for_other_content_is_a_new_message(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.begin_connection(session_present=True)
    assert not redelivery.note_message(1, TWO, repeated=True)
    redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(1, TWO, repeated=True)
    assert not redelivery.note_message(1, ONE, repeated=True)


def test_without_dup_the_same_identity_and_content_is_a_new_message(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    assert not redelivery.note_message(1, ONE, repeated=False), "a sensor may say the same twice"


def test_a_broker_that_lost_the_session_sends_only_new_messages(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.begin_connection(session_present=False)
    assert not redelivery.note_message(1, ONE, repeated=True)


def test_a_repeat_may_come_once_more_after_something_new_came_by_its_connection(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(1, ONE, repeated=True)
    redelivery.note_message(2, TWO, repeated=False)
    redelivery.begin_connection(session_present=True)  # before the acknowledgement of either went out
    assert redelivery.note_message(1, ONE, repeated=True)
    assert redelivery.note_message(2, TWO, repeated=True)


def test_the_first_message_without_dup_ends_the_repeats_of_older_connections(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.note_message(2, TWO, repeated=False)
    redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(1, ONE, repeated=True)
    assert not redelivery.note_message(3, THREE, repeated=False)
    assert not redelivery.note_message(2, TWO, repeated=True)


def test_messages_of_the_connection_before_the_last_count_until_something_new_came(redelivery: Redelivery) -> None:
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.begin_connection(session_present=True)
    redelivery.note_message(2, TWO, repeated=False)
    redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(2, TWO, repeated=True)
    assert not redelivery.note_message(1, ONE, repeated=True), "the broker had caught up with that one"


def test_after_a_restart_what_was_stored_last_is_a_repeat() -> None:
    restarted = Redelivery([(1, ONE), (65535, THREE)])
    restarted.begin_connection(session_present=True)
    assert restarted.note_message(1, ONE, repeated=True)
    assert restarted.note_message(65535, THREE, repeated=True)
    assert not restarted.note_message(2, TWO, repeated=True)


def test_after_a_restart_the_last_store_of_an_identity_counts() -> None:
    restarted = Redelivery([(1, ONE), (1, TWO)])
    restarted.begin_connection(session_present=True)
    assert not restarted.note_message(1, ONE, repeated=True)
    assert Redelivery([(1, ONE), (1, TWO)]).note_message(1, TWO, repeated=True)


def test_after_a_restart_a_lost_session_forgets_all() -> None:
    restarted = Redelivery([(1, ONE)])
    restarted.begin_connection(session_present=False)
    assert not restarted.note_message(1, ONE, repeated=True)


def test_an_untouched_identity_is_no_repeat_of_a_digest_of_zero() -> None:
    fresh = Redelivery()
    fresh.begin_connection(session_present=True)
    assert not fresh.note_message(7, 0, repeated=True)


def test_an_identity_given_away_again_shows_that_all_before_it_were_acknowledged(redelivery: Redelivery) -> None:
    for mid in (1, 2, 3):
        redelivery.note_message(mid, ONE, repeated=False)
    redelivery.note_message(2, TWO, repeated=False)
    assert not redelivery.note_message(1, ONE, repeated=True), "2 was free again, and 1 was acknowledged before it"
    assert redelivery.note_message(3, ONE, repeated=True)


def test_an_identity_given_away_again_tells_nothing_of_what_came_after_it(redelivery: Redelivery) -> None:
    for mid in (1, 2, 3):
        redelivery.note_message(mid, ONE, repeated=False)
    redelivery.note_message(1, ONE, repeated=False)
    redelivery.begin_connection(session_present=True)
    assert redelivery.note_message(2, ONE, repeated=True)
    assert redelivery.note_message(3, ONE, repeated=True)
    assert redelivery.note_message(1, ONE, repeated=True)


def test_what_was_stored_before_a_restart_shows_it_too() -> None:
    restarted = Redelivery([(1, ONE), (2, ONE), (3, ONE), (2, TWO)])
    restarted.begin_connection(session_present=True)
    assert not restarted.note_message(1, ONE, repeated=True)


@pytest.mark.parametrize("restarted", [False, True])
def test_the_same_identity_and_content_after_as_many_messages_as_can_be_in_flight_is_new(*, restarted: bool) -> None:
    entries = [(mid, ONE) for mid in range(1, 65536)]
    known = Redelivery(entries if restarted else ())
    known.begin_connection(session_present=True)
    if not restarted:
        for mid, digest in entries:
            known.note_message(mid, digest, repeated=False)
    known.begin_connection(session_present=True)
    # The broker goes round: what it sends again is the first message of the next round, lost on its way to us.
    assert not known.note_message(1, ONE, repeated=True)
    assert known.note_message(65535, ONE, repeated=True)


def test_what_comes_again_and_again_does_not_age_by_that() -> None:
    known = Redelivery(reach=4)
    known.begin_connection(session_present=False)
    for mid in (1, 2, 3):
        known.note_message(mid, ONE, repeated=False)
    for _ in range(10):  # connections that break before the third
        known.begin_connection(session_present=True)
        assert known.note_message(1, ONE, repeated=True)
        assert known.note_message(2, ONE, repeated=True)
    assert known.note_message(3, ONE, repeated=True)


# a broker, a line that loses what is on it, and a gateway that is killed


class Sent(NamedTuple):
    """A message as a broker keeps it: its serial number is what tells messages apart, and nobody sends that."""

    mid: int
    serial: int
    content: int


Choose = Callable[[set[int]], int]


def counting(last: int) -> Choose:
    """Count up to ``last`` and begin again, as Mosquitto does."""
    numbers = count()

    def choose(taken: set[int]) -> int:
        return next(mid for mid in (number % last + 1 for number in numbers) if mid not in taken)

    return choose


def lowest_free(taken: set[int]) -> int:
    """Take the lowest free identity, so that a slow stream has the same one all the time."""
    return next(mid for mid in count(1) if mid not in taken)


class World:
    """A broker as the standard asks for, which sends at most ``WINDOW`` unacknowledged messages; a line; a gateway.

    What is on the line, in either direction, is lost when the line breaks. The gateway stores and acknowledges in one
    go; killed, it begins again with what it had stored. ``contents`` is how many different things there are to say,
    and ``reach`` the gateway's own.
    """

    WINDOW = 4

    def __init__(self, choose: Choose, contents: int, reach: int) -> None:
        self.published = 0
        self.forgotten: set[int] = set()
        self.stored: list[Sent] = []
        self._choose, self._contents, self._reach = choose, contents, reach
        self._unacknowledged: list[Sent] = []
        self._queued: deque[int] = deque()
        self._to_gateway: deque[tuple[Sent, bool]] = deque()
        self._to_broker: deque[int] = deque()
        self._taken: list[Sent] = []
        self._to_acknowledge: list[int] = []
        self._known = Redelivery(reach=reach)
        self._known.begin_connection(session_present=False)

    def publish(self) -> None:
        self._queued.append(self.published)
        self.published += 1
        self._send()

    def deliver(self) -> None:
        if self._to_gateway:
            message, repeated = self._to_gateway.popleft()
            if not self._known.note_message(message.mid, message.content, repeated=repeated):
                self._taken.append(message)
            self._to_acknowledge.append(message.mid)

    def commit(self) -> None:
        self.stored += self._taken
        self._to_broker.extend(self._to_acknowledge)
        self._taken.clear()
        self._to_acknowledge.clear()

    def acknowledged(self) -> None:
        if self._to_broker:
            mid = self._to_broker.popleft()
            assert self._unacknowledged[0].mid == mid, "acknowledgements are given in order"
            del self._unacknowledged[0]
            self._send()

    def break_off(self) -> None:
        """The line breaks, and is there again: the broker repeats what is unacknowledged, in order."""
        self._to_broker.clear()
        self._to_acknowledge.clear()
        self._to_gateway = deque((message, True) for message in self._unacknowledged)
        self._known.begin_connection(session_present=True)

    def kill_gateway(self) -> None:
        """What is not stored is forgotten; of a lost session's, nobody has it any more."""
        self.forgotten |= {sent.serial for sent in self._taken} - {sent.serial for sent in self._unacknowledged}
        self._taken.clear()
        self._known = Redelivery([(sent.mid, sent.content) for sent in self.stored], reach=self._reach)
        self.break_off()

    def lose_session(self) -> None:
        """The broker forgets what it had to deliver, and gives away its identities anew."""
        kept = {sent.serial for sent in [*self.stored, *self._taken]}
        self.forgotten |= {*(sent.serial for sent in self._unacknowledged), *self._queued} - kept
        self._unacknowledged.clear()
        self._queued.clear()
        self.break_off()
        self._known.begin_connection(session_present=False)

    def flow(self) -> None:
        """One message goes all the way: so identities come round."""
        for happens in (self.publish, self.deliver, self.commit, self.acknowledged):
            happens()

    def settle(self) -> None:
        """Let everything arrive and be stored."""
        while self._to_gateway or self._to_broker or self._to_acknowledge:
            self.deliver()
            self.commit()
            self.acknowledged()
        self.commit()

    def _send(self) -> None:
        while self._queued and len(self._unacknowledged) < self.WINDOW:
            serial = self._queued.popleft()
            mid = self._choose({sent.mid for sent in self._unacknowledged})
            sent = Sent(mid, serial, serial % self._contents)
            self._unacknowledged.append(sent)
            self._to_gateway.append((sent, False))


NORMAL = ("flow", "flow", "flow", "publish", "deliver", "commit", "acknowledged", "break_off")
histories = st.lists(st.sampled_from((*NORMAL, "kill_gateway")), max_size=120)
histories_with_lost_sessions = st.lists(st.sampled_from((*NORMAL, "lose_session")), max_size=120)
endless = 1 << 30


def live(world: World, history: list[str]) -> Counter[int]:
    """Let it all happen; return how often each message was stored."""
    for happens in history:
        getattr(world, happens)()
    world.settle()
    return Counter(sent.serial for sent in world.stored)


@settings(deadline=None)
@given(histories | histories_with_lost_sessions, st.integers(1, 3), st.integers(0, 2))
def test_from_a_broker_that_counts_each_message_is_taken_once_whatever_it_says(
    history: list[str], contents: int, slack: int
) -> None:
    # Beyond a reach of half the identities there is room for the window, as with 65,535 of them.
    world = World(counting(2 * (World.WINDOW + slack) + 1), contents, reach=World.WINDOW + slack)
    times = live(world, history)
    assert times == Counter(serial for serial in range(world.published) if serial not in world.forgotten)


@settings(deadline=None)
@given(histories | histories_with_lost_sessions, st.booleans())
def test_messages_that_differ_are_each_taken_once_however_identities_are_chosen(
    history: list[str], ring: bool
) -> None:
    world = World(counting(World.WINDOW) if ring else lowest_free, contents=endless, reach=World.WINDOW)
    times = live(world, history)
    assert times == Counter(serial for serial in range(world.published) if serial not in world.forgotten)


@settings(deadline=None)
@given(histories, st.booleans(), st.integers(1, 3))
def test_where_identities_come_back_at_once_nothing_is_doubled_and_only_equal_messages_count_as_one(
    history: list[str], ring: bool, contents: int
) -> None:
    world = World(counting(World.WINDOW) if ring else lowest_free, contents, reach=endless)
    times = live(world, history)
    assert max(times.values(), default=1) == 1
    said = {sent.content for sent in world.stored}
    missing = [serial for serial in range(world.published) if serial not in times]
    assert all(serial % contents in said for serial in missing)
