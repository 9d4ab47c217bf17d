"""From a real spool to a sink that refuses, throttles, hangs, or wants less at a time."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sim.patience import patience
from firmware_sim.servers.influx.endpoint import gunzip
from gateway.back_off import BackOff, steady
from gateway.clock import Timekeeper
from gateway.delivery.forwarder import Forwarder, Limits
from gateway.errors import BatchRefused, BatchTooLarge, SinkAway, SinkBlocked
from gateway.health import SinkHealth
from gateway.spool import Batch, Spool, SpoolSettings
from gateway.supervise import Liveness
from tests.support.clock import FakeClock
from tests.support.until import until

NOW = 1_732_281_600_000_000_000


class FakeSink:
    """A database that says what it is told to; ``bad`` lines are refused, ``most`` lines are taken at a time."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.taken: list[bytes] = []
        self.says: list[Exception] = []
        self.bad: set[bytes] = set()
        self.most = 10**9
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        self.asked_for_missing = 0
        self.lose_answers = 0
        self.closed = False

    overwrites = True

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        if in_doubt and not (body := self._missing(body)):
            return
        self.asked += 1
        await self.gate.wait()
        if self.says:
            raise self.says.pop(0)
        lines = gzip.decompress(body).splitlines()
        if len(lines) > self.most:
            raise BatchTooLarge("413: too large")
        if found := self.bad.intersection(lines):
            self.taken += [line for line in lines if line not in self.bad]
            raise BatchRefused(f"422: cannot store {min(found).decode()}")
        self.bodies.append(body)
        self.taken += lines
        if self.lose_answers:
            self.lose_answers -= 1
            raise SinkAway("connection reset", in_doubt=True)

    def _missing(self, body: bytes) -> bytes:
        """Answer as a database that keeps duplicates: what it has need not come again."""
        self.asked_for_missing += 1
        rest = [line for line in gzip.decompress(body).splitlines() if line not in self.taken]
        return gzip.compress(b"\n".join(rest) + b"\n") if rest else b""

    async def close(self) -> None:
        self.closed = True


class Rig:
    """A spool, a sink, and the forwarder between them, which may be stopped and built anew."""

    def __init__(self, directory: Path, timekeeper: Timekeeper) -> None:
        self.directory, self.timekeeper = directory, timekeeper
        self.spool = self._open()
        self.sink = FakeSink()
        self.clock = FakeClock(jumps=True)
        """What the sink's waits go by."""
        self.health = SinkHealth(Liveness("influx", self.clock))
        self.written = 0
        self.task: asyncio.Task[None] | None = None
        self.forwarder: Forwarder

    def _open(self) -> Spool:
        return Spool.open(self.directory, SpoolSettings(min_free_bytes=0), sinks=["influx"], now=lambda: NOW)

    def write(self, count: int, *, boot: bytes | None = None, at: int = NOW) -> list[bytes]:
        """Append one member; return its lines."""
        lines = [
            b"a,s=1 n=%di,quality=0i %d" % (number, at + number)
            for number in range(self.written, self.written + count)
        ]
        self.written += count
        text = b"\n".join(lines) + b"\n"
        self.spool.writer.append(Batch(text, count, at, at + count, boot))
        if self.task is not None:
            self.forwarder.wake()
        return lines

    def start(self, **limits: Any) -> None:  # noqa: ANN401 -- any limit
        consumer = self.spool.consumer("influx")
        self.forwarder = Forwarder(consumer, self.sink, Limits(**limits), self.timekeeper, self.health)
        self.task = asyncio.create_task(self.forwarder.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def reopen(self) -> None:
        """Restart the daemon's half of it."""
        await self.stop()
        self.spool.close()
        self.spool = self._open()

    async def drained(self) -> None:
        """Wait until everything is taken; what ends the forwarder is raised here."""
        assert self.task is not None
        waiting = asyncio.create_task(self.forwarder.drained())
        async with asyncio.timeout(patience()):
            await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            await self.task

    @property
    def cursor(self) -> int:
        return self.spool.cursors.next("influx")

    @property
    def quarantine(self) -> str:
        file = self.spool.quarantine.path("influx")
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def quarantined(self) -> list[bytes]:
        return [line.encode() for line in self.quarantine.splitlines() if not line.startswith("#")]


@pytest.fixture
async def rig(tmp_path: Path, timekeeper: Timekeeper) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "spool", timekeeper)
    yield rig
    await rig.stop()
    rig.spool.close()


async def test_members_arrive_in_order_and_the_cursor_follows(rig: Rig) -> None:
    lines = rig.write(3) + rig.write(2)
    rig.start()
    await rig.drained()
    lines += rig.write(4)
    await rig.drained()
    assert rig.sink.taken == lines
    assert rig.cursor == 9
    assert (rig.health.readings, rig.health.pending, rig.health.link.up) == (9, 0, True)


async def test_the_cursor_moves_only_once_the_sink_has_it(rig: Rig) -> None:
    lines = rig.write(3)
    rig.sink.gate.clear()
    rig.start()
    await until(lambda: rig.sink.asked == 1)
    assert rig.cursor == 0
    await rig.reopen()
    assert rig.cursor == 0
    rig.sink.gate.set()
    rig.start()
    await rig.drained()
    assert rig.sink.taken == lines
    assert rig.cursor == 3


async def test_a_batch_whose_answer_was_lost_is_not_stored_twice(rig: Rig) -> None:
    lines = rig.write(3)
    rig.sink.lose_answers = 1
    rig.start()
    await rig.drained()
    assert rig.sink.taken == lines
    assert rig.sink.asked_for_missing == 1


async def test_a_batch_that_was_under_way_when_the_daemon_died_is_not_stored_twice(rig: Rig) -> None:
    first = rig.write(3)
    rig.sink.gate.clear()
    rig.start()
    await until(lambda: rig.sink.asked == 1)
    await rig.reopen()
    rig.sink.taken += first[:2]  # the server went on storing after we were gone, and did not finish
    rig.sink.gate.set()
    later = rig.write(2)
    rig.start()
    await rig.drained()
    assert rig.sink.taken == first + later


async def test_a_batch_that_was_surely_not_stored_is_sent_again_without_asking(rig: Rig) -> None:
    rig.write(3)
    rig.sink.says = [SinkAway("connection refused")]
    rig.start()
    await rig.drained()
    assert rig.sink.asked_for_missing == 0


async def test_after_an_orderly_stop_nothing_is_asked(rig: Rig) -> None:
    rig.write(3)
    rig.start()
    await rig.drained()
    await rig.reopen()
    rig.write(2)
    rig.start()
    await rig.drained()
    assert rig.sink.asked_for_missing == 0


async def test_a_restart_goes_on_at_the_cursor(rig: Rig) -> None:
    rig.write(3)
    rig.start()
    await rig.drained()
    await rig.reopen()
    rig.sink.taken.clear()
    later = rig.write(2)
    rig.start()
    await rig.drained()
    assert rig.sink.taken == later


async def test_the_same_bytes_go_again_until_the_sink_is_back(rig: Rig) -> None:
    lines = rig.write(3)
    rig.sink.says = [SinkAway("no answer"), SinkAway("503: busy"), SinkBlocked("401: token"), SinkAway("gone", 0.0)]
    rig.start()
    await rig.drained()
    assert rig.sink.taken == lines
    assert rig.sink.asked == 5
    assert not rig.quarantine


async def test_a_retry_after_is_kept_to(rig: Rig) -> None:
    rig.write(1)
    rig.sink.says = [SinkAway("429: slow down", 17.0), SinkAway("429: no wait at all", 0.0)]
    rig.start()
    await rig.drained()
    assert rig.clock.waits == [17.0, 0.5]


async def test_waits_double_up_to_a_bound_and_start_afresh_after_success(rig: Rig) -> None:
    rig.write(1)
    rig.sink.says = [SinkAway("away")] * 6
    rig.start()
    rig.forwarder._courier._back_off = BackOff(1.0, 8.0, jitter=steady)
    await rig.drained()
    assert rig.clock.waits == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    rig.write(1)
    rig.sink.says = [SinkAway("away again")]
    await rig.drained()
    assert rig.clock.waits[6:] == [1.0]


async def test_the_waits_of_a_sink_that_is_away_are_from_a_quarter_of_a_second_to_a_minute(rig: Rig) -> None:
    rig.write(1)
    rig.sink.says = [SinkAway("away")] * 10
    rig.start()
    await rig.drained()
    for wait, due in zip(rig.clock.waits, [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert due / 2 <= wait <= due


async def test_a_held_sink_says_why_and_goes_on_when_the_setting_is_right(rig: Rig) -> None:
    lines = rig.write(2)
    rig.sink.says = [SinkBlocked("401: the database refuses our token")] * 10_000
    rig.start()
    await until(lambda: rig.sink.asked > 2)
    assert not rig.health.link.up
    assert rig.health.link.problem == "401: the database refuses our token"
    assert rig.cursor == 0
    rig.sink.says.clear()
    await rig.drained()
    assert rig.sink.taken == lines
    assert rig.health.link.up


async def test_a_body_that_is_too_large_goes_in_halves(rig: Rig) -> None:
    lines = rig.write(100)
    rig.sink.most = 7
    rig.start()
    await rig.drained()
    assert rig.sink.taken == lines
    assert all(len(gzip.decompress(body).splitlines()) <= 7 for body in rig.sink.bodies)
    assert not rig.quarantine
    assert rig.cursor == 100


async def test_a_line_that_is_too_large_by_itself_is_quarantined(rig: Rig) -> None:
    rig.write(2)
    rig.sink.most = 0
    rig.start()
    await rig.drained()
    assert len(rig.quarantined()) == 2
    assert "413: too large" in rig.quarantine


async def test_exactly_the_bad_lines_are_quarantined_with_the_servers_words(rig: Rig) -> None:
    lines = rig.write(50) + rig.write(50)
    rig.sink.bad = {lines[0], lines[49], lines[77]}
    rig.start()
    await rig.drained()
    assert rig.quarantined() == [lines[0], lines[49], lines[77]]
    assert f"422: cannot store {lines[77].decode()}" in rig.quarantine
    assert set(rig.sink.taken) == set(lines) - rig.sink.bad
    assert (rig.health.quarantined, rig.health.readings, rig.cursor) == (3, 97, 100)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(bad=st.sets(st.integers(0, 39), max_size=40), cut=st.integers(1, 39), most=st.integers(1, 50))
async def test_whatever_lines_are_bad_the_rest_arrives_and_no_other_is_quarantined(
    rig: Rig, bad: set[int], cut: int, most: int
) -> None:
    await rig.stop()
    rig.sink = FakeSink()
    before = len(rig.quarantined())
    lines = rig.write(cut) + rig.write(40 - cut)
    rig.sink.bad = {lines[number] for number in bad}
    rig.sink.most = most
    rig.start()
    await rig.drained()
    assert rig.quarantined()[before:] == [lines[number] for number in sorted(bad)]
    assert list(dict.fromkeys(rig.sink.taken)) == [line for line in lines if line not in rig.sink.bad]


async def test_an_outage_in_the_middle_of_the_search_loses_nothing(rig: Rig) -> None:
    lines = rig.write(8)
    rig.sink.bad = {lines[5]}
    refused = BatchRefused("422: something in here")
    rig.sink.says = [refused, SinkAway("gone"), SinkAway("still gone")]
    rig.start()
    await rig.drained()
    assert rig.quarantined() == [lines[5]]
    assert set(rig.sink.taken) == set(lines) - rig.sink.bad


async def test_one_member_goes_out_as_it_is_on_disk(rig: Rig) -> None:
    rig.write(5)
    (on_disk,) = (member.raw for member in rig.spool.reader().read(0))
    rig.start()
    await rig.drained()
    assert rig.sink.bodies == [on_disk]


async def test_several_members_become_one_gzip_member_because_some_servers_read_only_the_first(rig: Rig) -> None:
    lines = rig.write(2) + rig.write(3)
    rig.start(gzip_members="join")
    await rig.drained()
    (body,) = rig.sink.bodies
    text, members = gunzip(body)
    assert (text.splitlines(), members) == (lines, 1)


async def test_several_members_are_sent_as_they_are_where_that_is_asked_for(rig: Rig) -> None:
    lines = rig.write(2) + rig.write(3)
    rig.start(gzip_members="as-is")
    await rig.drained()
    (body,) = rig.sink.bodies
    text, members = gunzip(body)
    assert (text.splitlines(), members) == (lines, 2)
    assert body == b"".join(member.raw for member in rig.spool.reader().read(0))


async def test_a_request_stays_within_its_limits(rig: Rig) -> None:
    lines = [line for _ in range(10) for line in rig.write(10)]
    rig.start(max_lines=25)
    await rig.drained()
    assert [len(gzip.decompress(body).splitlines()) for body in rig.sink.bodies] == [20] * 5
    assert rig.sink.taken == lines


async def test_what_is_gone_from_the_disk_is_passed_over(rig: Rig) -> None:
    rig.write(3)
    (segment,) = tuple(rig.directory.glob("*.lp.gz"))
    content = bytearray(segment.read_bytes())
    content[-20] ^= 0xFF
    segment.write_bytes(content)
    rig.start()
    await rig.drained()
    assert rig.sink.asked == 0
    assert rig.cursor == 3
    later = rig.write(1)
    await rig.drained()
    assert rig.sink.taken == later


async def test_stopping_gives_the_connection_back_and_is_noted(rig: Rig) -> None:
    rig.start()
    await rig.forwarder.stop()
    assert rig.sink.closed
    assert rig.spool.cursors.of("influx").stopped
