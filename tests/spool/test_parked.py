"""Readings and parked lines of a group count together or not at all; what is parked comes to the quarantine once."""

import errno
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from gateway.errors import QuarantineFull, SpoolError
from gateway.spool import (
    UNKNOWN_SENSORS,
    Batch,
    Identity,
    Spool,
    SpoolSettings,
    SpoolTuning,
    SpoolView,
    decode_member,
    of_boot,
    park,
    unpark,
)
from gateway.spool.filesystem import save_checked
from gateway.spool.requests import submit
from tests.support.disk import SimulatedDisk
from tests.support.spool import Batches

ROOT = Path("/spool")
FILE = ROOT / "quarantine" / f"{UNKNOWN_SENSORS}.lp"
CURSOR = ROOT / "quarantine" / "parked.json"
HELD = ROOT / "quarantine" / "held.lp"
NOTE = ROOT / "quarantine" / "held.json"
T0 = 1732281600000000000
BOOT = bytes(range(16))
_NUMBER = re.compile(rb"n=(\d+)i")

READING, DEFERRED, PARKED, PARKED_DEFERRED = KINDS = range(4)
ORDER = (DEFERRED, READING, PARKED_DEFERRED, PARKED)
MESSAGES = st.lists(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4), min_size=1, max_size=4)


def reading(number: int, time: int = T0) -> bytes:
    return b'traffic,sensor=s n=%di,note="50%% \\"a\\\\" %d' % (number, time + number)


def identity(number: int) -> Identity:
    return Identity(1, number % 65_535 + 1, number)


def batch_of(kind: int, numbers: list[int], identities: list[Identity]) -> Batch:
    deferred, parked = kind in (DEFERRED, PARKED_DEFERRED), kind in (PARKED, PARKED_DEFERRED)
    base = 0 if deferred else T0
    lines = [reading(number, base) for number in numbers]
    if parked:
        lines = [park(f"unknown sensor {number % 2}", line) for number, line in zip(numbers, lines, strict=True)]
    text = b"".join(line + b"\n" for line in lines)
    times = base + min(numbers), base + max(numbers)
    return Batch(text, len(numbers), *times, BOOT if deferred else None, identities, parked)


def group_of(kinds: dict[int, list[int]], identities: list[Identity]) -> list[Batch]:
    """Return lines by their kind as one group; the last batch names the messages."""
    present = [kind for kind in ORDER if kinds.get(kind)]
    return [batch_of(kind, kinds[kind], identities if kind == present[-1] else []) for kind in present]


def numbers_in(text: bytes) -> list[int]:
    return [int(number) for number in _NUMBER.findall(text)]


def in_quarantine(spool: SpoolView) -> list[int]:
    return [number for held in spool.quarantined(UNKNOWN_SENSORS) for number in numbers_in(held.line)]


def in_spool(spool: SpoolView) -> list[int]:
    members = [decode_member(member.raw) for member in spool.reader().members()]
    return [number for text in members for number in numbers_in(text)]


class ParkingMachine(RuleBasedStateMachine):
    """A daemon that parks lines, a broker that repeats, a person who requeues them, and a disk that fails.

    A message brings lines of any kinds: with UTC or the time since boot, readings or of unknown sensors.
    """

    disk_type: type[SimulatedDisk]

    def __init__(self) -> None:
        super().__init__()
        self.made = 0
        self.messages: list[dict[int, int]] = []
        """Each the kind of its lines, by number."""
        self.acknowledged: set[int] = set()
        self.waiting: list[int] = []
        """At the broker: published, and not acknowledged."""
        self.under_way: list[int] = []
        """What the daemon was not able to write yet, and tries again before anything else."""

    @initialize(seed=st.integers(0, 2**32), segment_bytes=st.sampled_from([300, 1 << 20]))
    def start(self, seed: int, segment_bytes: int) -> None:
        self.disk = self.disk_type(seed)
        self.segment_bytes = segment_bytes
        self.reopen()

    @rule(messages=MESSAGES)
    def publish(self, messages: list[list[int]]) -> None:
        for kinds in messages:
            self.waiting.append(len(self.messages))
            self.messages.append({self.made + index: kind for index, kind in enumerate(kinds)})
            self.made += len(kinds)
        self.commit()

    @rule()
    def commit(self) -> None:
        """Write what is there as one group, as the committer does."""
        messages = self.under_way or self.waiting
        if not messages:
            return
        kinds: dict[int, list[int]] = {}
        for message in messages:
            for number, kind in self.messages[message].items():
                kinds.setdefault(kind, []).append(number)
        try:
            self.spool.commit(group_of(kinds, [identity(message) for message in messages]))
        except SpoolError:
            self.under_way = [*messages]
            return
        self.acknowledged.update(messages)
        self.waiting = [message for message in self.waiting if message not in messages]
        self.under_way = []

    @rule(
        messages=MESSAGES,
        after=st.integers(0, 6),
        times=st.sampled_from([1, 1, 2, 3]),
        code=st.sampled_from([errno.EIO, errno.ENOSPC]),
    )
    def publish_while_the_disk_fails(self, messages: list[list[int]], after: int, times: int, code: int) -> None:
        self.disk.fail(after, code, times)
        self.publish(messages)
        self.disk.heal()

    @rule(messages=MESSAGES, after=st.integers(0, 30), power=st.booleans())
    def die_during(self, messages: list[list[int]], after: int, power: bool) -> None:
        """Kill -9, or cut the power, after some steps of a commit or of what brings lines to the quarantine."""
        self.disk.fail(after, times=1_000)
        self.publish(messages)
        self.look_after(None)
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

    @rule(breaks=st.none() | st.integers(0, 14), times=st.sampled_from([1, 2, 5]))
    def bring(self, breaks: int | None, times: int) -> None:
        if breaks is not None:
            self.disk.fail(breaks, times=times)
        self.look_after(breaks)
        self.disk.heal()

    @rule(kind=st.sampled_from([None, "sensor 0", "sensor 1"]), breaks=st.none() | st.integers(0, 25))
    def requeue(self, kind: str | None, breaks: int | None) -> None:
        submit(self.disk, ROOT, {"do": "requeue", "sink": UNKNOWN_SENSORS, "match": kind}, self.made)
        if breaks is not None:
            self.disk.fail(breaks, times=2)
        self.look_after(breaks)
        self.disk.heal()

    def look_after(self, breaks: int | None) -> None:
        try:
            self.spool.carry_out_requests()
        except SpoolError:
            assert breaks is not None or self.disk.failing or self.under_way

    def open(self) -> Spool:
        keep_all = SpoolSettings(min_free_bytes=0, on_full="refuse_new")
        tuning = SpoolTuning(segment_bytes=self.segment_bytes)
        return Spool.open(ROOT, keep_all, tuning=tuning, sinks=["influx"], filesystem=self.disk, now=lambda: T0)

    def reopen(self) -> None:
        self.spool = self.open()
        self.under_way = []
        self.disk.heal()
        if self.spool.recovery.problems:  # the next start may put in order what this one could not
            self.spool = self.open()
        assert self.spool.recovery.problems == []
        self.check()

    def check(self) -> None:
        known = set(self.spool.recovery.identities)
        self.spool.carry_out_requests()
        stored, put_aside = in_spool(self.spool), in_quarantine(self.spool)
        there = {*stored, *put_aside}
        assert len(there) == len(stored) + len(put_aside), "twice"
        assert not [
            n for m in self.messages for n, kind in m.items() if n in put_aside and kind in (READING, DEFERRED)
        ]
        for message in self.acknowledged:
            assert self.messages[message].keys() <= there, "acknowledged, and gone"
        for message in [*self.waiting]:
            arrived = self.messages[message].keys() & there
            assert arrived in (set(), self.messages[message].keys()), "half of a message is there"
            assert (identity(message) in known) == bool(arrived), "known, but not there, or the other way round"
            if arrived:
                self.waiting.remove(message)
                self.acknowledged.add(message)

    def teardown(self) -> None:
        if not hasattr(self, "spool"):
            return
        self.disk.heal()
        self.commit()
        self.commit()
        self.disk.power_cut()
        self.reopen()
        assert self.acknowledged == set(range(len(self.messages)))


@pytest.mark.timeout(300)
def test_every_line_of_a_message_is_there_exactly_once_whatever_happens(disk_type: type[SimulatedDisk]) -> None:
    ParkingMachine.disk_type = disk_type
    run_state_machine_as_test(
        ParkingMachine,
        settings=settings(
            max_examples=150,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            report_multiple_bugs=False,
        ),
    )


def checked(**state: object) -> bytes:
    """Return what the spool makes a file of."""
    disk = SimulatedDisk()
    save_checked(disk, NOTE, state, durable=True)
    return bytes(disk.content(NOTE))


@pytest.mark.parametrize("power", [False, True])
def test_a_message_of_every_kind_of_line_is_stored_once_wherever_its_gateway_is_stopped(
    disk_type: type[SimulatedDisk], *, power: bool
) -> None:
    """Between every two steps on the disk, from the group's first byte to the last line in the quarantine."""
    kinds = {READING: [0, 1], DEFERRED: [2, 3], PARKED: [4, 5], PARKED_DEFERRED: [6, 7]}
    steps, after = 1, 0
    while after <= steps:
        for seed in range(20 if power else 1):
            disk = disk_type(seed)
            spool = reopened(disk)
            began = len(disk.calls)
            disk.fail(after, times=10_000)
            acknowledged = False
            try:
                spool.commit(group_of(kinds, [identity(1)]))
                acknowledged = True
                spool.carry_out_requests()
            except SpoolError:
                pass
            steps = max(steps, len(disk.calls) - began)
            disk.heal()
            if power:
                disk.power_cut()
            again = reopened(disk)
            if identity(1) not in again.recovery.identities:
                assert not acknowledged
                assert in_spool(again) == in_quarantine(again) == []
                again.commit(group_of(kinds, [identity(1)]))
                again.carry_out_requests()
            assert sorted(in_spool(again)) == [0, 1, 2, 3]
            assert sorted(in_quarantine(again)) == [4, 5, 6, 7]
            assert [held.boot for held in again.quarantined(UNKNOWN_SENSORS)] == [BOOT, BOOT, None, None]
        after += 1
    assert steps > 15


@pytest.fixture
def spool(disk: SimulatedDisk) -> Spool:
    return reopened(disk)


def reopened(disk: SimulatedDisk, *, min_free_bytes: int = 0, **sizes: int) -> Spool:
    """What a start finds."""
    settings, tuning = SpoolSettings(min_free_bytes=min_free_bytes), SpoolTuning(**sizes)
    return Spool.open(ROOT, settings, tuning=tuning, sinks=["influx"], filesystem=disk, now=lambda: T0)


def parked(*numbers: int) -> list[Batch]:
    return group_of({PARKED: [*numbers]}, [identity(number) for number in numbers])


@pytest.mark.parametrize(
    "line",
    [b"a,sensor=x y=1i 5", b'a,sensor=x y="\\"%22\\\\" 5', b'a,sensor=a\\ b\\,c y="%5C\ttab" 5', b"a\\ ,b=c d=1 5"],
)
@pytest.mark.parametrize("boot", [None, BOOT])
def test_a_parked_line_is_a_harmless_comment_and_comes_back_as_it_was(line: bytes, boot: bytes | None) -> None:
    comment = park('unknown sensor "x"\\', line)
    assert comment.startswith(b"#")
    assert not {b'"', b"\\", b"\n"} & {comment[index : index + 1] for index in range(len(comment))}
    [back] = unpark(b"# a comment before\n" + comment + b"\n", boot)
    assert back.line == line
    words = "unknown sensor 'x'/"
    assert back.reason == (words if boot is None else f"{of_boot(boot)}; {words}")


def test_readers_pass_over_parked_lines_and_count_them_nowhere(spool: Spool, disk: SimulatedDisk) -> None:
    spool.commit(group_of({READING: [0], PARKED: [1, 2]}, []))
    spool.commit(parked(3))
    spool.commit(group_of({READING: [4]}, []))
    for view in (spool, SpoolView.look(ROOT, filesystem=disk)):
        assert in_spool(view) == [0, 4]
        assert [header.first for header in view.reader().headers()] == [0, 4]
        assert [member.header.first for member in view.reader().read(1)] == [4]
        assert view.status().readings == 2
        assert view.status().newest_time == T0 + 4
    assert spool.status().sinks["influx"].pending == 2


def test_a_message_that_brought_parked_lines_alone_is_known_after_a_power_cut(
    spool: Spool, disk: SimulatedDisk
) -> None:
    for number in (1, 2):
        spool.commit(parked(number))
    disk.power_cut()
    again = reopened(disk)
    assert (in_quarantine(again), again.recovery.identities) == ([1, 2], (identity(1), identity(2)))
    assert not again.ledger.entries


def test_while_a_portion_waits_for_the_disk_readings_go_on_and_nothing_is_taken_out(
    spool: Spool, disk: SimulatedDisk, batches: Batches
) -> None:
    spool.commit(parked(1))
    spool.carry_out_requests()
    spool.commit(parked(2))
    disk.fail(after=8)  # the sync of the quarantine's file
    with pytest.raises(SpoolError):
        spool.carry_out_requests()
    spool.commit([batches()])
    submit(disk, ROOT, {"do": "requeue", "sink": UNKNOWN_SENSORS, "match": None}, 1)
    disk.fail(times=4)  # the next attempt to bring it
    with pytest.raises(SpoolError, match="wait for the disk"):
        spool.carry_out_requests()
    disk.heal()
    assert spool.carry_out_requests()[0].answer["readings"] == 2
    assert in_quarantine(spool) == []


def test_a_quarantine_at_its_bound_is_told_before_anything_is_done(disk: SimulatedDisk) -> None:
    spool = reopened(disk, quarantine_bytes=300)
    spool.commit(parked(1))
    calls = len(disk.calls)
    with pytest.raises(QuarantineFull):  # what waits in the spool counts
        spool.commit(group_of({READING: [9], PARKED: [2, 3, 4]}, []))
    assert len(disk.calls) == calls
    spool.commit(group_of({READING: [9]}, []))
    spool.carry_out_requests()
    with pytest.raises(QuarantineFull):
        spool.commit(parked(2, 3, 4))
    submit(disk, ROOT, {"do": "drop", "sink": UNKNOWN_SENSORS, "match": None}, 1)
    spool.carry_out_requests()
    spool.commit(parked(2, 3))


def test_parked_lines_that_cannot_be_brought_go_for_room_and_the_ledger_says_so(disk: SimulatedDisk) -> None:
    """They keep no reading waiting, though every sink has the readings beside them."""
    spool = reopened(disk, segment_bytes=100, min_free_bytes=1)
    spool.parked.block()
    spool.commit(group_of({READING: [0], PARKED: [1, 2]}, []))
    for number in (3, 4):
        spool.commit(group_of({READING: [number]}, []))
    spool.cursors.update("influx", lambda cursor: cursor.with_front(spool.next_seq))
    spool.enforce(1 << 62)
    assert in_spool(spool) == [0, 3, 4], "age alone takes nothing that is nowhere else"
    disk.free = 0
    spool.enforce(None)
    assert in_spool(spool) == [4]
    [entry] = [one for one in spool.ledger.entries if one["count"]]
    assert (entry["count"], entry["from"], entry["to"], entry["sensors"]) == (2, 1, 2, ["s"])


def test_parked_lines_that_a_portion_does_not_hold_come_with_the_next(spool: Spool) -> None:
    spool.parked.portion_bytes = 1
    for number in range(5):
        spool.commit(parked(number))
        spool.commit(group_of({READING: [100 + number]}, []))
    spool.carry_out_requests()
    spool.commit(parked(5))
    spool.carry_out_requests()
    assert in_quarantine(spool) == [0, 1, 2, 3, 4, 5]


def test_what_a_person_mended_in_the_file_is_not_cut_off(spool: Spool, disk: SimulatedDisk) -> None:
    spool.commit(parked(1))
    spool.carry_out_requests()
    mended = bytes(disk.content(FILE)).replace(b"traffic,", b"traffic,lane=left,")
    disk.put(FILE, mended)
    assert in_quarantine(reopened(disk)) == [1]
    assert bytes(disk.content(FILE)) == mended


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"[]", b'{"next": 0, "size": "x"}', checked(next=-1)])
def test_a_cursor_that_makes_no_sense_keeps_nobody_from_starting(disk: SimulatedDisk, content: bytes) -> None:
    disk.put(CURSOR, content)
    spool = reopened(disk)
    spool.commit(parked(1))
    assert reopened(disk).recovery.identities == (identity(1),)
    assert in_quarantine(reopened(disk)) == [1]


def test_numbers_of_parked_lines_are_not_given_again_where_the_disk_lost_them(
    spool: Spool, disk: SimulatedDisk
) -> None:
    spool.commit(parked(1, 2, 3))
    spool.carry_out_requests()
    disk.unlink(ROOT / f"{0:020}.lp.gz")
    again = reopened(disk)
    again.commit(parked(4))
    again.carry_out_requests()
    assert in_quarantine(again) == [1, 2, 3, 4]


def note(**state: object) -> bytes:
    return checked(**{"next": 0, "size": None, "text": None, "identities": "", **state})


OLD = b"# 2024-11-22T13:20:00Z unknown sensor x\n" + reading(1) + b"\n"
SIX = "01000100000001000600010006000000"
"""The identity of message 5 as a member packs it."""


def test_lines_of_a_group_that_0_1_did_not_finish_are_cut_off_once(disk: SimulatedDisk) -> None:
    disk.put(HELD, OLD + b"# 2024-11-22T13:20:00Z unknown sensor x\n" + reading(2) + b"\n")
    disk.put(NOTE, note(size=len(OLD), text=5))
    spool = reopened(disk)
    assert in_quarantine(spool) == [1]
    spool.commit(parked(3))
    spool.carry_out_requests()
    disk.power_cut()
    assert in_quarantine(reopened(disk)) == [1, 3]


def test_what_cannot_be_cut_off_leaves_everything_parked_until_the_next_start(disk: SimulatedDisk) -> None:
    disk.put(HELD, OLD + reading(2) + b"\n")
    disk.put(NOTE, note(size=len(OLD), text=5))
    disk.fail(after=0, times=1_000)
    spool = reopened(disk)
    disk.heal()
    assert any("twice" in problem for problem in spool.recovery.problems)
    spool.commit(parked(3))
    spool.carry_out_requests()
    assert in_quarantine(spool) == [], "nothing comes into the new file before the old one is in order"
    assert in_quarantine(reopened(disk)) == [1, 3]


def test_a_message_that_only_the_note_of_0_1_knows_is_known_until_the_spool_knows_it(disk: SimulatedDisk) -> None:
    six = identity(5)._replace(digest=6)
    disk.put(HELD, OLD)
    disk.put(NOTE, note(identities=SIX))
    for _ in range(2):
        assert reopened(disk).recovery.identities == (six,)
    reopened(disk).commit(parked(7))
    for _ in range(2):
        again = reopened(disk)
        assert again.recovery.identities == (six, identity(7))
        assert in_quarantine(again) == [1, 7]
    assert NOTE not in disk.files()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0",
        b"[]",
        note(size="x"),
        note(size=[]),
        note(identities="0"),
        note(identities="0f00"),
    ],
)
def test_a_note_that_makes_no_sense_keeps_nobody_from_starting(disk: SimulatedDisk, content: bytes) -> None:
    disk.put(NOTE, content)
    spool = reopened(disk)
    assert spool.recovery.identities == ()
    spool.commit(parked(1))
    assert reopened(disk).recovery.identities == (identity(1),)
