"""Delivery from the spool to one sink: in order, with retries until it is taken, and nothing twice without need.

One `Forwarder` a sink. It reads whole members behind its cursor, has them delivered as they are on disk (what a sink
may answer, and what happens then, is in `gateway.delivery.courier`), and moves the cursor on.

Where the answer is lost, or the daemon dies before it can note it down, a batch is in doubt: it may have arrived,
or not. The cursor says beforehand how far a batch reaches, so that this is known after a restart too; the sink is
then told that the batch is in doubt.

A server that was restored from nothing, or from a backup, gets what is new: nothing tells a gateway that it forgot
what it had confirmed. What the spool still keeps is sent again by ``prehod spool replay``.

Members whose times are still *since boot* are clock-deferred until that boot's offset is known, and others go ahead
of them: the front moves on, and what is deferred below it stands in the cursor (`gateway.spool.cursors`).
"""

import asyncio
import gzip
from contextlib import suppress

import structlog

from gateway.clock import Timekeeper
from gateway.delivery.boot_offsets import Offsets, restamp
from gateway.delivery.courier import Courier, Parcel, Sink
from gateway.delivery.settings import Limits
from gateway.errors import SpoolError
from gateway.health import SinkHealth
from gateway.spool import Consumer, Deferred, Header, Member, decode_member

__all__ = ["Forwarder", "Limits", "Sink"]

LOOK = 1.0
"""Seconds between looks at whether the clock is right, while readings are deferred for that."""


class Forwarder:
    """Drains the spool into one sink for ever."""

    def __init__(
        self, consumer: Consumer, sink: Sink, limits: Limits, timekeeper: Timekeeper, health: SinkHealth
    ) -> None:
        self._turns = 0
        self._consumer = consumer
        self._sink = sink
        self._courier = Courier(consumer, sink, limits, health)
        self._limits = limits
        self._offsets = Offsets(timekeeper, consumer.reader)
        self._health = health
        self._more = asyncio.Event()
        self._moved = asyncio.Event()
        self._log = structlog.get_logger().bind(sink=consumer.name)

    def wake(self) -> None:
        """Look again: there are more durable readings."""
        self._health.pending = self._consumer.pending
        self._more.set()

    @property
    def steps(self) -> int:
        """Rises with everything that is tried and with every wait: what is alive, steps."""
        return self._turns + self._courier.steps

    @property
    def has_pending(self) -> bool:
        """Tell whether committed readings are pending; those that are clock-deferred do not count."""
        return self._consumer.cursor.front < self._consumer.end

    async def caught_up(self) -> None:
        """Return once everything committed was taken, but for what is clock-deferred."""
        while self.has_pending:
            self._moved.clear()
            await self._moved.wait()

    async def drained(self) -> None:
        """Return once everything committed was taken."""
        while self.has_pending or self._consumer.cursor.deferred:
            self._moved.clear()
            await self._moved.wait()

    async def stop(self) -> None:
        """Note a stop in good order, after `run` was cancelled, and close the sink's connections."""
        await asyncio.to_thread(self._consumer.mark_clean_stop)
        await self._sink.close()

    async def run(self) -> None:
        """Forward for ever; raises `SpoolError` where the sink's cursor cannot be used before a person has a look."""
        self._turns += 1
        if self._consumer.problem:
            raise SpoolError(self._consumer.problem)
        while True:
            self._turns += 1
            self._more.clear()
            self._health.pending = self._consumer.pending
            self._moved.set()
            # New readings and those that were deferred take turns: neither has to wait for all of the other.
            released = await self._release()
            if self.has_pending:
                await self._advance()
            elif not released:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK if self._consumer.cursor.deferred else None):
                        await self._more.wait()

    async def _advance(self) -> None:
        """Send the next batch at the front, without what is clock-deferred."""
        consumer, before, end = self._consumer, self._consumer.cursor, self._consumer.end
        members = await asyncio.to_thread(self._read, before.front, end)
        if not members:
            # Nothing readable before `end`: set aside as damaged, or deleted by the bound. Recovery told of it.
            await asyncio.to_thread(consumer.advance, end)
            return
        ready: list[Member] = []
        deferred: list[Header] = []
        for member in members:
            if member.header.boot is None or await self._offsets.of(member.header.boot) is not None:
                ready.append(member)
            else:
                deferred.append(member.header)
        if ready:
            await self._deliver(ready)
        to = members[-1].header.end
        await asyncio.to_thread(consumer.advance, to, deferred, in_doubt_to=before.in_doubt_to)
        if deferred and not before.deferred:
            count = consumer.cursor.deferred_count
            self._log.info("readings clock-deferred; others go ahead until the clock is right", readings=count)

    async def _release(self) -> bool:
        """Send the next batch of what was deferred for a clock that is right by now; return whether there was one."""
        for deferred in self._consumer.cursor.deferred:
            if await self._offsets.of(deferred.boot) is not None:
                await self._send_deferred(deferred)
                return True
        return False

    async def _send_deferred(self, deferred: Deferred) -> None:
        members = await asyncio.to_thread(self._read, deferred.first, deferred.end)
        to = members[-1].header.end if members else deferred.end
        # The others between them have gone ahead.
        mine = [member for member in members if member.header.boot == deferred.boot]
        if mine:
            await self._deliver(mine, deferred.boot)
        count = sum(member.header.count for member in mine)
        await asyncio.to_thread(self._consumer.release, deferred.boot, to, count)
        if not self._consumer.cursor.deferred:
            self._log.info("clock-deferred readings sent")

    def _read(self, start: int, end: int) -> list[Member]:
        limits = self._limits
        return self._consumer.read(start, end, max_lines=limits.max_lines, max_bytes=limits.max_bytes)

    async def _deliver(self, members: list[Member], boot: bytes | None = None) -> None:
        """Deliver members whose times are known, at the front or of a deferred boot."""
        parcels = [Parcel(one.header.first, one.header.end, await self._stamped(one)) for one in members]
        batch = await asyncio.to_thread(self._consumer.begin, parcels[0].first, parcels[-1].end, boot)
        await self._courier.deliver(batch, parcels)

    async def _stamped(self, member: Member) -> bytes:
        """Return a member as it is on disk, or anew where its times were since boot."""
        boot = member.header.boot
        if boot is None:
            return member.raw
        known = await self._offsets.of(boot)
        assert known is not None
        text = await asyncio.to_thread(decode_member, member.raw)
        return await asyncio.to_thread(gzip.compress, restamp(text, known.offset, estimated=known.estimated), 1)
