"""A commit group of several members counts as one: all of it is there, or nothing."""

import errno
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import SpoolError
from gateway.spool import Batch, Spool, SpoolSettings, SpoolTuning, SpoolView, decode_member
from gateway.spool.member import encode_group
from tests.support.disk import SimulatedDisk
from tests.support.spool import Batches

ROOT = Path("/spool")
SEGMENT = ROOT / "00000000000000000000.lp.gz"
BOOT = bytes(range(16))
ReadAll = Callable[..., bytes]


def opened(disk: SimulatedDisk, segment_bytes: int = 1 << 20) -> Spool:
    settings, tuning = SpoolSettings(min_free_bytes=0), SpoolTuning(segment_bytes=segment_bytes)
    return Spool.open(ROOT, settings, tuning=tuning, sinks=["influx"], filesystem=disk)


def group_of(batches: Batches) -> list[Batch]:
    """Return three batches, of both kinds of time; the messages are named by the last alone."""
    first, second, third = batches(3, boot=BOOT), batches(2), batches(2, mqtt=True)
    return [first, second, third]


def text_of(*groups: list[Batch]) -> list[bytes]:
    return [line for group in groups for batch in group for line in batch.lines.splitlines()]


def lines_in(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if not line.startswith(b"#")]


def test_a_group_cut_anywhere_is_there_as_a_whole_or_not_at_all(
    disk: SimulatedDisk, batches: Batches, read_all: ReadAll
) -> None:
    groups = [group_of(batches), group_of(batches)]
    more = batches(1)
    with opened(disk) as spool:
        for group in groups:
            spool.writer.append_group(group)
    whole = bytes(disk.content(SEGMENT))
    ends = [0, len(b"".join(encode_group(groups[0], 0))), len(whole)]
    for length in range(len(whole)):
        disk.put(SEGMENT, whole[:length])
        good = max(number for number, end in enumerate(ends) if end <= length)
        looked = read_all(SpoolView.look(ROOT, filesystem=disk).reader())
        assert lines_in(looked) == text_of(*groups[:good]), "who only looks sees no half of a group either"
        with opened(disk) as spool:
            assert spool.next_seq == 7 * good
            assert len(spool.recovery.identities) == 2 * good
            assert len(spool.recovery.cut) == (length > ends[good])
            assert not spool.recovery.damaged
            spool.writer.append(more)
            assert lines_in(read_all(spool.reader())) == [*text_of(*groups[:good]), *more.lines.splitlines()]
            assert not spool.ledger.entries
        for path in disk.files():
            if path.parent.name == "damaged":
                disk.unlink(path)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_group_at_the_end_that_lacks_any_of_its_members_is_cut(
    disk: SimulatedDisk, batches: Batches, read_all: ReadAll, number: int
) -> None:
    """A power cut may leave the end of what was written and not its beginning."""
    kept, torn = group_of(batches), group_of(batches)
    members = [bytearray(raw) for raw in encode_group(torn, 7)]
    members[number][-20:] = bytes(20)
    before = b"".join(encode_group(kept, 0))
    disk.put(SEGMENT, before + b"".join(members))
    with opened(disk) as spool:
        assert lines_in(read_all(spool.reader())) == text_of(kept)
        assert len(spool.recovery.identities) == 2
        [piece] = spool.recovery.cut
        assert (piece.offset, piece.length) == (len(before), sum(map(len, members)))
        assert bytes(disk.content(SEGMENT)) == before
        assert bytes(disk.content(ROOT / "damaged" / f"{0:020}-{len(before)}")) == b"".join(members)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_damage_to_an_older_group_costs_one_member_and_no_other(
    disk: SimulatedDisk, batches: Batches, read_all: ReadAll, number: int
) -> None:
    old, new = group_of(batches), group_of(batches)
    members = [bytearray(raw) for raw in encode_group(old, 0)]
    members[number][-20:] = bytes(20)
    disk.put(SEGMENT, b"".join((*members, *encode_group(new, 7))))
    rest = [batch for index, batch in enumerate(old) if index != number]
    for _ in range(2):
        with opened(disk) as spool:
            assert lines_in(read_all(spool.reader())) == text_of(rest, new)
            [entry] = spool.ledger.entries
            assert (entry["rule"], entry["count"]) == ("damaged", old[number].count)
            assert not spool.recovery.cut


def test_a_group_with_a_hole_that_was_followed_by_an_unfinished_write_is_kept(
    disk: SimulatedDisk, batches: Batches, read_all: ReadAll
) -> None:
    old = group_of(batches)
    first, second, third = encode_group(old, 0)
    disk.put(SEGMENT, b"".join((first, bytes(len(second)), third, b"\x1f\x8b the beginning of a write")))
    with opened(disk) as spool:
        assert lines_in(read_all(spool.reader())) == text_of([old[0], old[2]])


def test_a_group_that_was_stopped_anywhere_is_there_as_a_whole_or_not_at_all(
    disk_type: type[SimulatedDisk], batches: Batches
) -> None:
    steps, after = 1, 0
    while after <= steps:
        for seed in range(40):
            disk = disk_type(seed)
            first, second = group_of(batches), group_of(batches)
            # Into the same segment, or into a new one.
            with opened(disk, segment_bytes=100 if seed % 4 else 1 << 20) as spool:
                spool.writer.append_group(first)
                began = len(disk.calls)
                disk.fail(after, times=10_000, code=errno.EIO)
                acknowledged = True
                try:
                    spool.writer.append_group(second)
                except SpoolError:
                    acknowledged = False
                steps = max(steps, len(disk.calls) - began)
            if seed % 2:
                disk.power_cut()
            disk.heal()
            with opened(disk) as spool:
                there = lines_in(b"".join(decode_member(member.raw) for member in spool.reader().members()))
                known = len(spool.recovery.identities)
                assert there in (text_of(first), text_of(first, second))
                assert known == (4 if len(there) == 14 else 2), "known if it is there, and only then"
                assert len(there) == 14 or not acknowledged
        after += 1


def test_a_group_is_never_divided_between_segments(disk: SimulatedDisk, batches: Batches, read_all: ReadAll) -> None:
    groups = [group_of(batches) for _ in range(5)]
    with opened(disk, segment_bytes=700) as spool:
        for group in groups:
            headers = spool.writer.append_group(group)
            assert [header.count for header in headers] == [3, 2, 2]
        assert {segment.first % 7 for segment in spool.segments} == {0}
        assert len(spool.segments) > 2
        assert lines_in(read_all(spool.reader())) == text_of(*groups)


def of_version(raw: bytes, version: int) -> bytes:
    """Return a member as a program of another version would write it."""
    changed = bytearray(raw)
    end = 12 + int.from_bytes(raw[10:12], "little")
    changed[20] = version
    check = zlib.crc32(bytes(changed[20:end]), zlib.crc32(bytes(changed[:16])))
    changed[16:20] = check.to_bytes(4, "little")
    return bytes(changed)


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("newest", [False, True])
def test_a_segment_of_a_later_version_is_kept_as_it_is_and_not_delivered(
    disk: SimulatedDisk, batches: Batches, read_all: ReadAll, *, newest: bool, damaged: bool
) -> None:
    ours, theirs, last = batches(2), batches(2), batches(2)
    [first], [second], [third] = (encode_group([one], 2 * n) for n, one in enumerate((ours, theirs, last)))
    later = of_version(second, 9)
    content = b"garbage" + later if damaged else first[:0] + later
    segments = {0: first, 2: content} if newest else {0: first, 2: content, 4: third}
    for number, raw in segments.items():
        disk.put(ROOT / f"{number:020}.lp.gz", raw)
    for _ in range(2):
        with opened(disk) as spool:
            assert bytes(disk.content(ROOT / f"{2:020}.lp.gz")) == content
            assert not [path for path in disk.files() if path.parent.name == "damaged"]
            [problem] = [one for one in spool.recovery.problems if "later version" in one]
            assert "prehod spool replay" in problem
            assert f"{2:020}.lp.gz" in problem
            assert read_all(spool.reader()) == ours.lines + (b"" if newest else last.lines)
            assert spool.next_seq > 4
            assert not spool.ledger.entries
    view = SpoolView.look(ROOT, filesystem=disk)
    assert len(view.problems) == 1
    with opened(disk) as spool:
        spool.enforce(1 << 62)
        spool.writer.append(replace(last, boot=BOOT))
        assert bytes(disk.content(ROOT / f"{2:020}.lp.gz")) == content
