"""A message is a repeat where its answer did not go out, or where its sender says so; likeness alone is no proof."""

import pytest

from gateway.sources.http_replays import KEPT, MOST, MOST_KEYS, SOON, TAIL, Accepted, Replays, source_of
from gateway.spool import Identity

TOPIC, SAME = "aq-1", b'{"pm25": 7}'


class Sender:
    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open


def take(replays: Replays, now: float, *senders: Sender, payload: bytes = SAME, key: str | None = None) -> Accepted:
    identity = replays.identity(TOPIC, payload, key, now)
    assert replays.find(identity, now) is None
    accepted = replays.take(identity, 1, now)
    accepted.senders.extend(senders)
    return accepted


def find(replays: Replays, now: float, payload: bytes = SAME, key: str | None = None) -> Accepted | None:
    return replays.find(replays.identity(TOPIC, payload, key, now), now)


def test_a_message_whose_sender_left_is_known_when_it_comes_again() -> None:
    replays = Replays("air", [])
    sender = Sender()
    accepted = take(replays, 1.0, sender)
    assert find(replays, 1.1) is None, "its sender still waits: this is another"
    sender.is_open = False
    assert find(replays, 1.2) is accepted
    assert find(replays, 1.2, b"else") is None


def test_an_equal_message_after_an_answer_is_a_new_one() -> None:
    replays = Replays("air", [])
    accepted = take(replays, 1.0, Sender())
    replays.answered(replays.identity(TOPIC, SAME, None, 1.0), accepted)
    assert find(replays, 146.0) is None


def test_of_two_equal_messages_the_one_without_an_answer_is_meant() -> None:
    replays = Replays("air", [])
    first = take(replays, 1.0, Sender())
    second = replays.take(replays.identity(TOPIC, SAME, None, 1.0), 2, 1.0)
    second.senders.append(Sender(is_open=False))
    assert find(replays, 1.5) is second
    replays.answered(replays.identity(TOPIC, SAME, None, 1.0), second)
    assert find(replays, 1.6) is None
    first.senders.clear()
    assert find(replays, 1.7) is first


def test_after_ten_minutes_an_unanswered_message_is_forgotten() -> None:
    replays = Replays("air", [])
    take(replays, 1.0)
    assert find(replays, 1.0 + KEPT) is None


def test_memory_is_bounded() -> None:
    replays = Replays("air", [])
    for number in range(MOST + 100):
        take(replays, 1.0, payload=b"%d" % number)
    for number in range(MOST_KEYS + 100):
        take(replays, 1.0, key=str(number))
    assert len(replays._unanswered) == MOST
    assert len(replays._keys) == MOST_KEYS


def stored(*at: float, payload: bytes = SAME, key: str | None = None) -> list[Identity]:
    replays = Replays("air", [])
    return [replays.identity(TOPIC, payload, key, moment) for moment in at]


def test_what_was_stored_just_before_a_kill_is_known_soon_after_the_start() -> None:
    for moment, known in [(5.0, True), (5.0 + SOON - 0.1, True), (5.0 + SOON, False)]:
        replays = Replays("air", stored(1000.0))
        assert find(replays, 5.0, b"else") is None
        assert (find(replays, moment) is not None) == known


def test_until_it_is_answered_it_stays_known() -> None:
    replays = Replays("air", stored(1000.0))
    first = find(replays, 5.0)
    assert first is not None
    assert first.is_stored
    assert find(replays, 6.0) is not None
    replays.answered(replays.identity(TOPIC, SAME, None, 6.0), first)
    assert find(replays, 7.0) is None


@pytest.mark.parametrize("before", [TAIL + 1, 30_000])
def test_what_was_stored_long_before_the_kill_is_not_in_doubt(before: int) -> None:
    seen = [*stored(100_000.0 - before), *stored(100_000.0, payload=b"the last")]
    replays = Replays("air", seen)
    assert find(replays, 5.0) is None
    assert find(replays, 5.0, b"the last") is not None


def test_another_source_is_another_matter() -> None:
    assert find(Replays("water", stored(1000.0)), 5.0) is None


def test_with_a_key_the_sender_says_what_is_the_same() -> None:
    replays = Replays("air", [])
    accepted = take(replays, 1.0, Sender(), key="8e03978e")
    identity = replays.identity(TOPIC, SAME, "8e03978e", 1.0)
    replays.answered(identity, accepted)
    assert find(replays, 5000.0, b"worded otherwise", key="8e03978e") is accepted
    assert find(replays, 5000.0, key="another") is None
    assert find(replays, 5000.0) is None
    again = Replays("air", [identity])
    known = find(again, 7000.0, key="8e03978e")
    assert known is not None
    assert known.is_stored
    assert identity.source == source_of("air", keyed=True)
    assert all(0 <= part <= most for part, most in zip(identity[1:], (0xFFFF, 0xFFFFFFFF), strict=True))
