"""A replay sends what the sink had of a time range once more, and changes nothing in the spool."""

import asyncio
import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.clock import BootOffset
from gateway.delivery.replay import Replay
from gateway.delivery.settings import Limits
from gateway.errors import BatchRefused, ReplayStopped, SinkAway, SinkBlocked
from gateway.spool import Batch, Spool, SpoolSettings, SpoolView
from tests.support.clock import FakeClock
from tests.support.until import until

NOW = 1_732_281_600_000_000_000
SECOND = 10**9
BOOT, OTHER = bytes(range(16)), bytes(16)


def line(number: int, time: int, quality: int = 0) -> bytes:
    return b"a,s=1 n=%di,quality=%di %d" % (number, quality, time)


class Database:
    """Takes what it can, and notes how each body came."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.requests: list[int] = []
        self.in_doubt: list[bool] = []
        self.bad: set[bytes] = set()
        self.says: list[Exception] = []

    overwrites = True

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        if self.says:
            raise self.says.pop(0)
        lines = gzip.decompress(body).splitlines()
        if self.bad.intersection(lines):
            raise BatchRefused("422: a type conflict")
        self.taken += lines
        self.requests.append(len(lines))
        self.in_doubt.append(in_doubt)

    async def close(self) -> None:
        """Nothing to give back."""


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Eight readings, a second apart, of which the sink has the first six."""
    with Spool.open(tmp_path / "spool", SpoolSettings(min_free_bytes=0), sinks=["influx"]) as opened:
        for number in range(8):
            at = NOW + number * SECOND
            opened.writer.append(Batch(line(number, at) + b"\n", 1, at, at))
        opened.consumer("influx").seek(6)
        yield opened


def replay_of(
    spool: Spool,
    since: int = 0,
    until: int = 2**62,
    offset_of: Callable[[bytes], BootOffset | None] = lambda _boot: None,
) -> Replay:
    clock = FakeClock(jumps=True)
    return Replay(SpoolView.look(spool.root), "influx", since=since, until=until, offset_of=offset_of, clock=clock)


def expected(first: int, end: int) -> list[bytes]:
    return [line(number, NOW + number * SECOND) for number in range(first, end)]


def everything(directory: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


async def test_what_the_sink_had_goes_again_in_doubt_and_nothing_changes_in_the_spool(spool: Spool) -> None:
    before = everything(spool.root)
    database, replay = Database(), replay_of(spool)
    await replay.run(database, Limits())
    assert database.taken == expected(0, 6), "what it has not got yet comes from the daemon"
    assert database.in_doubt == [True]
    assert replay.progress() == (6, 6, 0, "")
    assert everything(spool.root) == before


async def test_only_the_range_that_was_asked_for_goes(spool: Spool) -> None:
    database = Database()
    replay = replay_of(spool, NOW + 2 * SECOND, NOW + 4 * SECOND)
    assert replay.total == 2
    await replay.run(database, Limits())
    assert database.taken == expected(2, 4)


async def test_what_lies_between_two_parts_of_a_range_is_left_out(spool: Spool) -> None:
    for number, at in ((8, NOW + 3600 * SECOND), (9, NOW + SECOND)):
        spool.writer.append(Batch(line(number, at) + b"\n", 1, at, at))
    spool.consumer("influx").seek(10)
    database, replay = Database(), replay_of(spool, NOW, NOW + 2 * SECOND)
    await replay.run(database, Limits())
    assert database.taken == [*expected(0, 2), line(9, NOW + SECOND)]


async def test_a_range_of_which_the_sink_has_nothing_asks_the_database_nothing(spool: Spool) -> None:
    database = Database()
    for replay in (replay_of(spool, NOW + 6 * SECOND), replay_of(spool, 0, NOW)):
        assert replay.total == 0
        await replay.run(database, Limits())
    assert not database.requests


async def test_readings_of_a_boot_have_the_times_that_they_went_out_with(spool: Spool) -> None:
    spool.writer.append(Batch(line(8, 5) + b"\n" + line(9, 6) + b"\n", 2, 5, 6, BOOT))
    spool.writer.append(Batch(line(10, 7) + b"\n", 1, 7, 7, OTHER))
    spool.consumer("influx").seek(11)
    offsets = {BOOT: BootOffset(NOW, estimated=True)}
    database, replay = Database(), replay_of(spool, NOW, NOW + SECOND, offsets.get)
    await replay.run(database, Limits())
    assert database.taken == [*expected(0, 1), line(8, NOW + 5, quality=8), line(9, NOW + 6, quality=8)]


async def test_a_rate_cuts_a_replay_into_pieces(spool: Spool) -> None:
    database, replay = Database(), replay_of(spool)
    await replay.run(database, Limits(max_rate=4))
    assert (database.requests, database.taken) == ([4, 2], expected(0, 6))


async def test_an_outage_is_waited_for_and_what_failed_goes_again(spool: Spool) -> None:
    database, replay = Database(), replay_of(spool)
    database.says = [SinkAway("no route"), SinkAway("no answer", in_doubt=True)]
    await replay.run(database, Limits())
    assert database.taken == expected(0, 6)
    assert replay.progress().problem == ""


async def test_a_sink_that_is_away_is_said_in_the_progress(spool: Spool) -> None:
    database, replay = Database(), replay_of(spool)
    database.says = [SinkAway("no route")] * 10_000
    running = asyncio.create_task(replay.run(database, Limits()))
    await until(lambda: replay.progress().problem == "no route")
    database.says.clear()
    await running
    assert replay.progress() == (6, 6, 0, "")


async def test_a_blocked_sink_ends_it_with_the_reason(spool: Spool) -> None:
    database, replay = Database(), replay_of(spool)
    database.says = [SinkBlocked("401: the database refuses our token")]
    with pytest.raises(ReplayStopped, match="401: the database refuses our token"):
        await replay.run(database, Limits())


async def test_lines_that_the_database_refuses_are_counted_and_hold_nobody_up(spool: Spool) -> None:
    before = everything(spool.root)
    database, replay = Database(), replay_of(spool)
    database.bad = set(expected(2, 4))
    await replay.run(database, Limits())
    assert Counter(database.taken) == Counter([*expected(0, 2), *expected(4, 6)])
    assert replay.refused == {"422: a type conflict": 2}
    assert replay.progress() == (4, 6, 2, "")
    assert everything(spool.root) == before


async def test_it_may_be_broken_off_and_run_again(spool: Spool) -> None:
    database = Database()
    broken_off = replay_of(spool)
    running = asyncio.create_task(broken_off.run(database, Limits(max_lines=1)))
    await until(lambda: len(database.taken) >= 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    again = replay_of(spool)
    await again.run(database, Limits(max_lines=1))
    assert set(database.taken) == set(expected(0, 6))
    assert again.progress().sent == 6


async def test_what_was_deleted_since_it_was_planned_ends_nothing_early(spool: Spool) -> None:
    replay = replay_of(spool)
    for segment in spool.root.glob("*.lp.gz"):
        segment.unlink()
    database = Database()
    await replay.run(database, Limits())
    assert replay.progress() == (0, 6, 0, "")
