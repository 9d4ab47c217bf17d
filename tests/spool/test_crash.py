"""Whatever a power cut or a bad card leaves behind: the spool opens, and everything undamaged is delivered."""

import errno
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import SpoolError, SpoolFull
from gateway.spool import Spool, SpoolSettings, SpoolTuning, SpoolView
from tests.support.disk import SimulatedDisk
from tests.support.spool import Batches

ROOT = Path("/spool")
SEGMENT = ROOT / "00000000000000000000.lp.gz"
ReadAll = Callable[..., bytes]


def opened(disk: SimulatedDisk, segment_bytes: int = 1 << 20) -> Spool:
    tuning = SpoolTuning(segment_bytes=segment_bytes)
    return Spool.open(ROOT, SpoolSettings(min_free_bytes=0), tuning=tuning, sinks=["influx"], filesystem=disk)


@pytest.fixture
def ends(disk: SimulatedDisk, batches: Batches) -> dict[int, bytes]:
    """A segment of five members of two readings: where each ends in the file, and the text up to there."""
    ends = {0: b""}
    text = b""
    with opened(disk) as spool:
        for _ in range(5):
            batch = batches(2, mqtt=True)
            spool.writer.append(batch)
            text += batch.lines
            ends[spool.status().bytes] = text
    return ends


def test_a_segment_cut_anywhere_gives_all_whole_members_and_takes_new_ones(
    disk: SimulatedDisk, ends: dict[int, bytes], batches: Batches, read_all: ReadAll
) -> None:
    whole = bytes(disk.content(SEGMENT))
    more = batches(1)
    kept = set()
    for length in range(len(whole)):
        disk.put(SEGMENT, whole[:length])
        good = max(end for end in ends if end <= length)
        with opened(disk) as spool:
            assert spool.next_seq == ends[good].count(b"\n")
            assert len(spool.recovery.identities) == spool.next_seq
            assert len(spool.recovery.cut) == (1 if length > good else 0)
            assert not spool.recovery.damaged
            spool.writer.append(more)
            assert read_all(spool.reader()) == ends[good] + more.lines
            assert not spool.ledger.entries
        for path in disk.files():
            if path.parent.name == "damaged":
                kept.add(bytes(disk.content(path)))
                disk.unlink(path)
    assert whole[max(end for end in ends if end < len(whole)) : -1] in kept


def test_a_flipped_bit_costs_one_member_and_no_other(
    disk: SimulatedDisk, ends: dict[int, bytes], read_all: ReadAll
) -> None:
    whole = bytes(disk.content(SEGMENT))
    lines = max(ends.values(), key=len).splitlines(keepends=True)
    starts = sorted(ends)
    chance = random.Random(1)  # noqa: S311 - repeatable
    for bit in chance.sample(range(len(whole) * 8), 400):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        for path in disk.files():
            disk.unlink(path)
        disk.put(SEGMENT, bytes(broken))
        hit = max(index for index, start in enumerate(starts) if start <= bit // 8)
        with opened(disk) as spool:
            assert read_all(spool.reader()) == b"".join(lines[: hit * 2] + lines[hit * 2 + 2 :])
            kept = next(bytes(disk.content(path)) for path in disk.files() if path.parent.name == "damaged")
            assert kept == broken[starts[hit] : starts[hit + 1]]
            if hit < 4:
                [entry] = spool.ledger.entries
                assert (entry["rule"], entry["from"], entry["to"]) == ("damaged", hit * 2, hit * 2 + 1)
                assert spool.next_seq == 10
        with opened(disk) as spool:
            assert not spool.recovery.damaged, "set aside once"
            assert len(spool.ledger.entries) == (1 if hit < 4 else 0)


def test_garbage_between_members_is_set_aside_and_claims_no_loss(
    disk: SimulatedDisk, ends: dict[int, bytes], read_all: ReadAll
) -> None:
    whole = bytes(disk.content(SEGMENT))
    place = sorted(ends)[2]
    garbage = whole[:40] + b"\x1f\x8b\x08\x04 looks like one"
    disk.put(SEGMENT, whole[:place] + garbage + whole[place:])
    with opened(disk) as spool:
        assert read_all(spool.reader()) == max(ends.values(), key=len)
        assert bytes(disk.content(ROOT / "damaged" / f"{0:020}-{place}")) == garbage
        assert bytes(disk.content(SEGMENT)) == whole
        assert not spool.ledger.entries


def test_an_old_copy_of_a_member_is_not_read_again(
    disk: SimulatedDisk, ends: dict[int, bytes], read_all: ReadAll
) -> None:
    whole = bytes(disk.content(SEGMENT))
    disk.put(SEGMENT, whole + whole[: sorted(ends)[1]])
    with opened(disk) as spool:
        assert read_all(spool.reader()) == max(ends.values(), key=len)
        assert spool.next_seq == 10


@pytest.mark.parametrize("content", [b"", bytes(5000), b"\xff" * 5000, b"PK\x03\x04 a zip"])
def test_a_segment_without_any_member_is_no_obstacle(
    content: bytes, disk: SimulatedDisk, ends: dict[int, bytes], batches: Batches, read_all: ReadAll
) -> None:
    disk.put(ROOT / f"{10:020}.lp.gz", content)
    with opened(disk) as spool:
        assert spool.next_seq == 10
        batch = batches(3)
        spool.writer.append(batch)
        assert read_all(spool.reader()) == max(ends.values(), key=len) + batch.lines
    kept = [bytes(disk.content(path)) for path in disk.files() if path.parent.name == "damaged"]
    assert kept == ([content] if content.strip(b"\0") else [])


@pytest.mark.parametrize("damaged", ["first", "middle"])
def test_a_whole_segment_of_garbage_is_a_loss_by_the_numbers_around_it(
    damaged: str, disk: SimulatedDisk, batches: Batches, read_all: ReadAll
) -> None:
    made = [batches(4) for _ in range(3)]
    with opened(disk, segment_bytes=1) as spool:
        for batch in made:
            spool.writer.append(batch)
    lost = 0 if damaged == "first" else 1
    disk.put(ROOT / f"{lost * 4:020}.lp.gz", b"\xff" * 300)
    with opened(disk) as spool:
        assert read_all(spool.reader()) == b"".join(batch.lines for batch in made if batch is not made[lost])
        [entry] = spool.ledger.entries
        assert (entry["from"], entry["to"], entry["count"]) == (lost * 4, lost * 4 + 3, 4)


def test_damage_that_every_sink_has_already_is_no_loss(disk: SimulatedDisk, ends: dict[int, bytes]) -> None:
    with opened(disk) as spool:
        spool.consumer("influx").seek(4, durable=True)
    disk.content(SEGMENT)[70] ^= 1
    disk.content(SEGMENT)[sorted(ends)[2] + 70] ^= 1
    with opened(disk) as spool:
        assert len(spool.recovery.damaged) == 2
        assert [(entry["from"], entry["to"]) for entry in spool.ledger.entries] == [(4, 5)]


def test_temporaries_go_and_foreign_files_stay(
    disk: SimulatedDisk, ends: dict[int, bytes], read_all: ReadAll
) -> None:
    ours = [ROOT / "cursors" / "influx.json.tmp", ROOT / f"{0:020}.lp.gz.tmp", ROOT / "damaged" / "x.tmp"]
    foreign = [ROOT / "notes.txt", ROOT / "7.lp.gz", ROOT / f"{'9' * 20}.lp.gz", ROOT / ".nfs0001"]
    for path in (*ours, *foreign):
        disk.put(path, b"\x1f\x8b whatever")
    with opened(disk) as spool:
        assert read_all(spool.reader()) == max(ends.values(), key=len)
    assert not set(ours) & set(disk.files())
    assert set(foreign) <= set(disk.files())


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        bytes(36),
        b"{",
        b"[]",
        b"null",
        b'{"next": "5"}',
        b'{"next": -1}',
        b'{"next": true}',
        b'{"next": 5, "check": "00000000"}',
        b"\xff\xfe",
    ],
)
def test_a_cursor_that_is_missing_or_broken_starts_at_the_oldest_reading(
    content: bytes | None, disk: SimulatedDisk, ends: dict[int, bytes], read_all: ReadAll
) -> None:
    if content is not None:
        disk.put(ROOT / "cursors" / "influx.json", content)
    with opened(disk) as spool:
        assert spool.cursors.next("influx") == 0
        assert spool.cursors.broken == (() if content is None else ("influx",))
        assert read_all(spool.reader(), spool.cursors.next("influx")) == max(ends.values(), key=len)
        spool.consumer("influx").seek(10)
        assert spool.status().sinks["influx"].pending == 0


def test_a_cursor_without_a_check_is_what_somebody_wrote_by_hand(disk: SimulatedDisk, ends: dict[int, bytes]) -> None:
    assert ends
    disk.put(ROOT / "cursors" / "influx.json", b'{"next": 6, "boot": {"offset": 12}}')
    with opened(disk) as spool:
        assert spool.cursors.next("influx") == 6
        spool.consumer("influx").seek(8)
    written = json.loads(bytes(disk.content(ROOT / "cursors" / "influx.json")))
    assert written.pop("check")
    assert (written["version"], written["next"], written["boot"]) == (1, 8, ""), "a boot is a text"
    with opened(disk) as spool:
        assert spool.cursors.next("influx") == 8


def test_a_cursor_ahead_of_the_data_keeps_its_numbers_from_being_given_again(
    disk: SimulatedDisk, ends: dict[int, bytes], batches: Batches, read_all: ReadAll
) -> None:
    with opened(disk) as spool:
        spool.consumer("influx").seek(10, durable=True)
        spool.consumer("removed-long-ago").seek(9, durable=True)
    disk.put(SEGMENT, bytes(disk.content(SEGMENT)[: sorted(ends)[3]]))
    with opened(disk) as spool:
        assert spool.next_seq == 10
        assert "4 readings more" in spool.recovery.problems[0]
        assert spool.reader().read(spool.cursors.next("influx")) == []
        batch = batches(2)
        assert spool.writer.append(batch).first == 10
        assert read_all(spool.reader(), spool.cursors.next("influx")) == batch.lines
    with opened(disk) as spool:
        assert (spool.next_seq, spool.recovery.problems) == (12, [])


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("new_segment", [True, False])
def test_a_batch_that_failed_anywhere_is_not_there_and_can_be_appended_again(
    code: int, new_segment: bool, disk_type: type[SimulatedDisk], batches: Batches, read_all: ReadAll
) -> None:
    expected = SpoolError if code == errno.EIO else SpoolFull
    failures = 0
    for site in range(10):
        disk = disk_type(site)
        spool = opened(disk, segment_bytes=1 if new_segment else 1 << 20)
        first, second, third = batches(3, mqtt=True), batches(2, mqtt=True), batches(1, mqtt=True)
        spool.writer.append(first)
        disk.fail(site, code)
        raised: SpoolError | None = None
        try:
            spool.writer.append(second)
        except SpoolError as error:
            raised = error
        disk.heal()
        if raised is None:
            break
        failures += 1
        assert type(raised) is expected
        assert spool.next_seq == 3
        assert read_all(spool.reader()) == first.lines
        assert spool.writer.append(second).first == 3
        spool.writer.append(third)
        everything = first.lines + second.lines + third.lines
        assert read_all(spool.reader()) == everything
        disk.power_cut()
        again = opened(disk)
        assert read_all(again.reader()) == everything
        assert len(again.recovery.identities) == 6
    assert failures == (4 if new_segment else 2), "every call on the way was made to fail"


def test_after_a_failed_fsync_the_file_is_not_used_again(
    disk: SimulatedDisk, batches: Batches, read_all: ReadAll
) -> None:
    spool = opened(disk)
    first, second = batches(3), batches(2)
    spool.writer.append(first)
    disk.fail(1)
    with pytest.raises(SpoolError):
        spool.writer.append(second)
    assert disk.calls[-2:] == ["sync", "truncate"]
    spool.writer.append(second)
    assert [path.name for path in disk.files() if path.parent == ROOT] == [f"{n:020}.lp.gz" for n in (0, 3)]
    assert read_all(spool.reader()) == first.lines + second.lines


def test_a_failed_batch_that_cannot_even_be_cut_off_is_not_read_beside_its_second_copy(
    disk: SimulatedDisk, batches: Batches, read_all: ReadAll
) -> None:
    spool = opened(disk)
    first, second, third = batches(3), batches(2), batches(2)
    spool.writer.append(first)
    disk.fail(1, times=2)
    with pytest.raises(SpoolError):
        spool.writer.append(second)
    assert disk.size(SEGMENT) > spool.status().bytes
    spool.writer.append(third)
    spool.writer.append(second)
    for _ in range(2):
        assert read_all(spool.reader()) == first.lines + third.lines + second.lines
        spool = opened(disk)


def test_what_recovery_found_in_the_kernels_memory_is_on_the_disk_before_it_counts(
    disk_type: type[SimulatedDisk], batches: Batches, read_all: ReadAll
) -> None:
    for seed in range(30):
        disk = disk_type(seed)
        first, second = batches(3, mqtt=True), batches(2, mqtt=True)
        spool = opened(disk)
        spool.writer.append(first)
        disk.fail(1, times=2)  # neither the sync nor the cut: the member is readable until the power goes
        with pytest.raises(SpoolError):
            spool.writer.append(second)
        again = opened(disk)
        assert set(second.identities) <= set(again.recovery.identities), "a repeated message would be acknowledged"
        disk.power_cut()
        assert read_all(opened(disk).reader()) == first.lines + second.lines


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_still_read_from(
    code: int, disk: SimulatedDisk, ends: dict[int, bytes], read_all: ReadAll
) -> None:
    place = sorted(ends)[1]
    disk.put(SEGMENT, bytes(disk.content(SEGMENT)[:-3]))
    disk.content(SEGMENT)[place + 80] ^= 4
    lines = max(ends.values(), key=len).splitlines(keepends=True)
    disk.fail(0, code, times=10_000)
    with opened(disk) as spool:
        assert spool.recovery.problems
        assert spool.recovery.identities == (), "nothing is acknowledged on the strength of what may not be on disk"
        assert read_all(spool.reader()) == b"".join(lines[:2] + lines[4:8])
        spool.consumer("influx").seek(8)
        with pytest.raises(SpoolError):
            spool.consumer("influx").seek(8, durable=True)
    disk.heal()
    with opened(disk) as spool:
        assert not spool.recovery.problems
        assert read_all(spool.reader()) == b"".join(lines[:2] + lines[4:8])
        assert len(spool.recovery.identities) == 6


def test_a_segment_that_cannot_be_read_keeps_its_numbers(root: Path, batches: Batches, read_all: ReadAll) -> None:
    first, second, third = batches(4), batches(4), batches(4)
    with Spool.open(root, tuning=SpoolTuning(segment_bytes=1)) as spool:
        spool.writer.append(first)
        spool.writer.append(second)
    newest = root / f"{4:020}.lp.gz"
    newest.unlink()
    newest.mkdir()  # reading a directory fails as reading a bad sector of an inode does
    with Spool.open(root) as spool:
        assert "cannot be read" in spool.recovery.problems[0]
        assert spool.next_seq > 8
        spool.writer.append(third)
        assert read_all(spool.reader()) == first.lines + third.lines


def test_looking_changes_nothing(disk: SimulatedDisk, ends: dict[int, bytes], read_all: ReadAll) -> None:
    disk.put(SEGMENT, bytes(disk.content(SEGMENT)[:-3]))
    disk.put(ROOT / "x.tmp", b"left over")
    before = {path: bytes(disk.content(path)) for path in disk.files()}
    calls = len(disk.calls)
    view = SpoolView.look(ROOT, filesystem=disk)
    assert read_all(view.reader()) == ends[sorted(ends)[4]]
    assert view.status().readings == 8
    verified = view.verify()
    assert [piece.offset for piece in verified.damaged] == [sorted(ends)[4]]
    assert (verified.readings, verified.problems) == (8, [])
    assert {path: bytes(disk.content(path)) for path in disk.files()} == before
    assert len(disk.calls) == calls
