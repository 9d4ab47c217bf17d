"""A replay sends all of its range, whatever was asked for before it."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from gateway.clock import Timekeeper
from gateway.delivery.forwarder import Forwarder, Limits
from gateway.delivery.replays import Replays
from gateway.spool import Batch, Spool, SpoolSettings

Until = Callable[[Callable[[], bool]], Awaitable[None]]

NOW = 1_732_281_600_000_000_000
LINES = [b"a x=%d %d" % (number, NOW + number) for number in range(8)]


class Database:
    """Overwrites, so it wants everything again; takes ``room`` requests and then waits for more room."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.room = asyncio.Semaphore(0)

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        del in_doubt
        await self.room.acquire()
        self.taken += gzip.decompress(body).splitlines()

    async def close(self) -> None:
        pass


class UpToDate:
    """A forwarder that has nothing left to send."""

    async def caught_up(self) -> None:
        pass


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with Spool.open(tmp_path / "spool", SpoolSettings(min_free_bytes=0), sinks=["influx"]) as opened:
        for number, line in enumerate(LINES):
            opened.writer.append(Batch(line + b"\n", 1, NOW + number, NOW + number))
        opened.cursors.save("influx", len(LINES))
        yield opened


async def test_a_new_wish_sends_all_of_its_range_though_an_older_one_was_under_way(
    spool: Spool, timekeeper: Timekeeper, until: Until
) -> None:
    database = Database()
    live = {"influx": cast("Forwarder", UpToDate())}
    replays = Replays(spool, live, timekeeper, lambda _: (database, Limits(max_lines=1)))
    async with asyncio.TaskGroup() as tasks:
        spool.begin_replay("older", "influx", 0, 2**62)
        replays.look(tasks)
        spool.begin_replay("newer", "influx", 0, 2**62)
        for _ in range(3):
            database.room.release()
        # What the older one notes down now is not how far the newer one has come.
        await until(lambda: len(database.taken) == 3 and spool.replays.next("influx") == 3)
        replays.look(tasks)
        for _ in range(2 * len(LINES)):  # the older one may get one more out
            database.room.release()
        await until(lambda: spool.replays.next("influx") == len(LINES))
        assert set(database.taken[3:]) == set(LINES)
