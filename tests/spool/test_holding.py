"""Held lines and readings of one group count together or not at all, whatever fails between any two steps."""

import errno
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from gateway.errors import QuarantineFull, SpoolError
from gateway.spool import MAX_IDENTITIES, Batch, Identity, Spool, SpoolSettings, SpoolTuning, decode_member
from gateway.spool.requests import submit
from tests.support.disk import SimulatedDisk
from tests.support.spool import Batches

ROOT = Path("/spool")
T0 = 1732281600000000000
_NUMBER = re.compile(rb"n=(\d+)i")


def reading(number: int) -> bytes:
    return b"traffic,sensor=s n=%di %d\n" % (number, T0 + number)


def identity(number: int) -> Identity:
    return Identity(1, number % 65_535 + 1, number)


def batch_of(numbers: list[int], identities: list[Identity]) -> Batch:
    return Batch(
        b"".join(map(reading, numbers)), len(numbers), T0 + min(numbers), T0 + max(numbers), None, identities
    )


def numbers_in(text: bytes) -> list[int]:
    return [int(number) for number in _NUMBER.findall(text)]


class HoldingMachine(RuleBasedStateMachine):
    """A daemon that holds lines, a broker that repeats, a person who requeues them, and a disk that fails.

    Message ``n`` brings reading ``n``; where ``held`` has it, that is a line to be held.
    """

    disk_type: type[SimulatedDisk]

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.held: set[int] = set()
        self.acknowledged: set[int] = set()
        self.waiting: list[int] = []
        """At the broker: published, and not acknowledged."""
        self.under_way: list[int] = []
        """What the daemon was not able to write yet, and tries again before anything else."""

    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        self.disk = self.disk_type(seed)
        self.reopen()

    @rule(kinds=st.lists(st.booleans(), min_size=1, max_size=5))
    def publish(self, kinds: list[bool]) -> None:
        for is_held in kinds:
            if is_held:
                self.held.add(self.made)
            self.waiting.append(self.made)
            self.made += 1
        self.commit()

    @rule()
    def commit(self) -> None:
        """Write what is there as one group, as the committer does."""
        numbers = self.under_way or self.waiting
        if not numbers:
            return
        known = [identity(number) for number in numbers]
        ready = [number for number in numbers if number not in self.held]
        lines: dict[str, list[bytes]] = {}
        for number in (number for number in numbers if number in self.held):
            lines.setdefault(f"unknown sensor {number % 2}", []).append(reading(number).rstrip())
        batch = batch_of(ready, known) if ready else None
        try:
            if lines:
                self.spool.holding.hold(lines, known, batch)
            elif batch:
                self.spool.holding.append(batch)
        except SpoolError:
            self.under_way = [*numbers]
            return
        self.acknowledged.update(numbers)
        self.waiting = [number for number in self.waiting if number not in numbers]
        self.under_way = []

    @rule(
        kinds=st.lists(st.booleans(), min_size=1, max_size=5),
        after=st.integers(0, 12),
        times=st.sampled_from([1, 1, 2, 3]),
        code=st.sampled_from([errno.EIO, errno.ENOSPC]),
    )
    def publish_while_the_disk_fails(self, kinds: list[bool], after: int, times: int, code: int) -> None:
        self.disk.fail(after, code, times)
        self.publish(kinds)
        self.disk.heal()

    @rule(kinds=st.lists(st.booleans(), min_size=1, max_size=5), after=st.integers(0, 15), power=st.booleans())
    def die_during(self, kinds: list[bool], after: int, power: bool) -> None:
        """Kill -9, or cut the power, after some steps of a commit."""
        self.disk.fail(after, times=1_000)
        self.publish(kinds)
        self.disk.heal()
        if power:
            self.disk.power_cut()
        self.reopen()

    @rule(power=st.booleans(), breaks=st.none() | st.integers(0, 12))
    def die(self, power: bool, breaks: int | None) -> None:
        if power:
            self.disk.power_cut()
        if breaks is not None:
            self.disk.fail(breaks, times=2)
        self.reopen()

    @rule(kind=st.sampled_from([None, "sensor 0", "sensor 1"]), breaks=st.none() | st.integers(0, 20))
    def requeue(self, kind: str | None, breaks: int | None) -> None:
        submit(self.disk, ROOT, {"do": "requeue", "sink": "held", "match": kind}, self.made)
        if breaks is not None:
            self.disk.fail(breaks, times=2)
        try:
            self.spool.carry_out_requests()
        except SpoolError:
            assert breaks is not None or self.under_way
        self.disk.heal()

    def open(self) -> Spool:
        keep_all = SpoolSettings(min_free_bytes=0, on_full="refuse_new")
        return Spool.open(ROOT, keep_all, sinks=["influx"], filesystem=self.disk, now=lambda: T0)

    def reopen(self) -> None:
        self.spool = self.open()
        self.under_way = []
        self.disk.heal()
        problems = list(self.spool.recovery.problems)
        if problems:  # the next start may put in order what this one could not
            self.spool = self.open()
        assert self.spool.recovery.problems == []
        self.check()

    def check(self) -> None:
        known = set(self.spool.recovery.identities)
        self.spool.carry_out_requests()
        members = [decode_member(member.raw) for member in self.spool.reader().members()]
        stored = [n for text in members for n in numbers_in(text)]
        put_aside = [n for held in self.spool.held("held") for n in numbers_in(held.line)]
        there = [*stored, *put_aside]
        assert len(there) == len(set(there)), "twice"
        assert self.acknowledged <= set(there), "acknowledged, and gone"
        for number in [*self.waiting]:
            assert (identity(number) in known) == (number in there), "known, but not there, or the other way round"
            if number in there:
                self.waiting.remove(number)
                self.acknowledged.add(number)

    def teardown(self) -> None:
        if not hasattr(self, "spool"):
            return
        self.disk.heal()
        self.commit()
        self.commit()
        self.disk.power_cut()
        self.reopen()
        assert self.acknowledged == set(range(self.made))


@pytest.mark.timeout(300)
def test_held_lines_are_there_exactly_once_whatever_happens(disk_type: type[SimulatedDisk]) -> None:
    HoldingMachine.disk_type = disk_type
    run_state_machine_as_test(
        HoldingMachine,
        settings=settings(
            max_examples=150,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            report_multiple_bugs=False,
        ),
    )


@pytest.fixture
def spool(disk: SimulatedDisk) -> Spool:
    return reopened(disk)


def reopened(disk: SimulatedDisk, quarantine_bytes: int = 1 << 20) -> Spool:
    """What a start finds."""
    return Spool.open(ROOT, tuning=SpoolTuning(quarantine_bytes=quarantine_bytes), filesystem=disk, now=lambda: T0)


def held_numbers(spool: Spool) -> list[int]:
    return [number for held in spool.held("held") for number in numbers_in(held.line)]


def test_lines_of_a_group_that_was_not_finished_are_cut_off_at_the_next_start(
    spool: Spool, disk: SimulatedDisk
) -> None:
    spool.holding.hold({"unknown sensor x": [reading(1)]}, [identity(1)])
    disk.fail(after=8, times=1000)  # beyond the note and the lines
    with pytest.raises(SpoolError):
        spool.holding.hold({"unknown sensor x": [reading(2)]}, [identity(3)], batch_of([3], [identity(3)]))
    disk.heal()
    assert held_numbers(spool) == [1, 2], "it failed too early for this test"
    again = reopened(disk)
    assert held_numbers(again) == [1]
    assert set(again.recovery.identities) == {identity(1)}


def test_what_was_cut_off_does_not_come_back_by_a_power_cut(disk_type: type[SimulatedDisk]) -> None:
    for seed in range(20):
        disk = disk_type(seed)
        spool = reopened(disk)
        disk.fail(after=7)  # the sync of the lines; they are cut off at once, and not durably
        with pytest.raises(SpoolError):
            spool.holding.hold({"unknown sensor x": [reading(1)]}, [identity(1)])
        assert held_numbers(reopened(disk)) == []
        disk.power_cut()
        assert held_numbers(reopened(disk)) == []


def test_what_failed_to_be_written_before_and_is_there_after_a_kill_does_not_make_lines_count(
    spool: Spool, disk: SimulatedDisk
) -> None:
    disk.fail(after=2, times=3)  # the sync, the cut of what was written, its removal
    with pytest.raises(SpoolError):
        spool.holding.append(batch_of([1], [identity(1)]))  # a portion of a requeue, which is not tried again at once
    disk.fail(after=9, times=1000)
    with pytest.raises(SpoolError):
        spool.holding.hold({"unknown sensor x": [reading(2)]}, [identity(3)], batch_of([3], [identity(3)]))
    disk.heal()
    assert held_numbers(spool) == [2]
    again = reopened(disk)
    assert again.next_seq == 1, "nothing came back: this tests nothing"
    assert (held_numbers(again), again.recovery.identities) == ([], (identity(1),))


def test_a_message_that_brought_held_lines_alone_is_known_after_a_kill(spool: Spool, disk: SimulatedDisk) -> None:
    for number in (1, 2):
        spool.holding.hold({"unknown sensor x": [reading(number)]}, [identity(number)])
    disk.power_cut()
    again = reopened(disk)
    assert (held_numbers(again), again.recovery.identities) == ([1, 2], (identity(1), identity(2)))

    # With the next readings it goes into the spool, in its place before theirs.
    again.holding.append(batch_of([3], [identity(3)]))
    [member] = again.reader().members()
    assert member.header.identities() == (identity(1), identity(2), identity(3))
    assert reopened(disk).recovery.identities == (identity(1), identity(2), identity(3))


def test_the_note_does_not_grow_without_end(spool: Spool, disk: SimulatedDisk) -> None:
    many = [identity(number) for number in range(MAX_IDENTITIES)]
    spool.holding.hold({"unknown sensor x": [reading(1)]}, many)
    spool.holding.hold({"unknown sensor x": [reading(2)]}, [identity(MAX_IDENTITIES)])
    assert reopened(disk).recovery.identities == (*many[1:], identity(MAX_IDENTITIES))
    spool.holding.append(batch_of([3], [identity(MAX_IDENTITIES + 1)]))  # fits into a member
    assert reopened(disk).recovery.identities[-2:] == (identity(MAX_IDENTITIES), identity(MAX_IDENTITIES + 1))


def test_while_a_group_waits_for_the_disk_nothing_overtakes_it(
    spool: Spool, disk: SimulatedDisk, batches: Batches
) -> None:
    spool.holding.hold({"unknown sensor x": [reading(1)]}, [identity(1)])
    disk.fail(after=8, times=1)
    group = {"unknown sensor x": [reading(2)]}, [identity(3)], batch_of([3], [identity(3)])
    with pytest.raises(SpoolError):
        spool.holding.hold(*group)
    with pytest.raises(SpoolError, match="wait for the disk"):
        spool.holding.append(batches())
    submit(disk, ROOT, {"do": "requeue", "sink": "held", "match": None}, 1)
    with pytest.raises(SpoolError, match="wait for the disk"):
        spool.carry_out_requests()

    spool.holding.hold(*group)
    assert held_numbers(spool) == [1, 2]
    assert spool.carry_out_requests()[0].answer["readings"] == 2
    assert held_numbers(spool) == []


def test_a_quarantine_at_its_bound_is_told_before_anything_is_done(disk: SimulatedDisk) -> None:
    spool = reopened(disk, quarantine_bytes=100)
    calls = len(disk.calls)
    with pytest.raises(QuarantineFull):
        spool.holding.hold({"unknown sensor x": [reading(n) for n in range(5)]}, [], batch_of([9], []))
    assert len(disk.calls) == calls
    spool.holding.append(batch_of([9], []))


def test_what_a_person_mended_in_the_file_is_not_cut_off(spool: Spool, disk: SimulatedDisk) -> None:
    spool.holding.hold({"unknown sensor x": [reading(1)]}, [identity(1)])
    mended = bytes(disk.content(ROOT / "quarantine" / "held.lp")).replace(b"traffic,", b"traffic,lane=left,")
    disk.put(ROOT / "quarantine" / "held.lp", mended)
    assert held_numbers(reopened(disk)) == [1]
    assert bytes(disk.content(ROOT / "quarantine" / "held.lp")) == mended


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\0\0\0",
        b"[]",
        b'{"next": 0, "size": "x"}',
        b'{"next": 0, "size": []}',
        b'{"next": 0, "identities": "0"}',
    ],
)
def test_a_note_that_makes_no_sense_keeps_nobody_from_starting(disk: SimulatedDisk, note: bytes) -> None:
    disk.put(ROOT / "quarantine" / "held.json", note)
    spool = reopened(disk)
    assert spool.recovery.identities == ()
    spool.holding.hold({"unknown sensor x": [reading(1)]}, [identity(1)])
    assert reopened(disk).recovery.identities == (identity(1),)
