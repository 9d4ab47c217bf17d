import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.spool import Piece, Spool, SpoolSettings, SpoolTuning, SpoolView, decode_member
from gateway.spool.filesystem import OsFilesystem
from tests.support.spool import Batches

T0 = 1732281600000000000
ReadAll = Callable[..., bytes]


class CountingFilesystem(OsFilesystem):
    """Counts the bytes that are read."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        data = super().read(path, offset, length)
        self.read_bytes += len(data)
        return data


@pytest.fixture
def spool(root: Path, batches: Batches) -> Spool:
    """Twelve members of ten readings in several segments."""
    spool = Spool.open(root, tuning=SpoolTuning(segment_bytes=1_000), sinks=["influx"])
    for _ in range(12):
        spool.writer.append(batches(10))
    assert 2 < len(spool.segments) < 12
    return spool


@pytest.mark.parametrize("limits", [{}, {"max_lines": 1}, {"max_bytes": 1}, {"max_lines": 25}, {"max_bytes": 500}])
def test_everything_is_read_in_order_in_portions_of_any_size(
    spool: Spool, limits: dict[str, int], read_all: ReadAll
) -> None:
    numbers = [
        int(line.split(b"pm10=")[1].split(b".")[0]) for line in read_all(spool.reader(), **limits).splitlines()
    ]
    assert numbers == list(range(120))


def test_a_portion_is_whole_members_within_its_bounds_but_at_least_one(spool: Spool) -> None:
    reader = spool.reader()
    assert [member.header.first for member in reader.read(0, max_lines=29)] == [0, 10]
    assert [member.header.first for member in reader.read(0, max_lines=30)] == [0, 10, 20]
    assert [member.header.first for member in reader.read(20, max_lines=1)] == [20]
    size = reader.read(0, max_lines=1)[0].header.length
    assert len(reader.read(0, max_bytes=size)) == 1


def test_a_sequence_number_within_a_member_gives_that_member_whole(spool: Spool) -> None:
    damaged: list[Piece] = []
    reader = spool.reader(damaged.append)
    for seq in (37, 37, 32, 39):
        assert reader.read(seq, max_lines=1)[0].header.first == 30
    assert reader.read(40, max_lines=1)[0].header.first == 40
    assert not damaged


def test_nothing_beyond_until_is_read(spool: Spool) -> None:
    reader = spool.reader()
    assert [member.header.first for member in reader.read(80, until=100)] == [80, 90]
    assert [member.header.first for member in reader.read(80, until=99)] == [80]
    assert reader.read(80, until=89) == []
    assert reader.read(120) == []


def test_a_reader_at_the_end_sees_what_is_written_next(spool: Spool, batches: Batches, read_all: ReadAll) -> None:
    reader = spool.reader()
    read_all(reader)
    for _ in range(5):
        batch = batches(7)
        header = spool.writer.append(batch)
        [member] = reader.read(header.first)
        assert decode_member(member.raw) == batch.lines


def test_going_on_and_trying_again_read_no_byte_of_what_lies_before(root: Path, batches: Batches) -> None:
    filesystem = CountingFilesystem()
    with Spool.open(root, SpoolSettings(), filesystem=filesystem) as spool:
        for _ in range(100):
            spool.writer.append(batches(10))
        reader = spool.reader()
        reader.read(0, max_lines=900)
        for _ in range(2):
            filesystem.read_bytes = 0
            members = reader.read(900, max_lines=50)
            assert sum(member.header.count for member in members) == 50
            assert filesystem.read_bytes <= spool.status().bytes // 8


def test_a_segment_deleted_beneath_a_reader_is_passed_over(spool: Spool) -> None:
    reader = spool.reader()
    reader.read(0, max_lines=1)
    first, second, *_ = spool.segments
    (spool.root / first.name).unlink()
    assert reader.read(10, max_lines=1)[0].header.first == second.first


def test_a_damaged_body_is_passed_over_set_aside_and_entered_once(
    spool: Spool, batches: Batches, read_all: ReadAll
) -> None:
    damaged: list[Piece] = []
    second = spool.segments[1]
    path = spool.root / second.name
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    for _ in range(2):
        reader = spool.reader(damaged.append)
        assert read_all(reader).count(b"\n") == 110
    assert {(piece.segment, piece.offset) for piece in damaged} == {(second.first, 0)}
    assert len(list((spool.root / "damaged").iterdir())) == 1
    spool.close()
    for _ in range(2):
        with Spool.open(spool.root, sinks=["influx"]) as spool_again:
            [entry] = spool_again.ledger.entries
            assert (entry["from"], entry["to"], entry["sinks"]) == (second.first, second.first + 9, ["influx"])
            assert spool_again.status().damaged == 1
            assert SpoolView.look(spool.root).verify().damaged == [], "recovery mends the segment"
            spool_again.writer.append(batches(1))


def test_members_are_chosen_by_time(spool: Spool) -> None:
    times = [member.header.first for member in spool.reader().members(T0 + 25 * 10**9, T0 + 50 * 10**9)]
    assert times == [20, 30, 40]
    assert len(list(spool.reader().members())) == 12


def test_readings_without_utc_times_wait_for_theirs_and_are_not_chosen_by_time(
    root: Path, batches: Batches, read_all: ReadAll
) -> None:
    with Spool.open(root, sinks=["influx"]) as spool:
        spool.writer.append(batches(3, boot=b"b" * 16, time=0))
        status = spool.status()
        assert (status.oldest_time, status.newest_time) == (None, None)
        assert status.sinks["influx"].oldest_pending is None
        batch = batches(2)
        spool.writer.append(batch)
        assert [member.header.boot for member in spool.reader().read(0)] == [b"b" * 16, None]
        assert [member.header.first for member in spool.reader().members(0)] == [3]
        assert read_all(spool.reader()).startswith(b"# prehod: times are CLOCK_BOOTTIME")
        assert spool.status().sinks["influx"].oldest_pending == batch.t_min


def test_bad_sectors_read_as_damage_and_cost_only_what_lies_in_them(
    root: Path, batches: Batches, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Spool.open(root) as spool:
        for _ in range(60):
            spool.writer.append(batches(10))
        whole = spool.status().bytes
        assert whole > 8192
        pread = os.pread

        def broken(descriptor: int, length: int, offset: int) -> bytes:
            if offset < 8192 and offset + length > 4096:
                raise OSError(errno.EIO, "Input/output error")
            return pread(descriptor, length, offset)

        monkeypatch.setattr(os, "pread", broken)
        lost = 600 - read_all(spool.reader()).count(b"\n")
        assert 0 < lost <= 600 * 4096 // whole + 20
        assert sum(entry["count"] for entry in spool.ledger.entries) == lost


def test_status_counts_what_waits_for_each_sink(root: Path, batches: Batches) -> None:
    with Spool.open(root, tuning=SpoolTuning(segment_bytes=1_000), sinks=["a", "b"]) as spool:
        for _ in range(12):
            spool.writer.append(batches(10))
        spool.consumer("a").seek(37)
        status = spool.status()
        assert (status.readings, status.oldest_seq, status.next_seq) == (120, 0, 120)
        assert (status.oldest_time, status.newest_time) == (T0, T0 + 119 * 10**9)
        assert (status.sinks["a"].pending, status.sinks["b"].pending) == (83, 120)
        assert status.sinks["a"].oldest_pending == T0 + 30 * 10**9
        spool.consumer("b").seek(120)
        assert (spool.status().sinks["b"].pending, spool.status().sinks["b"].oldest_pending) == (0, None)
        assert status.bytes == sum(path.stat().st_size for path in root.glob("*.lp.gz"))
        assert status.segments == len(list(root.glob("*.lp.gz")))
