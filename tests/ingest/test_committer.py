"""Group commit: what becomes durable together, and that nobody is told before."""

import asyncio

import pytest
import structlog

from firmware_sim.patience import patience
from gateway.errors import QuarantineFull, SpoolError, SpoolFull
from gateway.health import Health
from gateway.ingest.committer import HOLD_BYTES, HOLD_LINES, Committer
from gateway.ingest.settings import CommitSettings
from gateway.spool import MAX_IDENTITIES, Identity
from gateway.spool.member import MAX_TEXT
from tests.support.clock import FakeClock
from tests.support.store import FakeStore
from tests.support.until import until

AT = 1_732_281_600_000_000_000
BOOT = bytes(range(16))


class Acks:
    """Somebody who waits for acknowledgements."""

    def __init__(self) -> None:
        self.mids: list[int] = []

    def acknowledge(self, mids: list[int]) -> None:
        self.mids += mids


@pytest.fixture
def acks() -> Acks:
    return Acks()


@pytest.fixture(autouse=True)
def try_again_at_once(clock: FakeClock) -> None:
    clock.jumps = True


def _identity(mid: int) -> Identity:
    return Identity(1, mid, mid)


async def test_readings_wait_for_the_interval_and_then_go_together(store: FakeStore, health: Health) -> None:
    committer = Committer(store, BOOT, health, CommitSettings(commit_interval="20ms", commit_bytes=1 << 20))
    task = asyncio.create_task(committer.run())
    committer.put(b"a x=1 2", AT)
    await asyncio.sleep(0)
    committer.put(b"b x=1 1", AT - 1)
    assert not store.batches
    await until(lambda: health.commits > 0)
    (batch,) = store.batches
    assert (batch.lines, batch.count, batch.t_min, batch.t_max) == (b"a x=1 2\nb x=1 1\n", 2, AT - 1, AT)
    assert (health.commits, health.committed) == (1, 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    committer.close()


async def test_a_large_batch_does_not_wait(store: FakeStore, health: Health) -> None:
    committer = Committer(store, BOOT, health, CommitSettings(commit_interval="1h", commit_bytes=1000))
    task = asyncio.create_task(committer.run())
    for _ in range(9):
        committer.put(b"x" * 99, AT)
    await asyncio.sleep(0.01)
    assert not store.batches
    committer.put(b"x" * 99, AT)
    await until(lambda: len(store.lines) == 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    committer.close()


async def test_who_is_in_a_hurry_need_not_wait(running: Committer, store: FakeStore) -> None:
    running.put(b"a x=1 1", AT)
    running.hurry()
    await until(lambda: store.lines == [b"a x=1 1"])


async def test_acknowledgements_follow_the_write_in_order_and_never_precede_it(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    store.gate.clear()
    for mid in (3, 1, 2):
        running.put(b"m=%d" % mid, AT)
        running.then_acknowledge(acks, mid, _identity(mid))
    running.hurry()
    await until(store.begun.is_set)
    await asyncio.sleep(0.01)
    assert acks.mids == []
    store.gate.set()
    await until(lambda: acks.mids == [3, 1, 2])
    assert [identity.mid for identity in store.batches[0].identities] == [3, 1, 2]


async def test_a_message_without_readings_is_acknowledged_too(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    running.then_acknowledge(acks, 7, None)
    running.hurry()
    await until(lambda: acks.mids == [7])
    assert not store.batches


async def test_what_gathers_during_a_write_goes_with_the_next(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    store.gate.clear()
    running.put(b"first", AT)
    running.then_acknowledge(acks, 1, _identity(1))
    running.hurry()
    await until(store.begun.is_set)
    running.put(b"second", AT)
    running.then_acknowledge(acks, 2, _identity(2))
    running.hurry()
    store.gate.set()
    await until(lambda: acks.mids == [1, 2])
    assert [batch.lines for batch in store.batches] == [b"first\n", b"second\n"]
    assert [[identity.mid for identity in batch.identities] for batch in store.batches] == [[1], [2]]


async def test_a_message_stays_with_its_readings_when_identities_fill_a_group(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    count = MAX_IDENTITIES * 2 + 10
    for number in range(count):
        running.put(b"%d a" % number, AT)
        running.put(b"%d b" % number, AT)
        running.then_acknowledge(acks, number % 65535 + 1, Identity(1, number % 65535 + 1, number))
    await until(lambda: len(acks.mids) == count)  # nobody hurried: a full group does not wait
    assert [batch.count for batch in store.batches] == [MAX_IDENTITIES * 2, MAX_IDENTITIES * 2, 20]
    for batch in store.batches:
        named = {int(line.split()[0]) for line in batch.lines.splitlines()}
        assert named == {identity.digest for identity in batch.identities}


async def test_times_since_boot_and_utc_become_two_members_and_the_last_names_the_messages(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    running.put(b"early x=1 5", 5, since_boot=True)
    running.put(b"known x=1 9", AT)
    running.then_acknowledge(acks, 1, _identity(1))
    running.hurry()
    await until(lambda: acks.mids == [1])
    boot, utc = store.batches
    assert (boot.lines, boot.boot, boot.t_min, list(boot.identities)) == (b"early x=1 5\n", BOOT, 5, [])
    assert (utc.lines, utc.boot, utc.t_min, len(utc.identities)) == (b"known x=1 9\n", None, AT, 1)


async def test_a_message_is_named_by_the_write_that_holds_its_readings(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    """A kill between two writes must leave no reading whose message would be taken for a new one."""
    running.put(b"serial x=1 9", AT)
    for mid, times in enumerate(([5], [AT], [5, AT], [6, 7]), 1):
        running.begin()
        for at in times:
            running.put(b"m=%d x=1 %d" % (mid, at), at, since_boot=at != AT)
        running.then_acknowledge(acks, mid, _identity(mid))
    running.hurry()
    await until(lambda: acks.mids == [1, 2, 3, 4])
    named = [[identity.mid for identity in batch.identities] for batch in store.batches]
    assert named == [[1, 4], [2, 3]], "what is of both kinds is named last: doubled is better than lost"


async def test_what_is_more_than_a_member_holds_is_written_in_several(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    line = b"x" * 10_000
    for since_boot in (True, False):
        running.begin()
        for number in range(2_000):
            running.put(line, AT + number, since_boot=since_boot)
        running.then_acknowledge(acks, 1 + since_boot, _identity(1 + since_boot))
    running.hurry()
    await until(lambda: acks.mids == [2, 1])
    assert all(len(batch.lines) <= MAX_TEXT for batch in store.batches)
    assert store.lines == [line] * 4_000
    named = [[identity.mid for identity in batch.identities] for batch in store.batches]
    assert [mids for mids in named if mids] == [[2], [1]]
    assert named[-1] == [1]
    assert [batch.boot for batch in store.batches if batch.identities] == [BOOT, None]


async def test_a_full_disk_holds_everything_and_later_everything_is_there_once(
    running: Committer, store: FakeStore, acks: Acks, health: Health
) -> None:
    store.troubles.extend([SpoolFull("the disk is full")] * 3 + [SpoolError("input/output error")])
    running.put(b"early x=1 5", 5, since_boot=True)
    running.put(b"a x=1 1", AT)
    running.then_acknowledge(acks, 1, _identity(1))
    store.gate.clear()
    running.hurry()
    await until(store.begun.is_set)
    running.put(b"b x=1 2", AT)
    running.then_acknowledge(acks, 2, _identity(2))
    assert acks.mids == []
    store.gate.set()
    running.hurry()
    await until(lambda: acks.mids == [1, 2])
    assert store.lines == [b"early x=1 5", b"a x=1 1", b"b x=1 2"]
    assert health.spool_problem == ""
    assert health.committed == 3


async def test_a_refusing_disk_is_told_once_and_its_recovery_once(running: Committer, store: FakeStore) -> None:
    store.troubles.extend([SpoolFull("the disk is full")] * 5)
    with structlog.testing.capture_logs() as logs:
        running.put(b"a", AT)
        running.hurry()
        await until(lambda: bool(store.batches))
    assert [(entry["log_level"], entry.get("problem")) for entry in logs] == [
        ("error", "the disk is full"),
        ("info", None),
    ]


async def test_past_the_bound_there_is_no_room_until_something_is_durable(
    running: Committer, store: FakeStore
) -> None:
    store.gate.clear()
    for _ in range(HOLD_LINES - 1):
        running.put(b"x", AT)
    assert not running.full
    running.put(b"x", AT)
    assert running.full
    waiting = asyncio.create_task(running.room())
    running.hurry()
    await until(store.begun.is_set)
    assert not waiting.done()
    store.gate.set()
    await asyncio.wait_for(waiting, patience())
    assert not running.full


async def test_bytes_are_bounded_too_and_held_lines_count(committer: Committer) -> None:
    committer.hold("unknown sensor x", b"x" * (HOLD_BYTES // 2))
    assert not committer.full
    committer.put(b"x" * (HOLD_BYTES // 2), AT)
    assert committer.full


async def test_stopping_commits_what_is_gathered(committer: Committer, store: FakeStore, acks: Acks) -> None:
    task = asyncio.create_task(committer.run())
    committer.put(b"last", AT)
    committer.then_acknowledge(acks, 1, _identity(1))
    committer.stop()
    await asyncio.wait_for(task, patience())
    assert (store.lines, acks.mids) == ([b"last"], [1])


async def test_stopping_before_running_commits_as_well(committer: Committer, store: FakeStore) -> None:
    committer.put(b"last", AT)
    committer.stop()
    await asyncio.wait_for(committer.run(), patience())
    assert store.lines == [b"last"]


async def test_stopping_during_a_write_writes_nothing_twice(
    committer: Committer, store: FakeStore, acks: Acks
) -> None:
    task = asyncio.create_task(committer.run())
    store.gate.clear()
    committer.put(b"a", AT)
    committer.then_acknowledge(acks, 1, _identity(1))
    committer.hurry()
    await until(store.begun.is_set)
    committer.put(b"b", AT)
    committer.stop()
    store.gate.set()
    await asyncio.wait_for(task, patience())
    assert (store.lines, acks.mids) == ([b"a", b"b"], [1])


async def test_stopping_between_the_two_writes_of_a_group_repeats_neither(
    committer: Committer, store: FakeStore, acks: Acks
) -> None:
    task = asyncio.create_task(committer.run())
    store.gate.clear()
    store.troubles.extend([None, SpoolFull("full"), None])
    committer.hold("unknown sensor x", b"x held")
    committer.put(b"early", 5, since_boot=True)
    committer.put(b"known", AT)
    committer.then_acknowledge(acks, 1, _identity(1))
    committer.hurry()
    await until(store.begun.is_set)
    committer.stop()
    store.gate.set()
    await asyncio.wait_for(task, patience())
    assert store.lines == [b"early", b"known"]
    assert store.held == [("unknown sensor x", [b"x held"])]
    assert acks.mids == [1]


async def test_a_disk_that_stays_full_lets_us_stop_with_nothing_acknowledged(
    committer: Committer, store: FakeStore, acks: Acks, health: Health
) -> None:
    store.troubles.extend([SpoolFull("full")] * 10)
    committer.put(b"a", AT)
    committer.then_acknowledge(acks, 1, _identity(1))
    committer.stop()
    await asyncio.wait_for(committer.run(), patience())
    assert (store.lines, acks.mids) == ([], [])
    assert health.spool_problem == "full"


async def test_held_lines_are_put_aside_before_their_message_is_acknowledged(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    running.hold("unknown sensor x", b"one")
    running.hold("unknown sensor x", b"two")
    running.hold("unknown sensor y", b"three")
    running.then_acknowledge(acks, 1, _identity(1))
    running.hurry()
    await until(lambda: acks.mids == [1])
    assert store.held == [("unknown sensor x", [b"one", b"two"]), ("unknown sensor y", [b"three"])]
    assert [identity.mid for identity in store.identities] == [1], "it must be known when it comes again"


async def test_a_full_quarantine_costs_its_own_lines_and_no_reading_waits(
    running: Committer, store: FakeStore, acks: Acks, health: Health
) -> None:
    store.hold_trouble = QuarantineFull("quarantine/held.lp has reached its bound")
    with structlog.testing.capture_logs() as logs:
        for mid in (1, 2):
            running.hold("unknown sensor x", b"stranger")
            running.put(b"known %d" % mid, AT)
            running.then_acknowledge(acks, mid, _identity(mid))
            running.hurry()
            await until(lambda mid=mid: acks.mids[-1:] == [mid])  # type: ignore[misc] # mypy: no default for a lambda
    assert store.lines == [b"known 1", b"known 2"]
    assert health.refused == 2
    assert [entry["event"] for entry in logs] == ["quarantine is full: what it should hold is dropped"]


async def test_who_is_forgotten_is_not_acknowledged_but_its_readings_are_kept(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    gone = Acks()
    running.put(b"a", AT)
    running.then_acknowledge(gone, 1, _identity(1))
    running.put(b"b", AT)
    running.then_acknowledge(acks, 2, _identity(2))
    running.forget(gone)
    running.forget(gone)
    running.hurry()
    await until(lambda: acks.mids == [2])
    assert gone.mids == []
    assert store.lines == [b"a", b"b"]
    assert [identity.mid for identity in store.batches[0].identities] == [1, 2]


async def test_whoever_asked_hears_of_every_commit(running: Committer, store: FakeStore) -> None:
    heard: list[int] = []
    running.on_commit.append(lambda: heard.append(len(store.batches)))
    for number in range(3):
        running.put(b"%d" % number, AT)
        running.hurry()
        await until(lambda number=number: len(heard) == number + 1)  # type: ignore[misc] # as above
    assert heard == [1, 2, 3]
