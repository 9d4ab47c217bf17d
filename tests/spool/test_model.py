"""Anything may happen in any order: what was acknowledged is never missing, and nothing is stored twice."""

import errno
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from gateway.errors import SpoolError
from gateway.spool import Batch, Identity, Spool, SpoolSettings, SpoolTuning, decode_member
from tests.support.disk import SimulatedDisk

ROOT = Path("/spool")
SINK = "influx"
T0 = 1732281600000000000
_NUMBER = re.compile(rb"n=(\d+)i")


class SpoolMachine(RuleBasedStateMachine):
    """A daemon, a broker that repeats what was not acknowledged, and a sink, on a disk that fails."""

    disk_type: type[SimulatedDisk]

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.position = 0  # up to where the sink has everything
        self.claims = 0  # lines in the ledger
        self.stored: dict[int, int] = {}  # sequence number -> reading, of everything acknowledged
        self.delivered: set[int] = set()  # sequence numbers, ever
        self.unacknowledged: list[Batch] = []

    @initialize(seed=st.integers(0, 2**32), small=st.booleans(), level=st.sampled_from([1, 6]))
    def start(self, seed: int, small: bool, level: int) -> None:
        self.disk = self.disk_type(seed)
        bound = 1_500 if small else 1 << 30
        self.settings = SpoolSettings(max_bytes=bound, min_free_bytes=0)
        self.tuning = SpoolTuning(segment_bytes=500, level=level)
        self.reopen()

    @rule(count=st.integers(1, 6))
    def take_readings(self, count: int) -> None:
        numbers = range(self.made, self.made + count)
        self.made += count
        lines = b"".join(b"traffic,sensor=s%d n=%di %d\n" % (n % 3, n, T0 + n) for n in numbers)
        identities = [Identity(1, n % 65535 + 1, n) for n in numbers]
        self.append(Batch(lines, count, T0 + numbers[0], T0 + numbers[-1], None, identities))

    @rule(
        count=st.integers(1, 6),
        after=st.integers(0, 3),
        times=st.integers(1, 2),
        code=st.sampled_from([errno.EIO, errno.ENOSPC]),
    )
    def take_readings_while_the_disk_fails(self, count: int, after: int, times: int, code: int) -> None:
        self.disk.fail(after, code, times)
        self.take_readings(count)
        self.disk.heal()

    @rule(together=st.booleans())
    def try_again(self, together: bool) -> None:
        """The broker repeats, in another grouping perhaps."""
        if not self.unacknowledged:
            return
        batch = self.unacknowledged.pop(0)
        while together and self.unacknowledged:
            batch = joined(batch, self.unacknowledged.pop(0))
        self.append(batch)

    @rule(max_lines=st.sampled_from([1, 4, 1000]), durable=st.booleans())
    def deliver(self, max_lines: int, durable: bool) -> None:
        for member in self.reader.read(self.position, max_lines=max_lines):
            numbers = numbers_in(decode_member(member.raw))
            first, end = member.header.first, member.header.end
            assert first >= self.position, "delivered twice without need"
            assert [self.stored.get(seq) for seq in range(first, end)] == numbers
            self.delivered.update(range(first, end))
            self.position = end
        try:
            self.spool.consumer(SINK).seek(self.position, durable=durable)
        except SpoolError:
            assert durable

    @rule(now=st.none() | st.just(T0 + 10**18))
    def enforce(self, now: int | None) -> None:
        self.spool.enforce(now)
        self.check_claims()

    @rule(
        after=st.integers(0, 8),
        code=st.sampled_from([errno.EIO, errno.ENOSPC, errno.EROFS]),
        times=st.sampled_from([1, 1, 2, 3, 20]),
    )
    def break_the_disk(self, after: int, code: int, times: int) -> None:
        self.disk.fail(after, code, times)

    @rule()
    def kill(self) -> None:
        """Kill -9: the kernel still has what was written."""
        self.reopen()

    @rule(
        what=st.sampled_from(["take", "take", "deliver", "enforce"]), after=st.integers(0, 7), count=st.integers(1, 6)
    )
    def cut_the_power_during(self, what: str, after: int, count: int) -> None:
        """Nothing that comes ``after`` some calls reaches the disk any more."""
        self.disk.fail(after, times=1_000)
        if what == "take":
            self.take_readings(count)
        elif what == "deliver":
            self.deliver(1_000, durable=count > 3)
        else:
            self.enforce(T0 + 10**18)
        self.cut_the_power(None)

    @rule(breaks=st.none() | st.integers(0, 12))
    def cut_the_power(self, breaks: int | None) -> None:
        self.disk.power_cut()
        if breaks is not None:
            self.disk.fail(breaks, times=2)
        self.reopen()

    def append(self, batch: Batch) -> None:
        try:
            header = self.spool.writer.append(batch)
        except SpoolError:
            self.unacknowledged.append(batch)
            self.check_claims()
            return
        self.check_claims()
        assert header.count == batch.count
        assert header.first not in self.stored
        self.stored.update(zip(range(header.first, header.end), numbers_in(batch.lines), strict=True))

    def check_claims(self) -> None:
        """What the sink has is no loss."""
        entries = self.spool.ledger.entries
        assert all(entry["from"] >= self.spool.cursors.next(SINK) for entry in entries[self.claims :])
        self.claims = len(entries)

    def reopen(self) -> None:
        self.spool = Spool.open(
            ROOT, self.settings, tuning=self.tuning, sinks=[SINK], filesystem=self.disk, now=lambda: T0
        )
        self.reader = self.spool.reader()
        self.position = self.spool.cursors.next(SINK)
        self.claims = len(self.spool.ledger.entries)
        self.check()

    def check(self) -> None:
        present: dict[int, int] = {}
        for member in self.spool.reader().members():
            numbers = numbers_in(decode_member(member.raw))
            assert not present.keys() & set(range(member.header.first, member.header.end))
            present.update(zip(range(member.header.first, member.header.end), numbers, strict=True))
        assert len(set(present.values())) == len(present), "stored twice"
        self.check_what_is_gone(present)
        self.recognize(present)
        assert all(self.stored[seq] == number for seq, number in present.items())
        assert self.spool.next_seq > max([-1, *present, *self.delivered])

    def check_what_is_gone(self, present: dict[int, int]) -> None:
        entries = self.spool.ledger.entries
        said = [seq for entry in entries for seq in range(entry["from"], entry["to"] + 1)]
        assert len(said) == len(set(said)) == sum(entry["count"] for entry in entries), "a loss is said twice"
        gone = self.stored.keys() - present.keys()
        assert gone <= self.delivered | set(said), "an acknowledged reading is missing"
        assert not present.keys() & set(said), "a loss is claimed that is none"

    def recognize(self, present: dict[int, int]) -> None:
        """Do what the daemon does when the broker repeats: acknowledge what is stored already, and only that."""
        known = set(self.spool.recovery.identities)
        waiting = []
        for batch in self.unacknowledged:
            numbers = numbers_in(batch.lines)
            there = {seq: number for seq, number in present.items() if number in numbers}
            if known.issuperset(batch.identities):
                assert sorted(there.values()) == numbers, "acknowledged, but not stored"
                self.stored.update(there)
            elif there:
                assert self.spool.recovery.problems, "stored, and will be stored again"
                self.disk.heal()
                self.reopen()
                return
            else:
                waiting.append(batch)
        self.unacknowledged = waiting

    def teardown(self) -> None:
        if not hasattr(self, "spool"):
            return
        self.disk.heal()
        self.enforce(None)
        while self.unacknowledged:
            self.try_again(together=False)
        while self.reader.read(self.position):
            self.deliver(1000, durable=True)
        self.cut_the_power(None)
        said = sum(entry["count"] for entry in self.spool.ledger.entries)
        assert len(self.delivered) + said >= self.made
        assert sorted(self.stored.values()) == list(range(self.made))


def numbers_in(text: bytes) -> list[int]:
    return [int(number) for number in _NUMBER.findall(text)]


def joined(one: Batch, other: Batch) -> Batch:
    return Batch(
        one.lines + other.lines,
        one.count + other.count,
        min(one.t_min, other.t_min),
        max(one.t_max, other.t_max),
        None,
        [*one.identities, *other.identities],
    )


@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_ever_missing_whatever_happens(disk_type: type[SimulatedDisk]) -> None:
    SpoolMachine.disk_type = disk_type
    run_state_machine_as_test(
        SpoolMachine,
        settings=settings(
            max_examples=250,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            report_multiple_bugs=False,
        ),
    )
