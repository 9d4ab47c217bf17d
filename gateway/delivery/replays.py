"""Replays: kept readings of a time range go to one database once more, after everything that is new.

The spool lays the cursor (`gateway.spool.replay`); here a second `Forwarder` runs along it, with a connection of its
own, and lets the first one go ahead. A database that keeps duplicates is asked what it has before anything is sent,
so a replay fills holes and doubles nothing. A restart goes on where the last run stopped.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from gateway.clock import Timekeeper
from gateway.delivery.forwarder import Forwarder, Limits, Sink
from gateway.health import SinkHealth
from gateway.spool import Spool
from gateway.supervise import Liveness, keep_alive

TURN = 30.0
"""Seconds that a replay waits for new readings to be delivered first, each time it wants to send."""


class Replays:
    """The replays of one daemon; ``connect`` opens one more connection to a database."""

    def __init__(
        self,
        spool: Spool,
        live: Mapping[str, Forwarder],
        timekeeper: Timekeeper,
        connect: Callable[[str], tuple[Sink, Limits]],
    ) -> None:
        self._spool, self._live, self._timekeeper, self._connect = spool, live, timekeeper, connect
        self._running: dict[str, tuple[object, asyncio.Task[None]]] = {}

    def look(self, tasks: asyncio.TaskGroup) -> None:
        """Start what is laid out and not finished; a new wish for the same database takes an older one's place."""
        for sink in self._live.keys() & set(self._spool.replays.sinks):
            state = self._spool.replays.state(sink)
            request, task = self._running.get(sink, (None, None))
            if request == state.get("request") or state["next"] >= state.get("end", 0):
                continue
            task = tasks.create_task(self._replay(sink, state["end"], after=task), name=f"replay {sink}")
            self._running[sink] = state.get("request"), task

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the tasks, to be cancelled when the daemon stops."""
        return [task for _, task in self._running.values()]

    async def _replay(self, sink: str, end: int, after: asyncio.Task[None] | None) -> None:
        if after is not None:
            after.cancel()
            await asyncio.gather(after, return_exceptions=True)
        log = structlog.get_logger().bind(sink=sink)
        # What the older one noted down while this one was laid out is not how far this one has come.
        state = self._spool.replays.state(sink)
        begun = state["next"] if after is None else state["first"]
        held = state.get("held", []) if after is None else []
        # All of it was sent before, by another run or by the first forwarder.
        await asyncio.to_thread(self._spool.replays.save, sink, begun, extra={"sending": end, "held": held})
        connection, limits = self._connect(sink)
        health = SinkHealth(Liveness(f"replay to {sink}"))
        forwarder = Forwarder(
            sink,
            _AfterLive(connection, self._live[sink]),
            limits,
            reader=self._spool.replay_reader(sink),
            cursors=self._spool.replays,
            quarantine=self._spool.quarantine,
            timekeeper=self._timekeeper,
            health=health,
            committed=end,
        )
        log.info("replay begins", numbers=end - begun)
        running = asyncio.create_task(keep_alive(forwarder.run, health.link), name=f"replay to {sink}")
        try:
            await forwarder.drained()
            log.info("replay is done", readings=health.readings, quarantined=health.quarantined)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await forwarder.close()


class _AfterLive:
    """A connection on which new readings go first."""

    def __init__(self, sink: Sink, live: Forwarder) -> None:
        self._sink, self._live = sink, live

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        await self._turn()
        await self._sink.send(body, in_doubt=in_doubt)

    async def close(self) -> None:
        await self._sink.close()

    async def _turn(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(TURN):
                await self._live.caught_up()
