"""One batch to one sink: in pieces, at a pace, interrupted anywhere, and with a quarantine that may be full."""

import asyncio
import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.patience import patience
from gateway.delivery.courier import SMALL, Courier, Pace, Parcel
from gateway.delivery.settings import Limits
from gateway.errors import BatchRefused, BatchTooLarge, RefusedLine, SinkAway, SinkSlow
from gateway.health import SinkHealth
from gateway.spool import Consumer, Cursor, Cursors, InFlight, Quarantine, SpoolReader
from gateway.spool.filesystem import OsFilesystem
from gateway.spool.segments import SegmentIndex
from gateway.supervise import Liveness
from tests.support.clock import FakeClock
from tests.support.until import until

NOW = 1_732_281_600_000_000_000


class Crash(BaseException):
    """The process ends here and now."""


class World:
    """A disk, and a database that refuses ``bad`` lines; at the step ``crash_at`` the process ends.

    A step is a write to the disk or a request: it counts before it is done, and once more when that is not known yet.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bad: set[bytes] = set()
        self.stored: Counter[bytes] = Counter()
        self.requests: list[int] = []
        self.asked = 0
        self.most = 10**9
        self.says: list[Exception] = []
        self.overwrites = True
        self.names_lines = False
        self.crash_at = -1
        self.steps = 0
        self.clock = FakeClock(jumps=True)
        self.health = SinkHealth(Liveness("influx", self.clock))
        self.quarantine_bytes = 1 << 20
        for name in ("cursors", "quarantine"):
            (directory / name).mkdir(parents=True)
        self.courier = self.start()

    def start(self, **limits: Any) -> Courier:  # noqa: ANN401 -- any limit
        """Begin with what is on disk."""
        filesystem = OsFilesystem()
        self.cursors = _Watched(filesystem, self.directory / "cursors", self)
        self.quarantine = _WatchedQuarantine(self)
        reader = SpoolReader(filesystem, self.directory, SegmentIndex([]))
        self.consumer = Consumer("influx", self.cursors, reader, self.quarantine, lambda: 10**6)
        self.courier = Courier(self.consumer, self, Limits(**limits), self.health)
        return self.courier

    async def deliver(self, parcels: list[Parcel]) -> InFlight:
        """Deliver a batch as the forwarder does, but for moving on."""
        batch = self.consumer.begin(parcels[0].first, parcels[-1].end)
        await self.courier.deliver(batch, parcels)
        return batch

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.crash_at:
            raise Crash

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        if in_doubt and not (body := self._missing(body)):
            return
        self.step()
        lines = gzip.decompress(body).splitlines()
        self.requests.append(len(lines))
        if self.says:
            raise self.says.pop(0)
        if len(lines) > self.most:
            raise BatchTooLarge("413")
        if self.bad.intersection(lines):
            numbered = enumerate(lines, 1) if self.names_lines else ()
            named = [RefusedLine(number, line.decode(), "bad") for number, line in numbered if line in self.bad]
            raise BatchRefused("422: a bad line", named[:2])
        self.stored.update(lines)
        self.step()

    def _missing(self, body: bytes) -> bytes:
        self.asked += 1
        if self.overwrites:
            return body
        rest = [line for line in gzip.decompress(body).splitlines() if not self.stored[line]]
        return gzip.compress(b"\n".join(rest) + b"\n") if rest else b""

    async def close(self) -> None:
        """Nothing to give back."""

    def quarantined(self) -> list[bytes]:
        file = self.directory / "quarantine" / "influx.lp"
        return [line for line in file.read_bytes().splitlines() if line[:1] != b"#"] if file.exists() else []


class _Watched(Cursors):
    def __init__(self, filesystem: OsFilesystem, directory: Path, world: World) -> None:
        super().__init__(filesystem, directory)
        self._world = world

    def update(self, *args: Any, **more: Any) -> Cursor:  # noqa: ANN401 -- passed on
        self._world.step()
        cursor = super().update(*args, **more)
        self._world.step()
        return cursor


class _WatchedQuarantine(Quarantine):
    def __init__(self, world: World) -> None:
        super().__init__(OsFilesystem(), world.directory / "quarantine", lambda: NOW, world.quarantine_bytes)
        self._world = world

    def append(self, sink: str, lines: bytes, reason: str) -> None:
        self._world.step()
        super().append(sink, lines, reason)
        self._world.step()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b"a,s=1 n=%di,quality=0i %d" % (number, NOW + number) for number in range(first, first + count)]


def parcel(count: int, first: int = 0) -> Parcel:
    return Parcel(first, first + count, gzip.compress(b"\n".join(lines(count, first)) + b"\n"))


async def _whole(world: World) -> None:
    """Deliver one batch of two members, as a forwarder does that is started again after each crash."""
    parcels = [parcel(5), parcel(4, 5)]
    while world.cursors.next("influx") < 9:
        try:
            await world.courier.deliver(world.consumer.begin(0, 9), parcels)
            world.consumer.advance(9)
        except Crash:
            world.start()


def _crashes() -> Iterator[int]:
    yield from range(1, 60)


@pytest.mark.parametrize("names_lines", [True, False])
@pytest.mark.parametrize("overwrites", [True, False])
async def test_wherever_a_search_is_interrupted_each_line_lies_in_one_place_once(
    tmp_path: Path, overwrites: bool, names_lines: bool
) -> None:
    interrupted = 0
    for crash_at in _crashes():
        world = World(tmp_path / str(crash_at))
        world.overwrites, world.names_lines, world.crash_at = overwrites, names_lines, crash_at
        world.bad = {lines(9)[0], lines(9)[3], lines(9)[4], lines(9)[8]}
        await _whole(world)
        good = set(lines(9)) - world.bad
        assert world.stored.keys() == good
        if not overwrites:
            assert set(world.stored.values()) == {1}, f"crash at step {crash_at}"
        assert world.quarantined() == sorted(world.bad), f"crash at step {crash_at}"
        interrupted += world.steps >= crash_at
    assert interrupted > (20 if names_lines else 30), "the crashes lie within the search"


async def test_after_a_stop_in_mid_search_what_was_settled_is_not_sent_again(world: World) -> None:
    world.most, world.crash_at = 2, 1 << 30
    stopped = asyncio.create_task(world.deliver([parcel(8)]))
    while len(world.stored) < 4:  # noqa: ASYNC110 -- nobody is told
        await asyncio.sleep(0)
    stopped.cancel()
    await asyncio.gather(stopped, return_exceptions=True)
    world.start()
    batch = await world.deliver([parcel(8)])
    assert batch.in_doubt_to == 8
    assert world.stored.keys() == set(lines(8))
    assert sum(world.stored.values()) <= 10, "at most the piece that was under way is sent twice"


async def test_what_was_settled_of_another_batch_is_not_taken_for_this_one(world: World) -> None:
    world.most = 2
    await world.deliver([parcel(4)])
    await world.deliver([parcel(4, 2)])
    assert world.stored == Counter([*lines(4), *lines(4, 2)])


async def test_a_full_quarantine_blocks_the_sink_says_so_and_sends_nothing_again(world: World) -> None:
    world.bad, world.quarantine_bytes = {lines(4)[1]}, 10
    world.start()
    delivering = asyncio.create_task(world.deliver([parcel(4)]))
    await until(lambda: not world.health.link.up and "cannot be quarantined" in world.health.link.problem)
    assert "quarantine/influx.lp has reached 10 bytes" in world.health.link.problem
    requests = list(world.requests)
    await asyncio.sleep(0.02)  # the silence itself
    assert world.requests == requests, "it waits, and does not search again"
    world.quarantine.max_bytes = 1 << 20  # somebody made room
    await asyncio.wait_for(delivering, patience())
    assert world.quarantined() == [lines(4)[1]]
    assert world.health.link.up
    assert set(world.stored) == set(lines(4)) - world.bad


async def test_a_request_that_times_out_goes_in_halves_and_each_is_asked_for_first(world: World) -> None:
    world.overwrites = False
    world.says = [SinkSlow("no answer within 10 s")]
    await world.deliver([parcel(4 * SMALL)])
    assert world.requests == [4 * SMALL, 2 * SMALL, 2 * SMALL]
    assert world.asked == 2
    assert set(world.stored.values()) == {1}
    await world.deliver([parcel(4 * SMALL, 1000)])
    assert max(world.requests[3:]) < 4 * SMALL + 1
    assert world.asked == 2, "what was never sent before needs no asking"


async def test_a_small_request_that_times_out_is_not_cut_further(world: World) -> None:
    world.says = [SinkSlow("no answer within 10 s")] * 5
    await world.deliver([parcel(SMALL)])
    assert world.requests == [SMALL] * 6


async def test_a_database_that_is_away_does_not_change_the_size(world: World) -> None:
    world.says = [SinkAway("connection refused"), SinkAway("429: slow down", 0.0)]
    await world.deliver([parcel(4 * SMALL)])
    assert world.requests == [4 * SMALL] * 3


async def test_a_rate_cuts_a_batch_into_pieces_of_a_second(world: World) -> None:
    world.start(max_rate=100)
    await world.deliver([parcel(150), parcel(100, 150)])
    await world.deliver([parcel(20, 250)])
    assert world.requests == [100, 100, 50, 20]
    assert world.clock.waits == pytest.approx([1.0, 1.0, 0.5])
    assert set(world.stored.values()) == {1}


def test_after_a_quiet_time_a_rate_allows_no_burst() -> None:
    pace = Pace(Limits(max_rate=10))
    pace.grow(10, now=1000.0)
    assert pace.wait(1000.0) == 1.0
    assert pace.wait(5000.0) == 0.0
    pace.grow(10, now=5000.0)
    assert pace.wait(5000.0) == 1.0


def test_the_size_shrinks_to_half_and_comes_back_step_by_step() -> None:
    pace = Pace(Limits(max_lines=1000))
    pace.shrink(1000)
    assert pace.most == 500
    pace.shrink(150)
    assert pace.most == SMALL
    for _ in range(100):
        pace.grow(1, now=0.0)
    assert pace.most == 1000
