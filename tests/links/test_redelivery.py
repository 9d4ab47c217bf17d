"""What a broker sends again is told from what is new, through reconnects, lost sessions and restarts."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.links.redelivery import Redelivery

ONE, TWO, THREE = 0x11111111, 0x22222222, 0xFFFFFFFF


@pytest.fixture
def redelivery() -> Redelivery:
    known = Redelivery()
    known.connected(session_present=False)
    return known


def test_a_new_message_is_no_repeat_even_with_dup_set(redelivery: Redelivery) -> None:
    assert not redelivery.is_repeat(1, ONE, repeated=False)
    assert not redelivery.is_repeat(2, TWO, repeated=True)


def test_what_was_taken_is_a_repeat_when_it_comes_again_on_the_kept_session(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    redelivery.connected(session_present=True)
    assert redelivery.is_repeat(1, ONE, repeated=True)
    assert redelivery.is_repeat(1, ONE, repeated=True), "and once more"


def test_it_stays_a_repeat_over_several_connections_that_carried_nothing_new(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    for _ in range(5):
        redelivery.connected(session_present=True)
    assert redelivery.is_repeat(1, ONE, repeated=True)


def test_what_comes_again_but_was_never_taken_is_taken_now(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    redelivery.connected(session_present=True)
    assert not redelivery.is_repeat(2, TWO, repeated=True)
    redelivery.connected(session_present=True)
    assert redelivery.is_repeat(2, TWO, repeated=True)


def test_an_identity_used_again_for_other_content_is_a_new_message(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    redelivery.connected(session_present=True)
    assert not redelivery.is_repeat(1, TWO, repeated=True)
    redelivery.connected(session_present=True)
    assert redelivery.is_repeat(1, TWO, repeated=True)
    assert not redelivery.is_repeat(1, ONE, repeated=True)


def test_without_dup_the_same_identity_and_content_is_a_new_message(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    assert not redelivery.is_repeat(1, ONE, repeated=False), "a sensor may say the same twice"


def test_a_broker_that_lost_the_session_sends_only_new_messages(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    redelivery.connected(session_present=False)
    assert not redelivery.is_repeat(1, ONE, repeated=True)


def test_a_repeat_may_come_once_more_after_something_new_came_by_its_connection(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    redelivery.connected(session_present=True)
    assert redelivery.is_repeat(1, ONE, repeated=True)
    redelivery.is_repeat(2, TWO, repeated=False)
    redelivery.connected(session_present=True)  # before the acknowledgement of either went out
    assert redelivery.is_repeat(1, ONE, repeated=True)
    assert redelivery.is_repeat(2, TWO, repeated=True)


def test_the_first_message_without_dup_ends_the_repeats_of_older_connections(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    redelivery.is_repeat(2, TWO, repeated=False)
    redelivery.connected(session_present=True)
    assert redelivery.is_repeat(1, ONE, repeated=True)
    assert not redelivery.is_repeat(3, THREE, repeated=False)
    assert not redelivery.is_repeat(2, TWO, repeated=True)


def test_messages_of_the_connection_before_the_last_count_until_something_new_came(redelivery: Redelivery) -> None:
    redelivery.is_repeat(1, ONE, repeated=False)
    redelivery.connected(session_present=True)
    redelivery.is_repeat(2, TWO, repeated=False)
    redelivery.connected(session_present=True)
    assert redelivery.is_repeat(2, TWO, repeated=True)
    assert not redelivery.is_repeat(1, ONE, repeated=True), "the broker had caught up with that one"


def test_after_a_restart_what_was_stored_last_is_a_repeat() -> None:
    restarted = Redelivery([(1, ONE), (65535, THREE)])
    restarted.connected(session_present=True)
    assert restarted.is_repeat(1, ONE, repeated=True)
    assert restarted.is_repeat(65535, THREE, repeated=True)
    assert not restarted.is_repeat(2, TWO, repeated=True)


def test_after_a_restart_the_last_store_of_an_identity_counts() -> None:
    restarted = Redelivery([(1, ONE), (1, TWO)])
    restarted.connected(session_present=True)
    assert not restarted.is_repeat(1, ONE, repeated=True)
    assert Redelivery([(1, ONE), (1, TWO)]).is_repeat(1, TWO, repeated=True)


def test_after_a_restart_a_lost_session_forgets_all() -> None:
    restarted = Redelivery([(1, ONE)])
    restarted.connected(session_present=False)
    assert not restarted.is_repeat(1, ONE, repeated=True)


def test_an_untouched_identity_is_no_repeat_of_a_digest_of_zero() -> None:
    fresh = Redelivery()
    fresh.connected(session_present=True)
    assert not fresh.is_repeat(7, 0, repeated=True)


class Broker:
    """Behaves as the standard asks: what is unacknowledged comes again first, in order, with DUP set.

    Few identities and few contents, so that both are soon used again.
    """

    def __init__(self) -> None:
        self.unacknowledged: list[tuple[int, int]] = []
        self.published = 0
        self.taken: list[int] = []
        self._stored: dict[int, int] = {}
        self._last = 0
        self._known = Redelivery()
        self._known.connected(session_present=False)

    def publish(self) -> None:
        if len(self.unacknowledged) == 4:
            return
        self._last = self._last % 5 + 1
        self.unacknowledged.append((self._last, self.published))
        self._deliver(self._last, self.published, repeated=False)
        self.published += 1

    def acknowledge(self) -> None:
        del self.unacknowledged[:1]

    def reconnect(self, arrive: int) -> None:
        """Repeat, where the connection breaks after ``arrive`` messages, and then repeat whole."""
        for count in (arrive, len(self.unacknowledged)):
            self._known.connected(session_present=True)
            for mid, serial in self.unacknowledged[:count]:
                self._deliver(mid, serial, repeated=True)

    def restart(self, arrive: int) -> None:
        """Begin again with what is on disk."""
        self._known = Redelivery(self._stored.items())
        self.reconnect(arrive)

    def _deliver(self, mid: int, serial: int, *, repeated: bool) -> None:
        content = crc32(bytes([serial % 2]))
        if not self._known.is_repeat(mid, content, repeated=repeated):
            self.taken.append(serial)
            self._stored[mid] = content


@given(st.lists(st.sampled_from(["publish", "acknowledge", "reconnect", "restart"]), max_size=60), st.data())
def test_over_any_history_every_message_is_taken_exactly_once(history: list[str], data: st.DataObject) -> None:
    broker = Broker()
    for happens in history:
        if happens in {"reconnect", "restart"}:
            getattr(broker, happens)(data.draw(st.integers(0, len(broker.unacknowledged))))
        else:
            getattr(broker, happens)()
    assert broker.taken == list(range(broker.published))
