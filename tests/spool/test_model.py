"""Anything may happen in any order: what was acknowledged is never missing, and nothing is stored twice."""

import errno
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from gateway.errors import SpoolError
from gateway.spool import (
    UNKNOWN_SENSORS,
    Batch,
    Identity,
    Member,
    Spool,
    SpoolSettings,
    SpoolTuning,
    decode_member,
    park,
)
from gateway.spool.parked import ParkedCursor
from gateway.spool.quarantine_lines import parse
from gateway.spool.segments import Found, walk
from tests.support.disk import SimulatedDisk

ROOT = Path("/spool")
SINK = "influx"
T0 = 1732281600000000000
BOOT = bytes(range(16))
DEFERRED, READING, PARKED = range(3)
COUNTS = st.lists(st.integers(0, 4), min_size=3, max_size=3)
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
        self.unacknowledged: list[list[int]] = []  # readings, as they were tried together last
        self.attempts: list[set[int]] = []  # what was ever tried together, and failed
        self.kinds: dict[int, int] = {}  # of every reading

    @initialize(seed=st.integers(0, 2**32), small=st.booleans(), level=st.sampled_from([1, 6]))
    def start(self, seed: int, small: bool, level: int) -> None:
        self.disk = self.disk_type(seed)
        bound = 1_500 if small else 1 << 30
        self.settings = SpoolSettings(max_bytes=bound, min_free_bytes=0)
        self.tuning = SpoolTuning(segment_bytes=500, level=level)
        self.reopen()

    @rule(counts=COUNTS)
    def take_readings(self, counts: list[int]) -> None:
        """Store a group: deferred readings, those with UTC, and lines of unknown sensors; some may be missing."""
        began = self.made
        for kind, count in enumerate(counts):
            self.kinds.update(dict.fromkeys(range(self.made, self.made + count), kind))
            self.made += count
        if self.made > began:
            self.append([*range(began, self.made)])

    @rule(
        counts=COUNTS,
        after=st.integers(0, 3),
        times=st.integers(1, 2),
        code=st.sampled_from([errno.EIO, errno.ENOSPC]),
    )
    def take_readings_while_the_disk_fails(self, counts: list[int], after: int, times: int, code: int) -> None:
        self.disk.fail(after, code, times)
        self.take_readings(counts)
        self.disk.heal()

    @rule(together=st.booleans())
    def try_again(self, together: bool) -> None:
        """The broker repeats, in another grouping perhaps."""
        if not self.unacknowledged:
            return
        numbers = self.unacknowledged.pop(0)
        while together and self.unacknowledged:
            numbers += self.unacknowledged.pop(0)
        self.append(numbers)

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
    def bring_parked_lines(self) -> None:
        """Have them in the quarantine, as far as the disk lets us."""
        with suppress(SpoolError):
            self.spool.carry_out_requests()

    @rule()
    def kill(self) -> None:
        """Kill -9: the kernel still has what was written."""
        self.reopen()

    @rule(
        what=st.sampled_from(["take", "take", "deliver", "enforce", "bring"]),
        after=st.integers(0, 12),
        counts=COUNTS,
        durable=st.booleans(),
    )
    def cut_the_power_during(self, what: str, after: int, counts: list[int], durable: bool) -> None:
        """Nothing that comes ``after`` some calls reaches the disk any more."""
        self.disk.fail(after, times=1_000)
        if what == "take":
            self.take_readings(counts)
        elif what == "deliver":
            self.deliver(1_000, durable=durable)
        elif what == "bring":
            self.bring_parked_lines()
        else:
            self.enforce(T0 + 10**18)
        self.cut_the_power(None)

    @rule(breaks=st.none() | st.integers(0, 12))
    def cut_the_power(self, breaks: int | None) -> None:
        self.disk.power_cut()
        if breaks is not None:
            self.disk.fail(breaks, times=2)
        self.reopen()

    def append(self, numbers: list[int]) -> None:
        first, group = self.spool.next_seq, self.group_of(numbers)
        try:
            self.spool.commit(group)
        except SpoolError:
            self.unacknowledged.append(numbers)
            self.attempts.append({*numbers})
            self.check_claims()
            return
        self.check_claims()
        assert first not in self.stored
        stored = [number for batch in group for number in numbers_in(batch.lines)]
        self.stored.update(zip(range(first, self.spool.next_seq), stored, strict=True))

    def group_of(self, numbers: list[int]) -> list[Batch]:
        """Return lines as a group, those of each kind together; the last batch names their messages."""
        kinds = sorted({self.kinds[number] for number in numbers})
        batches = [batch_of(kind, [n for n in numbers if self.kinds[n] == kind]) for kind in kinds]
        identities = [Identity(1, n % 65535 + 1, n) for n in numbers]
        return [*batches[:-1], replace(batches[-1], identities=identities)]

    def is_parked(self, number: int) -> bool:
        return self.kinds[number] == PARKED

    def check_claims(self) -> None:
        """What the sink has is no loss, and no reading that it has not is passed off as one."""
        entries = self.spool.ledger.entries
        for entry in entries[self.claims :]:
            lost = self.stored[entry["from"]]
            assert entry["from"] >= self.spool.cursors.next(SINK) or self.is_parked(lost)
        self.claims = len(entries)

    def quarantined(self) -> set[int]:
        lines = [number for held in self.spool.quarantined(UNKNOWN_SENSORS) for number in numbers_in(held.line)]
        assert len(lines) == len(set(lines)), "in the quarantine twice"
        return set(lines)

    def brought(self) -> set[int]:
        """Return what is in the quarantine, without a portion that a failing disk left half brought.

        That is cut off, and brought anew once the disk lets it; what was dropped of it until then is lost.
        """
        pending = ParkedCursor.load(self.disk, ROOT / "quarantine").size
        if pending is None:
            return self.quarantined()
        lines = parse(self.disk.read(ROOT / "quarantine" / f"{UNKNOWN_SENSORS}.lp")[:pending]) if pending else []
        return {number for held in lines for number in numbers_in(held.line)}

    def reopen(self) -> None:
        self.spool = Spool.open(
            ROOT, self.settings, tuning=self.tuning, sinks=[SINK], filesystem=self.disk, now=lambda: T0
        )
        self.reader = self.spool.reader()
        self.position = self.spool.cursors.next(SINK)
        self.claims = len(self.spool.ledger.entries)
        self.bring_parked_lines()
        self.check()

    def check(self) -> None:
        present: dict[int, int] = {}
        for header, raw in self.members():
            numbers = numbers_in(decode_member(raw))
            assert not present.keys() & set(range(header.first, header.end))
            present.update(zip(range(header.first, header.end), numbers, strict=True))
        read = [n for member in self.spool.reader().members() for n in numbers_in(decode_member(member.raw))]
        assert read == [present[seq] for seq in sorted(present) if not self.is_parked(present[seq])]
        assert len(set(present.values())) == len(present), "stored twice"
        self.check_what_is_gone(present)
        self.recognize(present)
        assert all(self.stored[seq] == number for seq, number in present.items())
        assert self.spool.next_seq > max([-1, *present, *self.delivered])

    def check_what_is_gone(self, present: dict[int, int]) -> None:
        entries, kept = self.spool.ledger.entries, self.brought()
        claimed = [seq for entry in entries for seq in range(entry["from"], entry["to"] + 1)]
        said = [seq for seq in claimed if self.stored.get(seq) not in kept]
        assert len(said) == len(set(said)) == sum(entry["count"] for entry in entries), "a loss is said twice"
        gone = {seq for seq in self.stored.keys() - present.keys() if self.stored[seq] not in kept}
        assert gone <= self.delivered | set(said), "an acknowledged reading is missing"
        assert not present.keys() & set(said), "a loss is claimed that is none"
        assert all(map(self.is_parked, kept)), "a reading is in the quarantine"

    def members(self) -> Iterator[Member]:
        """Yield all members, those with parked lines as well."""
        segments = self.spool.segments
        for segment, following in pairwise([*segments, None]):
            assert segment is not None
            path, ceiling = ROOT / segment.name, following.first if following else None
            for found in walk(self.disk, path, segment.size, ceiling=ceiling, parked=True):
                if isinstance(found, Found):
                    yield Member(found.header, found.raw)

    def recognize(self, present: dict[int, int]) -> None:
        """Do what the daemon does when the broker repeats: acknowledge what is stored already, and only that."""
        known = {identity.digest for identity in self.spool.recovery.identities}
        waiting = []
        for numbers in self.unacknowledged:
            there = {seq: number for seq, number in present.items() if number in numbers}
            repeated = known.intersection(numbers)
            if there and not repeated:
                assert self.spool.recovery.problems, "stored, and will be stored again"
                self.disk.heal()
                self.reopen()
                return
            assert set(there.values()) == repeated, "acknowledged and not stored, or stored and not recognized"
            for number in repeated:
                groups = [attempt for attempt in self.attempts if number in attempt]
                assert any(attempt <= {*present.values()} for attempt in groups), "half of a group is there"
            self.stored.update(there)
            waiting.append([number for number in numbers if number not in repeated])
        self.unacknowledged = [numbers for numbers in waiting if numbers]

    def teardown(self) -> None:
        if not hasattr(self, "spool"):
            return
        self.disk.heal()
        self.enforce(None)
        while self.unacknowledged:
            self.try_again(together=False)
        while self.reader.read(self.position):
            self.deliver(1000, durable=True)
        self.bring_parked_lines()
        self.cut_the_power(None)
        said = sum(entry["count"] for entry in self.spool.ledger.entries)
        assert len(self.delivered) + len(self.quarantined()) + said >= self.made
        assert sorted(self.stored.values()) == list(range(self.made))


def numbers_in(text: bytes) -> list[int]:
    return [int(number) for number in _NUMBER.findall(text)]


def batch_of(kind: int, numbers: list[int]) -> Batch:
    base = 0 if kind == DEFERRED else T0
    lines = [b"traffic,sensor=s%d n=%di %d" % (n % 3, n, base + n) for n in numbers]
    if kind == PARKED:
        lines = [park("unknown sensor s", line) for line in lines]
    text, times = b"".join(line + b"\n" for line in lines), (base + min(numbers), base + max(numbers))
    return Batch(text, len(lines), *times, BOOT if kind == DEFERRED else None, parked=kind == PARKED)


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
