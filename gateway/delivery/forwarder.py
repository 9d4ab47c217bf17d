"""From the spool to one sink: in order, again and again until it is taken, and nothing twice without need.

One `Forwarder` a sink. It reads whole members behind its cursor, has them delivered as they are on disk (what a sink
may answer, and what happens then, is in `gateway.delivery.courier`), and moves the cursor on.

Where the answer is lost, or the daemon dies before it can note it down, nobody knows whether a batch arrived. The
cursor says beforehand how far a batch reaches, so that this is known after a restart too; the sink is then told that
the batch is in doubt.

A server that was restored from nothing, or from a backup, gets what is new: nothing tells a gateway that it forgot
what it had confirmed. What the spool still keeps is sent again by ``prehod spool replay``.

Members whose times are still *since boot* wait until that boot's offset is known, and others go ahead of them: the
front moves on, and what waits behind it is noted in the cursor (`gateway.spool.Progress`).
"""

import asyncio
import gzip
from contextlib import suppress

import structlog

from gateway.clock import Timekeeper
from gateway.delivery.boot_offsets import Offsets, restamp
from gateway.delivery.courier import Courier, Parcel, Sink
from gateway.delivery.settings import Limits
from gateway.health import SinkHealth
from gateway.spool import Consumer, Cursors, Member, Progress, Quarantine, SpoolReader, Waiting, decode_member

__all__ = ["Forwarder", "Limits", "Sink"]

LOOK = 1.0
"""Seconds between looks at whether the clock is right, while readings wait for that."""


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
        self._turns = 0
        self._sink = sink
        self._consumer = Consumer(name, cursors, quarantine)
        self._courier = Courier(self._consumer, sink, limits, health)
        self._limits = limits
        self._reader = reader
        self._cursors = cursors
        self._offsets = Offsets(timekeeper, reader)
        self._health = health
        self._end = committed
        self._progress = Progress({})
        self._sending = 0
        self._more = asyncio.Event()
        self._moved = asyncio.Event()
        self._log = structlog.get_logger().bind(sink=name)

    def committed(self, end: int) -> None:
        """Hear that readings below sequence number ``end`` are durable."""
        self._end = end
        self._count_waiting()
        self._more.set()

    @property
    def steps(self) -> int:
        """Rises with everything that is tried and with every wait: what is alive, steps."""
        return self._turns + self._courier.steps

    @property
    def behind(self) -> bool:
        """Tell whether committed readings wait for the sink; those that wait for the clock do not count."""
        return self._progress.front < self._end

    async def caught_up(self) -> None:
        """Return once everything committed was taken, but for what waits for the clock."""
        while self.behind:
            self._moved.clear()
            await self._moved.wait()

    async def drained(self) -> None:
        """Return once everything committed was taken."""
        while self.behind or self._progress.boots:
            self._moved.clear()
            await self._moved.wait()

    async def close(self) -> None:
        """Close the sink's connections."""
        await self._sink.close()

    async def run(self) -> None:
        """Forward for ever."""
        self._progress = Progress(self._cursors.state(self.name))
        self._sending = int(self._cursors.state(self.name).get("sending", 0))
        while True:
            self._turns += 1
            self._more.clear()
            self._count_waiting()
            self._moved.set()
            # New readings and those that waited take turns: neither has to wait for all of the other.
            released = await self._release()
            if self.behind:
                await self._advance()
            elif not released:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK if self._progress.boots else None):
                        await self._more.wait()

    async def _advance(self) -> None:
        """Send the next batch at the front, without what has to wait for the clock."""
        progress, end = self._progress, self._end
        members = await asyncio.to_thread(self._read, progress.front, end)
        if not members:
            # Nothing readable before `end`: set aside as damaged, or deleted by the bound. Recovery told of it.
            progress.front = end
            await self._save()
            return
        ready = []
        waited = bool(progress.boots)
        unsure = progress.front < self._sending
        for member in members:
            if member.header.boot is None or await self._offsets.of(member.header.boot) is not None:
                ready.append(member)
            else:
                progress.hold(member.header, unsure=unsure)
        to = members[-1].header.end
        if ready:
            self._sending = max(self._sending, to)
            await self._save()
            await self._deliver(ready, in_doubt=unsure)
        progress.front = to
        if progress.boots and not waited:
            self._log.info("readings wait until the clock is right; others go ahead", readings=progress.count)
        await self._save()

    async def _release(self) -> bool:
        """Send the next batch of what waited for a clock that is right by now; return whether there was one."""
        for waiting in self._progress.boots:
            if await self._offsets.of(waiting.boot) is not None:
                await self._send_waiting(waiting)
                return True
        return False

    async def _send_waiting(self, waiting: Waiting) -> None:
        members = await asyncio.to_thread(self._read, waiting.first, waiting.end)
        to = members[-1].header.end if members else waiting.end
        # The others between them have gone ahead.
        mine = [member for member in members if member.header.boot == waiting.boot]
        if mine:
            unsure = waiting.first < waiting.sending
            waiting.sending = max(waiting.sending, to)
            await self._save()
            await self._deliver(mine, in_doubt=unsure)
        self._progress.sent(waiting, to, sum(member.header.count for member in mine))
        if not self._progress.boots:
            self._log.info("readings that waited for the clock were sent")
        await self._save()

    def _read(self, start: int, end: int) -> list[Member]:
        limits = self._limits
        return self._reader.read(start, until=end, max_lines=limits.max_lines, max_bytes=limits.max_bytes)

    async def _save(self) -> None:
        progress = self._progress
        extra = {**progress.state(), "sending": self._sending}
        await asyncio.to_thread(self._cursors.save, self.name, progress.lowest, extra=extra)
        self._count_waiting()

    def _count_waiting(self) -> None:
        self._health.waiting = max(0, self._end - self._progress.front) + self._progress.count

    async def _deliver(self, members: list[Member], *, in_doubt: bool) -> None:
        """Deliver members whose times are known; ``in_doubt`` tells that an earlier run may have sent them."""
        parcels = [Parcel(one.header.first, one.header.end, await self._stamped(one)) for one in members]
        first, end = parcels[0].first, parcels[-1].end
        batch = await asyncio.to_thread(self._consumer.begin, first, end, end if in_doubt else 0)
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
