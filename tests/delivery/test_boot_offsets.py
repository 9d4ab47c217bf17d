"""Readings taken before the clock was right: they wait, others go ahead, and they go out once, with one time."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sim.patience import patience
from gateway.clock import Timekeeper
from gateway.delivery import forwarder as forward
from gateway.delivery.forwarder import Forwarder, Limits
from gateway.errors import SinkAway
from gateway.health import SinkHealth
from gateway.spool import Batch, Cursor, Spool, SpoolSettings, SpoolView
from gateway.supervise import Liveness
from tests.support.clock import FakeClock
from tests.support.until import until

NOW = 1_732_281_600_000_000_000
SECOND = 10**9
HOUR = 3600 * SECOND
EARLIER = bytes(range(16, 32))


class Database:
    """Takes everything; ``gate`` holds it up, ``away`` makes it say no."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.asked_for_missing = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0

    overwrites = True

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        if in_doubt and not (body := self._missing(body)):
            return
        self.begun += 1
        await self.gate.wait()
        self.taken += gzip.decompress(body).splitlines()

    def _missing(self, body: bytes) -> bytes:
        self.asked_for_missing += 1
        rest = [line for line in gzip.decompress(body).splitlines() if line not in self.taken]
        return gzip.compress(b"\n".join(rest) + b"\n") if rest else b""

    async def close(self) -> None:
        pass

    def times(self) -> dict[int, int]:
        """Return number of the reading -> time; each came once."""
        found = {int(line.split(b"n=")[1].split(b"i")[0]): int(line.split()[-1]) for line in self.taken}
        assert len(found) == len(self.taken), "a reading came twice"
        return found

    def marked(self) -> set[int]:
        """Return the numbers of the readings whose time is only a bound."""
        return {int(line.split(b"n=")[1].split(b"i")[0]) for line in self.taken if b"quality=8i" in line}


class Board:
    """A spool, its forwarder, and a clock."""

    def __init__(self, directory: Path, clock: FakeClock) -> None:
        self.directory, self.clock = directory, clock
        self.database = Database()
        self.health = SinkHealth(Liveness("influx", FakeClock(jumps=True)))
        self.written = 0
        self.task: asyncio.Task[None] | None = None
        self.forwarder: Forwarder
        self.spool = self._open()
        self.timekeeper = Timekeeper(clock, directory / "clock")

    def _open(self) -> Spool:
        settings = SpoolSettings(min_free_bytes=0)
        return Spool.open(self.directory / "spool", settings, sinks=["influx"], now=lambda: NOW)

    def take(self, count: int = 1, *, own_time: int | None = None) -> list[int]:
        """Take readings now, a second apart, as the intake stamps them; return their numbers."""
        numbers = list(range(self.written, self.written + count))
        self.written += count
        for number in numbers:
            self.clock.pass_by(SECOND)
            now = self.timekeeper.now() if own_time is None else own_time
            at = self.clock.up if now is None else now
            line = b"a,s=1 n=%di,quality=0i %d\n" % (number, at)
            self.spool.writer.append(Batch(line, 1, at, at, self.clock.boot_id if now is None else None))
        if self.task is not None:
            self.forwarder.wake()
        return numbers

    def start(self, **limits: Any) -> None:  # noqa: ANN401 -- any limit
        consumer = self.spool.consumer("influx")
        self.forwarder = Forwarder(consumer, self.database, Limits(**limits), self.timekeeper, self.health)
        self.task = asyncio.create_task(self.forwarder.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def restart(self, *, boot: bytes | None = None, off: int = 0) -> None:
        """Stop and start the daemon; with ``boot``, the machine, which was off for so many nanoseconds."""
        await self.stop()
        self.spool.close()
        if boot is not None:
            self.clock.boot_id, self.clock.up = boot, 20 * SECOND
            self.clock.utc += off
        self.spool = self._open()
        self.timekeeper = Timekeeper(self.clock, self.directory / "clock")
        self.start()

    def sync(self, utc: int) -> None:
        """Let a time server set the clock."""
        self.clock.utc, self.clock.right = utc, True
        self.timekeeper.check()

    async def drained(self) -> None:
        async with asyncio.timeout(patience()):
            await self.forwarder.drained()

    async def caught_up(self) -> None:
        async with asyncio.timeout(patience()):
            await self.forwarder.caught_up()


@pytest.fixture
async def board(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Board]:
    clock.right = False
    board = Board(tmp_path, clock)
    yield board
    await board.stop()
    board.spool.close()


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "LOOK", 0.002)


async def test_readings_wait_until_the_clock_is_right_and_then_have_the_right_times(board: Board) -> None:
    board.clock.utc = 0
    first = board.clock.up
    early = board.take(3)
    board.start()
    await board.caught_up()
    assert (board.database.taken, board.health.pending) == ([], 3)
    board.sync(NOW + HOUR)
    late = board.take(1)
    await board.drained()
    booted = NOW + HOUR - first - 3 * SECOND
    assert board.database.times() == {n: booted + first + (n + 1) * SECOND for n in (*early, *late)}
    assert not board.database.marked()
    assert board.health.pending == 0


async def test_a_reading_with_its_own_time_does_not_wait_for_those_without(board: Board) -> None:
    with structlog.testing.capture_logs() as logs:
        board.take(2)
        own = board.take(1, own_time=NOW + 5)
        board.start()
        await board.caught_up()
        for _ in range(50):
            own += board.take(1, own_time=NOW + 5 + len(own))
            board.take(1)
            await board.caught_up()
        assert list(board.database.times()) == own
        assert board.health.pending == 52
        board.sync(NOW + HOUR)
        await board.drained()
    assert sorted(board.database.times()) == list(range(board.written))
    said = [entry["event"] for entry in logs if "clock" in entry["event"]]
    assert said == [
        "readings clock-deferred; others go ahead until the clock is right",
        "clock-deferred readings sent",
    ]


async def test_the_cursor_stays_small_however_long_the_clock_is_wrong(board: Board) -> None:
    board.start()
    for number in range(100):
        board.take(1)
        board.take(1, own_time=NOW + number)
        await board.caught_up()
    state = json.loads((board.directory / "spool" / "cursors" / "influx.json").read_text())
    assert (state["next"], state["front"], len(state["deferred"])) == (0, 200, 1)
    assert (state["deferred"][0]["count"], state["deferred"][0]["to"]) == (100, 199)


async def test_what_waits_counts_as_undelivered_for_the_spool_and_what_went_ahead_does_not(board: Board) -> None:
    board.take(3)
    board.take(4, own_time=NOW)
    board.start()
    await board.caught_up()
    await board.stop()
    assert board.spool.cursors.lowest(["influx"]) == 0
    assert board.spool.cursors.highest() == 7
    status = SpoolView.look(board.directory / "spool").status().sinks["influx"]
    assert (status.next_seq, status.pending) == (0, 3)


async def test_a_restart_sends_nothing_twice_and_forgets_nobody_who_waits(board: Board) -> None:
    waiting = board.take(2)
    ahead = board.take(2, own_time=NOW)
    board.start()
    await board.caught_up()
    await board.restart()
    await board.caught_up()
    assert list(board.database.times()) == ahead
    board.sync(NOW + HOUR)
    await board.drained()
    assert sorted(board.database.times()) == sorted(waiting + ahead)
    assert board.database.asked_for_missing == 0


async def test_a_crash_while_those_who_waited_are_sent_sends_them_once_and_with_the_same_times(board: Board) -> None:
    board.take(2)
    board.take(2, own_time=NOW)
    board.start()
    await board.caught_up()
    board.database.gate.clear()
    board.sync(NOW + HOUR)
    await until(lambda: board.database.begun == 2)
    await board.restart()
    board.database.gate.set()
    board.sync(NOW + 2 * HOUR)  # a step after the offset was fixed changes nothing
    await board.drained()
    assert sorted(board.database.times()) == [0, 1, 2, 3]
    assert board.database.asked_for_missing == 1
    assert board.database.times()[1] == NOW + HOUR - 2 * SECOND


@pytest.mark.parametrize("already_deferred", [True, False])
async def test_after_a_power_cut_those_who_waited_are_asked_about_too(
    board: Board, *, already_deferred: bool
) -> None:
    board.take(2)
    board.take(2, own_time=NOW)
    older = Cursor()
    board.start()
    await board.caught_up()
    if already_deferred:
        older = board.spool.cursors.of("influx")
    board.sync(NOW + HOUR)
    await board.drained()
    await board.stop()

    # What the disk has of the cursor is older than what the database has.
    board.spool.cursors.update("influx", lambda _: older)
    board.spool.consumer("influx").mark_in_doubt(b"another boot")
    board.clock.right = False
    board.timekeeper = Timekeeper(board.clock, board.directory / "another-clock")  # nor has it the offset
    board.start()
    await board.caught_up()
    board.sync(NOW + HOUR)
    await board.drained()
    assert sorted(board.database.times()) == [0, 1, 2, 3]


async def test_new_readings_and_those_that_waited_take_turns(board: Board) -> None:
    board.take(40)
    board.start(max_lines=10)
    await board.caught_up()
    board.database.gate.clear()
    board.sync(NOW + HOUR)
    new = board.take(40)
    board.database.gate.set()
    await board.drained()
    order = list(board.database.times())
    assert order.index(new[0]) < 15
    assert order.index(39) > order.index(new[-11])
    assert sorted(order) == list(range(80))


async def test_two_boots_before_the_clock_was_right_are_each_given_their_own_time(board: Board) -> None:
    first = board.take(3)  # boots at its last shutdown
    board.start()
    await board.caught_up()
    await board.restart(boot=EARLIER, off=HOUR)
    second = board.take(2)
    await board.caught_up()
    board.sync(NOW + 5 * HOUR)
    await board.drained()
    times = board.database.times()
    assert board.database.marked() == set(first)
    assert [times[n] for n in first] == [NOW + (n + 1) * SECOND for n in first], (
        "its own wall clock is the best bound"
    )
    assert [times[n] for n in second] == [NOW + 5 * HOUR - SECOND, NOW + 5 * HOUR]


async def test_a_boot_in_1970_is_not_dated_to_1970_but_before_the_next_boot_began(board: Board) -> None:
    board.clock.utc = 0
    await board.restart(boot=EARLIER)
    first = board.take(3)
    await board.restart(boot=bytes(16))
    await board.caught_up()
    assert not board.database.taken, "there is no bound yet"
    board.sync(NOW)
    await board.drained()
    times = board.database.times()
    booted = NOW - board.clock.up
    assert times[first[-1]] == booted
    assert board.database.marked() == set(first)


async def test_a_boot_in_1970_is_not_dated_before_what_was_stored_before_it(board: Board) -> None:
    board.sync(NOW)
    board.start()
    board.take(3)
    newest = board.timekeeper.now()
    assert newest is not None
    board.clock.right = False
    board.clock.utc = 0
    await board.restart(boot=EARLIER)
    board.take(2)
    await board.restart(boot=bytes(16))
    await board.drained()
    assert [board.database.times()[n] for n in (3, 4)] == [newest, newest + SECOND]
    assert board.database.marked() == {3, 4}


@pytest.mark.parametrize("wrong_by", [HOUR, 365 * 24 * HOUR])
async def test_a_bound_never_lies_in_the_future(board: Board, wrong_by: int) -> None:
    board.take(1, own_time=NOW + wrong_by)  # a device whose own clock is ahead
    board.clock.utc = NOW + wrong_by
    await board.restart(boot=EARLIER)
    board.take(2)
    board.clock.utc = NOW
    await board.restart(boot=bytes(16))
    board.sync(NOW + 60 * SECOND)
    await board.drained()
    times = board.database.times()
    assert max(times[1], times[2]) <= NOW + 60 * SECOND - board.clock.up


async def test_a_boot_that_left_no_file_gets_a_bound_too_and_the_same_one_again(board: Board) -> None:
    board.take(2)
    (board.directory / "clock" / f"{board.clock.boot_id.hex()}.json").unlink()
    await board.restart(boot=EARLIER, off=HOUR)
    board.sync(NOW + 2 * HOUR)
    await board.drained()
    times = board.database.times()
    assert times[1] <= NOW + 2 * HOUR - board.clock.up
    assert board.spool.cursors.of("influx").deferred == ()
    board.database.taken.clear()
    await board.stop()
    board.spool.consumer("influx").seek(0)
    board.start()
    await board.drained()
    assert board.database.times() == times


async def test_what_waited_and_is_gone_from_the_disk_holds_nobody_up(board: Board) -> None:
    board.take(2)
    board.take(1, own_time=NOW)
    board.start()
    await board.caught_up()
    for segment in (board.directory / "spool").glob("*.lp.gz"):
        segment.unlink()
    board.sync(NOW + HOUR)
    await board.drained()
    assert list(board.database.times()) == [2]
    assert board.health.pending == 0


async def test_an_outage_while_those_who_waited_are_sent_loses_nothing(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.take(3)
    board.start()
    await board.caught_up()
    really, troubles = board.database.send, [SinkAway("gone"), SinkAway("lost the answer", in_doubt=True)]

    async def send(body: bytes, *, in_doubt: bool = False) -> None:
        if troubles:
            trouble = troubles.pop()
            if trouble.in_doubt:
                await really(body, in_doubt=in_doubt)
            raise trouble
        await really(body, in_doubt=in_doubt)

    monkeypatch.setattr(board.database, "send", send)
    board.sync(NOW)
    await board.drained()
    assert sorted(board.database.times()) == [0, 1, 2]


STEPS = st.lists(st.sampled_from(["take", "own", "look", "restart", "reboot", "sync", "unsync"]), max_size=25)


class World:
    """A board, and the true time of everything that it does."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.true = NOW
        self.taken_at: dict[int, int] = {}
        self._boots = 0

    async def do(self, step: str) -> None:
        board, clock = self.board, self.board.clock
        if step == "take":
            self.true += SECOND
            (number,) = board.take(1)
            self.taken_at[number] = self.true
        elif step == "own":
            (number,) = board.take(1, own_time=self.true)
            self.true += SECOND
            self.taken_at[number] = self.true - SECOND
        elif step == "look":
            await board.caught_up()
        elif step == "restart":
            await board.restart()
        elif step == "reboot":
            self._boots += 1
            self.true += HOUR
            clock.right = False
            await board.restart(boot=self._boots.to_bytes(16))
        elif step == "sync":
            board.sync(self.true)
        else:
            clock.right = False


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(steps=STEPS)
async def test_whatever_happens_to_clock_and_machine_each_reading_arrives_once_and_never_from_the_future(
    tmp_path_factory: pytest.TempPathFactory, clock: FakeClock, steps: list[str]
) -> None:
    clock.boot_id, clock.utc, clock.up, clock.right = EARLIER, NOW, 60 * SECOND, False
    board = Board(tmp_path_factory.mktemp("board"), clock)
    board.start()
    world = World(board)
    for step in [*steps, "sync"]:
        await world.do(step)
    await board.drained()
    times = board.database.times()
    assert times.keys() == world.taken_at.keys()
    for number, time in times.items():
        assert time <= world.true
        if number not in board.database.marked():
            assert time == world.taken_at[number]
    await board.stop()
    board.spool.close()
