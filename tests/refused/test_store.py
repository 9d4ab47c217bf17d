"""Refused messages are on the disk before they are acknowledged, and are kept exactly once whatever happens."""

import errno
import random
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.daemon.assembly import seen_identities
from gateway.errors import SpoolError, SpoolFull
from gateway.refused import Counted, Entry, Kept, Refusal, RefusedSettings, RefusedStore, RefusedView, Resolved
from gateway.refused.segments import segment_name
from gateway.spool import Batch, Identity, Spool, SpoolSettings, decode_member
from tests.support.disk import SimulatedDisk

ROOT = Path("/data/refused")
SPOOL = Path("/data/spool")
AT = 1_732_281_600_000_000_000


def refusal(number: int, *, size: int = 10, identity: Identity | None = None) -> Refusal:
    raw = random.Random(number).randbytes(size)  # noqa: S311 - repeatable
    return Refusal("broker", f"t/{number}", AT + number, raw, "noise", "no JSON", size=size, identity=identity)


def line_of(number: int) -> bytes:
    return b"air_quality,sensor=aq x=%d %d\n" % (number, AT + number)


class House:
    """A spool and a store of refused messages on one disk."""

    def __init__(self, disk: SimulatedDisk, *, max_bytes: int = 1 << 26, segment_bytes: int = 1 << 20) -> None:
        self.spool = Spool.open(SPOOL, SpoolSettings(min_free_bytes=0), sinks=["influx"], filesystem=disk)
        settings = RefusedSettings(max_bytes=max_bytes)
        self.store = RefusedStore(ROOT, settings, self.spool, filesystem=disk, segment_bytes=segment_bytes)

    def commit(self, lines: list[bytes], refusals: list[Refusal], resolved: list[Resolved] | None = None) -> None:
        """Do what the committer does with a group."""
        identities = [one.identity for one in refusals if one.identity is not None]
        entries: list[Entry] = [*refusals, *(resolved or [])]
        if entries:
            identities.append(self.store.keep(entries, with_group=bool(lines)))
        if lines:
            self.spool.commit([Batch(b"".join(lines), len(lines), AT, AT + 10**6, identities=identities)])
        if entries:
            self.store.settle()

    @property
    def kept(self) -> list[Refusal]:
        return [one.refusal for one in self.store.entries() if isinstance(one, Kept)]

    def close(self) -> None:
        self.store.close()
        self.spool.close()


def test_what_is_refused_is_there_after_a_restart_with_all_that_was_known_of_it(disk: SimulatedDisk) -> None:
    house = House(disk)
    known = replace(
        refusal(1), boot=bytes(range(16)), device="aq", digests=(1, 2), retained=True, identity=Identity(1, 2, 3)
    )
    house.commit([], [known, refusal(2)])
    house.commit([line_of(3)], [refusal(3)])
    disk.power_cut()
    house = House(disk)
    assert house.kept == [known, refusal(2), refusal(3)]
    assert [one.refusal for one in RefusedView(ROOT, disk).entries() if isinstance(one, Kept)] == house.kept
    assert house.store.levels().kept == 3
    assert house.store.problems == []


def test_a_block_counts_only_with_its_commit_group(disk: SimulatedDisk) -> None:
    house = House(disk)
    house.commit([line_of(1)], [refusal(1)])
    house.store.keep([refusal(2)], with_group=True)  # and killed here, before the spool has the group
    assert house.store.settled == 1
    again = House(disk)
    assert again.kept == [refusal(1)]
    again.commit([line_of(2)], [refusal(2)])
    assert House(disk).kept == [refusal(1), refusal(2)]


def test_a_block_whose_group_came_to_nothing_counts_by_itself(disk: SimulatedDisk) -> None:
    house = House(disk)
    house.store.keep([refusal(1)], with_group=True)
    house.store.confirm()
    house.store.settle()
    assert House(disk).kept == [refusal(1)]


def test_requeued_lines_between_a_block_and_its_group_confuse_nobody(disk: SimulatedDisk) -> None:
    house = House(disk)
    marker = house.store.keep([refusal(1)], with_group=True)
    house.spool.commit([Batch(line_of(7), 1, AT, AT)])  # of the housekeeping's thread
    assert House(disk).kept == [], "those are another's readings"
    house = House(disk)
    marker = house.store.keep([refusal(1)], with_group=True)
    house.spool.commit([Batch(line_of(8), 1, AT, AT)])
    house.spool.commit([Batch(line_of(9), 1, AT, AT, identities=[marker])])
    assert House(disk).kept == [refusal(1)]


def test_what_is_resolved_is_neither_shown_nor_counted(disk: SimulatedDisk) -> None:
    house = House(disk)
    house.commit([], [refusal(number) for number in range(5)])
    house.commit([line_of(1)], [], [Resolved(1, "read"), Resolved(2, "read")])
    assert [one.topic for one in house.kept] == ["t/0", "t/3", "t/4"]
    again = House(disk)
    assert again.kept == house.kept
    assert again.store.levels().kept == 3
    assert again.store.is_resolved(2)


def test_beyond_the_bound_the_oldest_go_and_the_ledger_counts_them_once(disk: SimulatedDisk) -> None:
    house = House(disk, max_bytes=40_000)
    for number in range(100):
        house.commit([], [refusal(number, size=1000)])
    numbers = [int(one.topic[2:]) for one in house.kept]
    assert numbers == list(range(numbers[0], 100))
    assert 25 <= len(numbers) <= 40
    assert house.store.levels().bytes <= 40_000
    lost = [entry for entry in house.spool.ledger.entries if entry["rule"] == "refused_oldest"]
    assert sum(entry["count"] for entry in lost) == numbers[0]
    assert lost[0]["first_time"] is not None
    disk.power_cut()
    again = House(disk, max_bytes=40_000)
    assert sum(entry["count"] for entry in again.spool.ledger.entries) + len(again.kept) == 100


def test_what_was_counted_only_is_shown_and_enters_the_ledger_with_its_file(disk: SimulatedDisk) -> None:
    house = House(disk, max_bytes=40_000)
    house.store.keep([Counted("broker", "noise", "no JSON", 700, AT, AT)], with_group=False)
    assert house.store.levels().counted == 700
    counted = [one.count for one in House(disk).store.entries() if isinstance(one, Counted)]
    assert counted == [700]
    for number in range(100):
        house.commit([], [refusal(number, size=1000)])
    assert sum(entry["count"] for entry in house.spool.ledger.entries) + len(house.kept) == 800


def test_a_full_disk_takes_nothing_keeps_nothing_and_then_takes_all(disk: SimulatedDisk) -> None:
    house = House(disk)
    house.commit([], [refusal(1)])
    for after in range(4):
        disk.fail(after, errno.ENOSPC, times=3)
        full = 0
        for _ in range(3):
            try:
                house.store.keep([refusal(2)], with_group=False)
            except SpoolError:
                full += 1
        assert full
        disk.heal()
        disk.power_cut()
        house = House(disk)
        assert {one.topic for one in house.kept} <= {"t/1", "t/2"}
    house.commit([], [refusal(3)])
    assert house.kept[-1] == refusal(3)


def test_a_full_disk_lets_the_oldest_file_go_for_the_next(disk: SimulatedDisk) -> None:
    house = House(disk, segment_bytes=2000)
    for number in range(6):
        house.commit([], [refusal(number, size=1000)])
    disk.fail(0, errno.ENOSPC)
    with pytest.raises(SpoolFull):
        house.store.keep([refusal(6, size=1000)], with_group=False)
    before = len(house.kept)
    house.commit([], [refusal(6, size=1000)])
    assert house.kept[-1] == refusal(6, size=1000)
    gone = before + 1 - len(house.kept)
    assert gone
    assert [entry["count"] for entry in house.spool.ledger.entries] == [gone]


def test_a_file_cut_anywhere_gives_every_whole_block_and_takes_more(disk: SimulatedDisk) -> None:
    house = House(disk)
    ends = {0: 0}
    for number in range(4):
        house.commit([], [refusal(number)])
        ends[house.store.levels().bytes] = number + 1
    file = ROOT / segment_name(0)
    whole = bytes(disk.content(file))
    for length in range(len(whole)):
        disk.put(file, whole[:length])
        again = House(disk)
        good = ends[max(end for end in ends if end <= length)]
        assert again.kept == [refusal(number) for number in range(good)]
        again.commit([], [refusal(99)])
        assert House(disk).kept[good:] == [refusal(99)]
        for path in disk.files():
            if path.parent == ROOT:
                disk.unlink(path)


def test_damage_costs_its_block_and_the_ledger_says_how_many(disk: SimulatedDisk) -> None:
    house = House(disk)
    house.commit([], [refusal(0)])
    first = house.store.levels().bytes
    house.commit([], [refusal(1), refusal(2)])
    house.commit([], [refusal(3)])
    disk.content(ROOT / segment_name(0))[first + 100] ^= 0xFF
    again = House(disk)
    assert [one.topic for one in again.kept] == ["t/0", "t/3"]
    House(disk)
    assert [(e["rule"], e["count"]) for e in again.spool.ledger.entries] == [("refused_damaged", 2)]


def test_a_file_of_a_later_version_is_left_as_it_is_and_said(disk: SimulatedDisk) -> None:
    house = House(disk)
    house.commit([], [refusal(0)])
    later = bytearray(disk.content(ROOT / segment_name(0)))
    later[4] = 9
    from gateway.refused.block import _HEADER, _CHECK  # noqa: PLC0415, I001 - the layout itself is what changes

    later[_HEADER.size : _HEADER.size + 4] = _CHECK.pack(zlib.crc32(bytes(later[: _HEADER.size])))
    disk.put(ROOT / segment_name(0), bytes(later))
    again = House(disk)
    assert "later version" in again.store.problems[0]
    again.commit([], [refusal(1)])
    assert bytes(disk.content(ROOT / segment_name(0))) == bytes(later)
    assert House(disk).kept == [refusal(1)]


class Broker:
    """Sends messages until they are acknowledged; a third brings a line, a third a refusal, a third both."""

    def __init__(self) -> None:
        self.next = 0
        self.in_flight: list[int] = []

    def send(self, count: int) -> list[int]:
        self.in_flight += range(self.next, self.next + count)
        self.next += count
        return self.in_flight

    @staticmethod
    def identity(number: int) -> Identity:
        return Identity(1, number % 65535 + 1, number)


def stored_lines(spool: Spool) -> Counter[bytes]:
    text = b"".join(decode_member(member.raw) for member in spool.reader().members())
    return Counter(line + b"\n" for line in text.split(b"\n") if line and not line.startswith(b"#"))


class Run:
    """Messages of a broker that sends again what was not acknowledged, through faults and power cuts.

    Of three messages one brings a line, one is refused, one is both.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - repeatable
        self.disk = SimulatedDisk(seed)
        self.broker = Broker()
        self.acknowledged: set[int] = set()
        self.restart()

    def restart(self) -> None:
        self.disk.heal()
        self.disk.power_cut()
        self.house = House(self.disk, segment_bytes=1500)
        self.known = set(seen_identities(self.house.spool, self.house.store))

    def step(self) -> None:
        chance = self.chance
        if chance.random() < 0.3:
            code = chance.choice((errno.EIO, errno.ENOSPC))
            self.disk.fail(chance.randrange(8), code, times=chance.randrange(1, 4))
        messages = list(self.broker.send(chance.randrange(1, 4)))
        try:
            self.store([number for number in messages if Broker.identity(number) not in self.known])
        except SpoolError:
            self.restart()  # a daemon would try again; one that dies here has acknowledged nothing of it
            return
        self.disk.heal()
        self.acknowledged.update(messages)
        self.known.update(map(Broker.identity, messages))
        if chance.random() < 0.5:  # else the acknowledgements are lost with the connection
            self.broker.in_flight.clear()
        if chance.random() < 0.2:
            self.restart()

    def store(self, new: list[int]) -> None:
        """Do what the committer does with one group."""
        lines = [line_of(number) for number in new if number % 3 != 1]
        refusals = [refusal(number, identity=Broker.identity(number)) for number in new if number % 3]
        identities = [Broker.identity(number) for number in new]
        if refusals:
            identities.append(self.house.store.keep(refusals, with_group=bool(lines)))
        if lines:
            batch = Batch(b"".join(lines), len(lines), AT, AT + 10**6, identities=identities)
            self.house.spool.commit([batch])
        self.house.store.settle()


@pytest.mark.parametrize("seed", range(40))
def test_every_message_is_stored_or_kept_exactly_once_through_faults_and_power_cuts(seed: int) -> None:
    run = Run(seed)
    for _ in range(60):
        run.step()
    run.restart()
    lines = stored_lines(run.house.spool)
    kept = Counter(one.topic for one in run.house.kept)
    for number in range(run.broker.next):
        all_of_it = int(number % 3 != 1), int(number % 3 != 0)
        found = lines[line_of(number)], kept[f"t/{number}"]
        assert found == all_of_it if number in run.acknowledged else found in ((0, 0), all_of_it), number
