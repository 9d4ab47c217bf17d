"""Group commit: what becomes durable together, and that nobody is told before."""

import asyncio

import pytest
import structlog

from firmware_sim.patience import patience
from gateway.errors import QuarantineFull, SpoolError, SpoolFull
from gateway.health import Health
from gateway.ingest.commit_group import MOST_IDENTITIES
from gateway.ingest.committer import PAUSE_BYTES, PAUSE_READINGS, Committer
from gateway.ingest.delivery import Delivery
from gateway.ingest.settings import CommitSettings
from gateway.spool import Identity
from gateway.spool.member import MAX_TEXT
from tests.support.clock import FakeClock
from tests.support.store import FakeKeeper, FakeStore
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


def serial(*lines: bytes, at: int = AT, deferred: bool = False) -> Delivery:
    """Return readings that nobody has to acknowledge."""
    delivery = Delivery()
    for line in lines:
        delivery.add(line, at, deferred=deferred)
    return delivery


def message(acks: Acks, mid: int, *lines: bytes, at: int = AT) -> Delivery:
    """Return a message with these readings."""
    delivery = Delivery(acks, mid, _identity(mid))
    for line in lines:
        delivery.add(line, at)
    return delivery


async def test_readings_wait_for_the_interval_and_then_go_together(store: FakeStore, health: Health) -> None:
    committer = Committer(
        store, BOOT, health, CommitSettings(commit_interval="20ms", commit_bytes=1 << 20), keeper=FakeKeeper()
    )
    task = asyncio.create_task(committer.run())
    committer.add(serial(b"a x=1 2"))
    await asyncio.sleep(0)
    committer.add(serial(b"b x=1 1", at=AT - 1))
    assert not store.batches
    await until(lambda: health.commits > 0)
    (batch,) = store.batches
    assert (batch.lines, batch.count, batch.t_min, batch.t_max) == (b"a x=1 2\nb x=1 1\n", 2, AT - 1, AT)
    assert (health.commits, health.committed) == (1, 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    committer.close()


async def test_a_large_batch_does_not_wait(store: FakeStore, health: Health) -> None:
    committer = Committer(
        store, BOOT, health, CommitSettings(commit_interval="1h", commit_bytes=1000), keeper=FakeKeeper()
    )
    task = asyncio.create_task(committer.run())
    for _ in range(9):
        committer.add(serial(b"x" * 99))
    await asyncio.sleep(0.01)  # the silence itself
    assert not store.batches
    committer.add(serial(b"x" * 99))
    await until(lambda: len(store.lines) == 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    committer.close()


async def test_who_is_in_a_hurry_need_not_wait(running: Committer, store: FakeStore) -> None:
    running.add(serial(b"a x=1 1"))
    running.hurry()
    await until(lambda: store.lines == [b"a x=1 1"])


async def test_acknowledgements_follow_the_write_in_order_and_never_precede_it(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    store.gate.clear()
    for mid in (3, 1, 2):
        running.add(message(acks, mid, b"m=%d" % mid))
    running.hurry()
    await until(store.begun.is_set)
    await asyncio.sleep(0.01)  # the silence itself
    assert acks.mids == []
    store.gate.set()
    await until(lambda: acks.mids == [3, 1, 2])
    assert [identity.mid for identity in store.batches[0].identities] == [3, 1, 2]


async def test_a_message_without_readings_is_acknowledged_too(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    running.add(Delivery(acks, 7))
    running.hurry()
    await until(lambda: acks.mids == [7])
    assert not store.batches


async def test_what_gathers_during_a_write_goes_with_the_next(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    store.gate.clear()
    running.add(message(acks, 1, b"first"))
    running.hurry()
    await until(store.begun.is_set)
    running.add(message(acks, 2, b"second"))
    running.hurry()
    store.gate.set()
    await until(lambda: acks.mids == [1, 2])
    assert [batch.lines for batch in store.batches] == [b"first\n", b"second\n"]
    assert [[identity.mid for identity in batch.identities] for batch in store.batches] == [[1], [2]]


async def test_a_message_stays_with_its_readings_when_identities_fill_a_group(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    count = MOST_IDENTITIES * 2 + 10
    for number in range(count):
        delivery = Delivery(acks, number % 65535 + 1, Identity(1, number % 65535 + 1, number))
        delivery.add(b"%d a" % number, AT)
        delivery.add(b"%d b" % number, AT)
        running.add(delivery)
    await until(lambda: len(acks.mids) == count)  # nobody hurried: a full group does not wait
    assert [batch.count for batch in store.batches] == [MOST_IDENTITIES * 2, MOST_IDENTITIES * 2, 20]
    for batch in store.batches:
        named = {int(line.split()[0]) for line in batch.lines.splitlines()}
        assert named == {identity.digest for identity in batch.identities}


async def test_every_kind_of_line_is_a_member_of_one_group_and_the_last_names_the_messages(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    running.add(serial(b"serial x=1 9", at=AT + 9))
    delivery = message(acks, 1)
    delivery.park("unknown sensor x", b"stranger x=1 6", 6, deferred=True)
    delivery.add(b"early x=1 5", 5, deferred=True)
    delivery.park("unknown sensor y", b"other x=1 7", AT + 7)
    delivery.add(b"known x=1 8", AT)
    running.add(delivery)
    running.add(message(acks, 2, b"second x=1 8", at=AT + 8))
    running.hurry()
    await until(lambda: acks.mids == [1, 2])
    [group] = store.groups
    deferred, utc, parked_deferred, parked = group
    assert (deferred.lines, deferred.boot, deferred.t_min, deferred.parked) == (b"early x=1 5\n", BOOT, 5, False)
    assert (utc.lines, utc.boot) == (b"serial x=1 9\nknown x=1 8\nsecond x=1 8\n", None)
    assert (utc.t_min, utc.t_max, utc.parked) == (AT, AT + 9, False)
    assert (parked_deferred.boot, parked_deferred.t_min, parked_deferred.parked) == (BOOT, 6, True)
    assert (parked.boot, parked.t_max, parked.parked) == (None, AT + 7, True)
    assert store.parked == [
        (f"times are since boot {BOOT.hex()}; unknown sensor x", b"stranger x=1 6"),
        ("unknown sensor y", b"other x=1 7"),
    ]
    assert [[identity.mid for identity in batch.identities] for batch in group] == [[], [], [], [1, 2]]


async def test_what_a_message_brings_is_in_one_group_with_its_name(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    """A kill between two writes must leave no part of a message."""
    for mid, times in enumerate(([5], [AT], [5, AT], [6, 7]), 1):
        delivery = Delivery(acks, mid, _identity(mid))
        for at in times:
            delivery.add(b"m=%d x=1 %d" % (mid, at), at, deferred=at != AT)
        running.add(delivery)
        running.hurry()
        await asyncio.sleep(0.005 * (mid % 2))
    await until(lambda: acks.mids == [1, 2, 3, 4])
    for group in store.groups:
        brought = {int(line[2:3]) for batch in group for line in batch.lines.splitlines()}
        assert brought == {identity.mid for batch in group for identity in batch.identities}


async def test_a_message_that_brings_nothing_is_acknowledged_and_not_named(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    running.add(message(acks, 1))
    running.add(message(acks, 2, b"a x=1 1"))
    running.hurry()
    await until(lambda: acks.mids == [1, 2])
    [batch] = store.batches
    assert [identity.mid for identity in batch.identities] == [2]


async def test_what_is_more_than_a_member_holds_is_a_group_of_several(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    line = b"x" * 10_000
    delivery = message(acks, 1)
    for deferred in (True, False):
        for number in range(2_000):
            delivery.add(line, AT + number, deferred=deferred)
    running.add(delivery)
    await until(lambda: acks.mids == [1])  # nobody hurried: so large a group does not wait
    assert all(len(batch.lines) <= MAX_TEXT for batch in store.batches)
    assert store.lines == [line] * 4_000
    [group] = store.groups
    assert len(group) > 4
    assert [[identity.mid for identity in batch.identities] for batch in group] == [[]] * (len(group) - 1) + [[1]]


async def test_a_full_disk_holds_everything_and_later_everything_is_there_once(
    running: Committer, store: FakeStore, acks: Acks, health: Health
) -> None:
    store.troubles.extend([SpoolFull("the disk is full")] * 3 + [SpoolError("input/output error")])
    running.add(serial(b"early x=1 5", at=5, deferred=True))
    running.add(message(acks, 1, b"a x=1 1"))
    store.gate.clear()
    running.hurry()
    await until(store.begun.is_set)
    running.add(message(acks, 2, b"b x=1 2"))
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
        running.add(serial(b"a"))
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
    for _ in range(PAUSE_READINGS - 1):
        running.add(serial(b"x"))
    assert not running.is_full
    running.add(serial(b"x"))
    assert running.is_full
    waiting = asyncio.create_task(running.room())
    running.hurry()
    await until(store.begun.is_set)
    assert not waiting.done()
    store.gate.set()
    await asyncio.wait_for(waiting, patience())
    assert not running.is_full


async def test_bytes_are_bounded_too_and_parked_lines_count(committer: Committer) -> None:
    delivery = Delivery()
    delivery.park("unknown sensor x", b"x" * (PAUSE_BYTES // 2), AT)
    committer.add(delivery)
    assert not committer.is_full
    committer.add(serial(b"x" * (PAUSE_BYTES // 2)))
    assert committer.is_full


async def test_stopping_commits_what_is_gathered(committer: Committer, store: FakeStore, acks: Acks) -> None:
    task = asyncio.create_task(committer.run())
    committer.add(message(acks, 1, b"last"))
    committer.stop()
    await asyncio.wait_for(task, patience())
    assert (store.lines, acks.mids) == ([b"last"], [1])


async def test_stopping_before_running_commits_as_well(committer: Committer, store: FakeStore) -> None:
    committer.add(serial(b"last"))
    committer.stop()
    await asyncio.wait_for(committer.run(), patience())
    assert store.lines == [b"last"]


async def test_stopping_during_a_write_writes_nothing_twice(
    committer: Committer, store: FakeStore, acks: Acks
) -> None:
    task = asyncio.create_task(committer.run())
    store.gate.clear()
    committer.add(message(acks, 1, b"a"))
    committer.hurry()
    await until(store.begun.is_set)
    committer.add(serial(b"b"))
    committer.stop()
    store.gate.set()
    await asyncio.wait_for(task, patience())
    assert (store.lines, acks.mids) == ([b"a", b"b"], [1])


async def test_a_group_that_the_disk_refused_while_stopping_is_written_once_or_not_at_all(
    committer: Committer, store: FakeStore, acks: Acks
) -> None:
    task = asyncio.create_task(committer.run())
    store.gate.clear()
    store.troubles.extend([SpoolFull("full")])
    delivery = message(acks, 1, b"known")
    delivery.add(b"early", 5, deferred=True)
    delivery.park("unknown sensor x", b"x parked", AT)
    committer.add(delivery)
    committer.hurry()
    await until(store.begun.is_set)
    committer.stop()
    store.gate.set()
    await asyncio.wait_for(task, patience())
    # The write under way when we were told to stop was refused, and `run` tries once more at the end.
    assert store.lines == [b"early", b"known"]
    assert store.parked == [("unknown sensor x", b"x parked")]
    assert acks.mids == [1]


async def test_a_disk_that_stays_full_lets_us_stop_with_nothing_acknowledged(
    committer: Committer, store: FakeStore, acks: Acks, health: Health
) -> None:
    store.troubles.extend([SpoolFull("full")] * 10)
    committer.add(message(acks, 1, b"a"))
    committer.stop()
    await asyncio.wait_for(committer.run(), patience())
    assert (store.lines, acks.mids) == ([], [])
    assert health.spool_problem == "full"


async def test_parked_lines_are_durable_before_their_message_is_acknowledged(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    delivery = message(acks, 1)
    delivery.park("unknown sensor x", b"one", AT)
    delivery.park("unknown sensor x", b"two", AT)
    delivery.park("unknown sensor y", b"three", AT)
    running.add(delivery)
    running.hurry()
    await until(lambda: acks.mids == [1])
    assert store.parked == [
        ("unknown sensor x", b"one"),
        ("unknown sensor x", b"two"),
        ("unknown sensor y", b"three"),
    ]
    [batch] = store.batches
    assert [identity.mid for identity in batch.identities] == [1], "it must be known when it comes again"


async def test_a_full_quarantine_costs_its_own_lines_and_no_reading_waits(
    running: Committer, store: FakeStore, acks: Acks, health: Health
) -> None:
    store.no_room = QuarantineFull("quarantine/unknown.lp has reached its bound")
    with structlog.testing.capture_logs() as logs:
        for mid in (1, 2):
            delivery = message(acks, mid, b"known %d" % mid)
            delivery.park("unknown sensor x", b'air,sensor=new\\ one note="a" 5', AT)
            running.add(delivery)
            running.hurry()
            await until(lambda mid=mid: acks.mids[-1:] == [mid])  # type: ignore[misc] # mypy: no default for a lambda
    assert store.lines == [b"known 1", b"known 2"]
    assert [identity.mid for batch in store.batches for identity in batch.identities] == [1, 2]
    assert health.refused == 2
    assert health.refusals["quarantine_full"].sensors == {"new one"}
    assert [entry["event"] for entry in logs] == ["quarantine is full: lines of unknown sensors are dropped"]


async def test_who_is_forgotten_is_not_acknowledged_but_its_readings_are_kept(
    running: Committer, store: FakeStore, acks: Acks
) -> None:
    gone = Acks()
    running.add(message(gone, 1, b"a"))
    running.add(message(acks, 2, b"b"))
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
        running.add(serial(b"%d" % number))
        running.hurry()
        await until(lambda number=number: len(heard) == number + 1)  # type: ignore[misc] # as above
    assert heard == [1, 2, 3]
