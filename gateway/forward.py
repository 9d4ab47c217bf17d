"""From the spool to one sink: in order, again and again until it is taken, and nothing twice without need.

One `Forwarder` a sink. It reads whole members behind its cursor, sends them as they are on disk, and moves the cursor
on. What a sink can answer decides what happens next:

===================  ====================================================================================
taken                the cursor moves on
`SinkAway`           the same batch again, after the server's own Retry-After or a doubling wait with jitter
`SinkHeld`           the same batch again, seldom: a person must change a setting first
`BatchTooLarge`      in halves
`BatchRefused`       in halves, down to the single lines that the server refuses: those go to quarantine
===================  ====================================================================================

Where the answer is lost, or the daemon dies before it can note it down, nobody knows whether a batch arrived. The
cursor says beforehand how far a batch reaches, so that this is known after a restart too; the sink is then asked what
is `missing`.

Members whose times are still *since boot* wait until that boot's offset is known.
"""

import asyncio
import gzip
import random
import time
import zlib
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.clock import Timekeeper
from gateway.errors import BatchRefused, BatchTooLarge, SinkAway, SinkHeld
from gateway.health import SinkHealth
from gateway.restamp import restamp
from gateway.sinks import line_protocol
from gateway.spool import Cursors, Member, Quarantine, SpoolReader, decode_member

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
HELD_WAIT = 30.0


class Sink(Protocol):
    """A connection to a database."""

    async def send(self, body: bytes) -> None:
        """Store a gzip body of line protocol; raises a `gateway.errors.SinkError` where that failed."""

    async def missing(self, body: bytes) -> bytes:
        """Return what of a body, sent before with an unknown outcome, has to be sent again; b"" for nothing."""

    async def close(self) -> None:
        """Give the connection back."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into one request; ``join`` re-wraps several gzip members into one."""

    max_lines: int = 5000
    max_bytes: int = 1_000_000
    join: bool = True


class Forwarder:
    """Drains the spool into one sink for ever."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        limits: Limits,
        *,
        reader: SpoolReader,
        cursors: Cursors,
        quarantine: Quarantine,
        timekeeper: Timekeeper,
        health: SinkHealth,
        committed: int,
    ) -> None:
        self.name = name
        self._sink = sink
        self._limits = limits
        self._reader = reader
        self._cursors = cursors
        self._quarantine = quarantine
        self._timekeeper = timekeeper
        self._health = health
        self._end = committed
        self._next = 0
        self._unsure_below = 0
        self._more = asyncio.Event()
        self._moved = asyncio.Event()
        self._wait = FIRST_WAIT
        self._log = structlog.get_logger().bind(sink=name)

    def committed(self, end: int) -> None:
        """Hear that readings below sequence number ``end`` are durable."""
        self._end = end
        self._health.waiting = max(0, end - self._next)
        self._more.set()

    async def drained(self) -> None:
        """Return once everything committed was taken."""
        while self._next < self._end:
            self._moved.clear()
            await self._moved.wait()

    async def close(self) -> None:
        """Close the sink's connections."""
        await self._sink.close()

    async def run(self) -> None:
        """Forward for ever."""
        self._next = self._cursors.next(self.name)
        self._unsure_below = int(self._cursors.state(self.name).get("sending", 0))
        while True:
            self._more.clear()
            if self._next >= self._end:
                self._health.waiting = 0
                await self._more.wait()
                continue
            end = self._end
            members = await asyncio.to_thread(self._read, end)
            if not members:
                # Nothing readable before `end`: set aside as damaged, or deleted by the bound. Recovery told of it.
                await self._move_on(end)
                continue
            members_end = members[-1].header.end
            await asyncio.to_thread(self._cursors.save, self.name, self._next, extra={"sending": members_end})
            await self._deliver(members)
            await self._move_on(members_end)

    def _read(self, end: int) -> list[Member]:
        limits = self._limits
        return self._reader.read(self._next, until=end, max_lines=limits.max_lines, max_bytes=limits.max_bytes)

    async def _move_on(self, to: int) -> None:
        self._next = to
        await asyncio.to_thread(self._cursors.save, self.name, to)
        self._moved.set()
        self._health.waiting = max(0, self._end - to)

    async def _deliver(self, members: list[Member]) -> None:
        count = sum(member.header.count for member in members)
        before = self._health.quarantined
        body = await self._body(members)
        if await self._refused(body):
            text = await asyncio.to_thread(gzip.decompress, body)
            await self._halve(line_protocol.split(text))
        self._health.readings += count - (self._health.quarantined - before)

    async def _body(self, members: list[Member]) -> bytes:
        """Return what goes on the wire; waits here while a member's times cannot be told yet."""
        if any(member.header.boot is not None for member in members):
            texts = [await self._stamped(member) for member in members]
            return await asyncio.to_thread(gzip.compress, b"".join(texts), 1)
        if len(members) == 1:
            return members[0].raw
        return await asyncio.to_thread(_join if self._limits.join else _concatenate, members)

    async def _stamped(self, member: Member) -> bytes:
        text = await asyncio.to_thread(decode_member, member.raw)
        boot = member.header.boot
        if boot is None:
            return text
        while (known := self._timekeeper.offset_of(boot)) is None:
            self._down("held: the clock is not known to be right yet")
            await asyncio.sleep(1.0)
        return restamp(text, known.offset, estimated=known.estimated)

    async def _refused(self, body: bytes) -> str:
        """Send until the sink has taken it, or said why it will never take it whole; "" when it was taken."""
        unsure = self._next < self._unsure_below
        while True:
            try:
                if unsure:
                    body = await self._sink.missing(body)
                    unsure = False
                if body:
                    await self._sink.send(body)
            except SinkAway as error:
                unsure = unsure or error.unsure
                self._down(str(error))
                wait = self._wait * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret
                self._wait = min(self._wait * 2, LONGEST_WAIT)
                # A server that asks for no wait at all would be asked without end.
                await asyncio.sleep(wait if error.retry_after is None else max(error.retry_after, FIRST_WAIT))
            except SinkHeld as error:
                self._down(str(error))
                await asyncio.sleep(HELD_WAIT)
            except (BatchTooLarge, BatchRefused) as error:
                self._wait = FIRST_WAIT
                return str(error)
            else:
                self._wait = FIRST_WAIT
                self._health.last_success = time.monotonic()
                self._health.link.went_up()
                return ""

    async def _halve(self, lines: list[bytes]) -> None:
        """Send in halves; a single line that is refused goes to quarantine."""
        middle = len(lines) // 2
        for half in (lines[:middle], lines[middle:]):
            if not half:
                continue
            body = await asyncio.to_thread(gzip.compress, b"\n".join(half) + b"\n", 1)
            reason = await self._refused(body)
            if reason and len(half) > 1:
                await self._halve(half)
            elif reason:
                await asyncio.to_thread(self._quarantine.append, self.name, half[0], reason)
                self._health.quarantined += 1
                line = half[0].decode(errors="replace")
                self._log.error("line refused; it is in the quarantine", reason=reason, line=line)

    def _down(self, problem: str) -> None:
        link = self._health.link
        if link.up or link.problem != problem:
            self._log.warning("sink does not take readings; they wait in the spool", problem=problem)
        link.up, link.problem = False, problem


def _concatenate(members: list[Member]) -> bytes:
    return b"".join(member.raw for member in members)


def _join(members: list[Member]) -> bytes:
    """Re-wrap into one gzip member: some decoders stop after the first, answer 204 and lose the rest in silence."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(packer.compress(decode_member(member.raw)) for member in members), packer.flush()])
