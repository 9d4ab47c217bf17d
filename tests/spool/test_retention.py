import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import SpoolFull
from gateway.spool import Policy, Spool, SpoolSettings, SpoolTuning
from tests.support.disk import SimulatedDisk
from tests.support.spool import Batches

ROOT = Path("/spool")
T0 = 1732281600000000000
DAY = 86_400 * 10**9
ReadAll = Callable[..., bytes]


def opened(
    disk: SimulatedDisk,
    *,
    max_bytes: int = 1 << 30,
    min_free_bytes: int = 0,
    policy: Policy = "drop_oldest",
    sinks: tuple[str, ...] = ("influx",),
) -> Spool:
    """Every batch in a segment of its own."""
    settings = SpoolSettings(max_bytes=max_bytes, min_free_bytes=min_free_bytes, keep="1d", on_full=policy)
    tuning = SpoolTuning(segment_bytes=1)
    return Spool.open(ROOT, settings, tuning=tuning, sinks=sinks, filesystem=disk, now=lambda: T0)


@pytest.fixture
def five(disk: SimulatedDisk, batches: Batches) -> int:
    """Five segments of ten readings; the size of the whole."""
    with opened(disk) as spool:
        for _ in range(5):
            spool.writer.append(batches(10))
        return spool.status().bytes


def firsts(spool: Spool) -> list[int]:
    return [segment.first for segment in spool.segments]


def test_delivered_segments_go_by_age_and_others_never(disk: SimulatedDisk, five: int) -> None:
    assert five
    with opened(disk) as spool:
        spool.enforce(T0 + 365 * DAY)
        assert firsts(spool) == [0, 10, 20, 30, 40]
        spool.consumer("influx").seek(29)
        spool.enforce(None)
        assert firsts(spool) == [0, 10, 20, 30, 40], "an untrusted clock deletes nothing"
        spool.enforce(T0 + DAY + 10 * 10**9)
        assert firsts(spool) == [10, 20, 30, 40]
        spool.enforce(T0 + 365 * DAY)
        assert firsts(spool) == [20, 30, 40]
        spool.consumer("influx").seek(50)
        spool.enforce(T0 + 365 * DAY)
        assert firsts(spool) == [40], "the newest segment stays"
        assert not spool.ledger.entries
    assert len([path for path in disk.files() if path.name.endswith(".lp.gz")]) == 1


def test_delivered_means_by_every_sink_and_without_sinks_nothing_is(disk: SimulatedDisk, five: int) -> None:
    assert five
    with opened(disk, sinks=("influx", "other")) as spool:
        spool.consumer("influx").seek(50)
        spool.enforce(T0 + 365 * DAY)
        assert len(firsts(spool)) == 5
    with opened(disk, sinks=()) as spool:
        spool.enforce(T0 + 365 * DAY)
        assert len(firsts(spool)) == 5


def test_segments_without_utc_times_go_with_the_one_after_them(disk: SimulatedDisk, batches: Batches) -> None:
    with opened(disk) as spool:
        spool.writer.append(batches(10, boot=b"b" * 16, time=0))
        spool.writer.append(batches(10))
        spool.writer.append(batches(10, boot=b"c" * 16, time=0))
        spool.writer.append(batches(10))
        spool.consumer("influx").seek(40)
        spool.enforce(T0 + 365 * DAY)
        assert firsts(spool) == [20, 30]


def test_at_the_bound_delivered_segments_go_first_and_are_no_loss(
    disk: SimulatedDisk, five: int, batches: Batches
) -> None:
    with opened(disk, max_bytes=five + 60) as spool:
        spool.consumer("influx").seek(20)
        spool.writer.append(batches(10))
        spool.writer.append(batches(10))
        assert firsts(spool) == [20, 30, 40, 50, 60]
        assert not spool.ledger.entries


def test_then_the_oldest_goes_and_the_ledger_says_exactly_what_was_lost(
    disk: SimulatedDisk, five: int, batches: Batches, read_all: ReadAll
) -> None:
    with opened(disk, max_bytes=five + 60, sinks=("influx", "other")) as spool:
        spool.consumer("influx").seek(4)
        spool.consumer("other").seek(50)
        spool.writer.append(batches(10))
        assert firsts(spool) == [10, 20, 30, 40, 50]
        assert read_all(spool.reader(), spool.cursors.next("influx")).count(b"\n") == 50
        status = spool.status()
        assert (status.losses, status.lost_readings) == (1, 6)
    [line] = bytes(disk.content(ROOT / "losses.jsonl")).splitlines()
    entry = json.loads(line)
    assert entry.pop("why").startswith("the spool may hold")
    assert len(entry.pop("fingerprint")) == 8
    assert entry == {
        "when": "2024-11-22T13:20:00Z",
        "rule": "max_bytes",
        "from": 4,
        "to": 9,
        "count": 6,
        "first_time": "2024-11-22T13:20:00Z",
        "last_time": "2024-11-22T13:20:09Z",
        "segment": f"{0:020}.lp.gz",
        "sinks": ["influx"],
        "sensors": [f"aq-{n}" for n in range(4, 10)],
        "sensor_count": 6,
    }


def test_refuse_new_keeps_what_there_is(disk: SimulatedDisk, five: int, batches: Batches) -> None:
    with opened(disk, max_bytes=five + 60, policy="refuse_new") as spool:
        batch = batches(10)
        with pytest.raises(SpoolFull, match="no room"):
            spool.writer.append(batch)
        spool.enforce(None)
        assert firsts(spool) == [0, 10, 20, 30, 40]
        spool.consumer("influx").seek(10)
        assert spool.writer.append(batch).first == 50
        assert firsts(spool) == [10, 20, 30, 40, 50]
        assert not spool.ledger.entries


def test_the_disk_must_keep_some_bytes_free(disk: SimulatedDisk, five: int, batches: Batches) -> None:
    assert five
    with opened(disk, min_free_bytes=1_000) as spool:
        disk.free = 1_000
        batch = batches(10)
        with pytest.raises(SpoolFull, match="free"):
            spool.writer.append(batch)
        assert firsts(spool) == [40], "everything but the newest was given up first"
        assert [entry["rule"] for entry in spool.ledger.entries] == ["min_free_bytes"] * 4
        disk.free = 5_000
        spool.writer.append(batch)


def test_when_a_quota_refuses_something_goes_although_the_figures_look_fine(
    disk: SimulatedDisk, five: int, batches: Batches
) -> None:
    assert five
    with opened(disk) as spool:
        batch = batches(10)
        disk.fail(0, errno.EDQUOT)
        with pytest.raises(SpoolFull):
            spool.writer.append(batch)
        assert firsts(spool) == [0, 10, 20, 30, 40]
        spool.writer.append(batch)
        assert firsts(spool) == [10, 20, 30, 40, 50]
        assert [(entry["rule"], entry["count"]) for entry in spool.ledger.entries] == [("disk_full", 10)]


def test_a_disk_too_full_for_the_ledger_gets_its_line_once_the_segment_is_gone(
    disk: SimulatedDisk, five: int, batches: Batches
) -> None:
    with opened(disk, max_bytes=five + 60) as spool:
        disk.fail(0, errno.ENOSPC)
        spool.writer.append(batches(10))
        assert firsts(spool) == [10, 20, 30, 40, 50]
    assert bytes(disk.content(ROOT / "losses.jsonl")).count(b"\n") == 1


def test_what_cannot_be_entered_into_the_ledger_is_not_dropped(
    disk: SimulatedDisk, five: int, batches: Batches
) -> None:
    with opened(disk, max_bytes=five + 60) as spool:
        disk.fail(0, errno.EIO, times=50)
        with pytest.raises(SpoolFull):
            spool.writer.append(batches(10))
        assert firsts(spool) == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("survives", [True, False])
def test_a_deletion_broken_off_after_its_line_is_finished_at_the_next_start(
    survives: bool, disk: SimulatedDisk, five: int, batches: Batches
) -> None:
    with opened(disk, max_bytes=five + 60) as spool:
        spool.consumer("influx").seek(3, durable=True)
        content = bytes(disk.content(ROOT / f"{0:020}.lp.gz"))
        spool.writer.append(batches(10))
    if survives:
        disk.put(ROOT / f"{0:020}.lp.gz", content)
    with opened(disk, max_bytes=five + 60) as spool:
        assert firsts(spool) == [10, 20, 30, 40, 50]
        assert [entry["count"] for entry in spool.ledger.entries] == [7]


def test_a_line_that_only_the_kernels_memory_had_is_on_the_disk_before_its_segment_goes(
    disk_type: type[SimulatedDisk], batches: Batches
) -> None:
    for seed in range(30):
        disk = disk_type(seed)
        with opened(disk) as spool:
            for _ in range(5):
                spool.writer.append(batches(10))
            size = spool.status().bytes
        with opened(disk, max_bytes=size) as spool:
            disk.fail(2, times=2)  # the ledger's sync and its cut: the line stays in memory, and no sync will save it
            with pytest.raises(SpoolFull):
                spool.writer.append(batches(10))
            assert disk.calls[-2:] == ["sync", "truncate"]
        with opened(disk) as spool:
            assert firsts(spool) == [10, 20, 30, 40]
            assert spool.ledger.readings == 10
        disk.power_cut()
        with opened(disk) as spool:
            assert spool.ledger.readings + spool.status().readings == 50


def test_an_old_ledger_claims_nothing_of_a_spool_begun_anew(disk: SimulatedDisk, five: int, batches: Batches) -> None:
    with opened(disk, max_bytes=five + 60) as spool:
        spool.writer.append(batches(10))
        assert spool.ledger.entries[0]["segment"] == f"{0:020}.lp.gz"
    for path in disk.files():
        if path.name != "losses.jsonl":
            disk.unlink(path)
    with opened(disk) as spool:
        for _ in range(3):
            spool.writer.append(batches(10))
    with opened(disk) as spool:
        assert firsts(spool) == [0, 10, 20]


def test_a_ledger_with_a_torn_line_is_read_and_continued(disk: SimulatedDisk, five: int, batches: Batches) -> None:
    disk.put(ROOT / "losses.jsonl", b'{"rule": "max_bytes", "from": 1, "to": 2, "count": 2}\n\x00\x00{"rule": "ma')
    with opened(disk, max_bytes=five + 60) as spool:
        assert spool.ledger.readings == 2
        spool.writer.append(batches(10))
    assert json.loads(bytes(disk.content(ROOT / "losses.jsonl")).splitlines()[-1])["count"] == 10
    with opened(disk) as spool:
        assert spool.ledger.readings == 12


def test_segments_of_a_small_spool_are_small(disk: SimulatedDisk, batches: Batches) -> None:
    settings = SpoolSettings(max_bytes=4_000, min_free_bytes=0)
    with Spool.open(ROOT, settings, sinks=["influx"], filesystem=disk) as spool:
        for _ in range(60):
            spool.writer.append(batches(5))
            assert spool.status().bytes <= 4_000
        assert spool.status().bytes > 3_000
        assert spool.ledger.readings + spool.status().readings == 300
