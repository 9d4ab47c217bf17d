"""Housekeeping: the spool's bounds, its ledger, people's requests and its pressure; the clock, and the watchdog.

Everything that touches the disk runs in a thread of its own: the event loop, and with it the watchdog's feed,
never waits for a card.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from gateway.back_off import BackOff, steady
from gateway.clock import Timekeeper
from gateway.daemon.watchdog import Watchdog
from gateway.errors import SpoolError
from gateway.health import Health
from gateway.refused import RefusedStore
from gateway.spool import Gauge, Loss, Spool
from gateway.spool.pressure import say_hours
from gateway.units import format_size

ENFORCE_EVERY = 60.0
"""Seconds between looks at the bounds of the spool; writing looks at them as well."""

FIRST_LINE = 60.0
LONGEST_LINE = 3600.0
"""What is refused goes into the ledger at once, then while it lasts after a minute, two, four, at last every hour."""

T = TypeVar("T")


@dataclass(slots=True)
class _Entries:
    """Ledger entries by one rule: when the next is due, and how long after the one before."""

    due: float = 0.0
    wait: float = 0.0
    back_off: BackOff = field(default_factory=lambda: BackOff(FIRST_LINE, LONGEST_LINE, jitter=steady))

    def schedule_next(self, now: float) -> None:
        """Set when the next is due: ever later, unless nothing was due for as long as it had been put off."""
        if now - self.due >= self.wait:
            self.back_off.reset()
        self.wait = self.back_off.next()
        self.due = now + self.wait


class Housekeeping:
    """Looks after one open spool; ``now`` tells nanoseconds UTC, or None; ``changed`` hears of requeued readings."""

    def __init__(
        self,
        spool: Spool,
        refused: RefusedStore,
        health: Health,
        now: Callable[[], int | None],
        changed: Callable[[], None],
    ) -> None:
        self._spool = spool
        self._refused = refused
        self._health = health
        self._now = now
        self._changed = changed
        self._gauge = Gauge()
        self._thread = ThreadPoolExecutor(1, "housekeeping")
        self._clock = health.clock
        self._enforced = self._clock.monotonic()
        self._problem = ""
        self._entries: defaultdict[str, _Entries] = defaultdict(_Entries)
        """By rule."""

    async def run(self) -> None:
        """Look after the spool once a second, for ever."""
        while True:
            await self.look()
            await self._clock.sleep(1.0)

    async def look(self) -> None:
        """Do once what is due."""
        problem = ""
        try:
            await self._measure()
            await self._carry_out()
            await self.record_refusals()
        except SpoolError as error:
            problem = str(error)
        if problem and problem != self._problem:
            structlog.get_logger().warning("housekeeping failed", problem=problem)
        self._problem = problem
        if self._clock.monotonic() - self._enforced >= ENFORCE_EVERY:
            self._enforced = self._clock.monotonic()
            await self._off(lambda: self._spool.enforce(self._now()))

    async def record_unwritten(self, uncommitted: int) -> None:
        """Record what is lost because it cannot be written before the daemon stops: readings in memory only."""
        if uncommitted:
            why = "stopped while the disk took nothing; what came from a broker with QoS 1 comes again"
            structlog.get_logger().error("readings lost from memory", readings=uncommitted, why=why)
            self._health.refuse("stopped", why, uncommitted, ())
        try:
            await self.record_refusals(everything=True)
        except SpoolError as error:
            structlog.get_logger().error("losses not recorded", problem=str(error))

    async def record_refusals(self, *, everything: bool = False) -> None:
        """Enter into the loss ledger what was refused, where it is time to; raises `SpoolError`."""
        now = self._clock.monotonic()
        due = [rule for rule in self._health.refusals if everything or now >= self._entries[rule].due]
        if not due:
            return
        try:
            await self._off(self._spool.ledger.flush)  # a disk that takes nothing: the counts go on in memory
            for rule in due:
                refused = self._health.refusals.pop(rule)
                self._entries[rule].schedule_next(now)
                times = refused.first_time, refused.last_time
                loss = Loss(rule, refused.why, None, None, refused.count, *times, sensors=refused.sensors)
                await self._off(partial(self._spool.ledger.record, loss))
        except OSError as error:
            raise SpoolError(f"cannot write the loss ledger: {error.strerror}") from error

    def close(self) -> None:
        """Wait for what is under way and end the thread; what was not done stays asked for."""
        self._thread.shutdown()

    async def _measure(self) -> None:
        levels = await self._off(self._spool.levels)
        pressure = self._health.pressure = self._gauge.sample(self._clock.monotonic(), levels)
        self._health.kept = await self._off(self._refused.levels)
        self._health.quarantined = await self._off(self._quarantined)
        log = structlog.get_logger()
        for level in self._gauge.passed(pressure.fill):
            left = "unknown" if pressure.hours_left is None else say_hours(pressure.hours_left)
            if not level:
                log.info("spool has room again", filled=f"{pressure.fill:.0%}")
            elif level < 1:
                log.warning("spool filling", filled=f"{level:.0%}", left=left)
            else:
                undelivered, room = format_size(pressure.undelivered), format_size(pressure.room)
                log.error("spool full; see on_full in [spool]", undelivered=undelivered, room=room)

    def _quarantined(self) -> dict[str, int]:
        quarantine = self._spool.quarantine
        return {sink: size for sink in quarantine.sinks if (size := quarantine.size(sink))}

    async def _carry_out(self) -> None:
        for request, answer in await self._off(self._spool.carry_out_requests):
            structlog.get_logger().info("request carried out", request=request, answer=answer)
            self._changed()

    async def _off(self, do: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, do)


async def keep_watch(timekeeper: Timekeeper, health: Health, watchdog: Watchdog, databases: Sequence[str]) -> None:
    """Look at the clock once a second, and whether everything moves; only then feed the watchdog."""
    log = structlog.get_logger()
    while True:
        stepped = timekeeper.check()
        if stepped:
            log.warning("clock stepped", seconds=stepped / 1e9)
        if timekeeper.known and not health.clock_known:
            log.info("clock right", source=timekeeper.source)
        health.clock_known = timekeeper.known
        health.clock_steps = timekeeper.steps
        health.clock_source = timekeeper.source
        health.sample_sources()
        watchdog.feed(status_line(health, databases))
        await timekeeper.clock.sleep(1.0)


def status_line(health: Health, databases: Sequence[str]) -> str:
    """Return the gateway's state in one line, as systemd shows it."""
    problems = health.problems()
    pending = ", ".join(f"{name} {health.sink(name).pending}" for name in databases) or "no database"
    what = f"{len(problems)} problems, first: {problems[0]}" if problems else "all well"
    spool = "" if health.pressure is None else f"; spool {health.pressure.words()}"
    return f"{len(health.sensors)} sensors; pending: {pending}{spool}; {what}"


def report_recovery(spool: Spool, refused: RefusedStore) -> None:
    """Log what the spool held at the start, and what of it was damaged."""
    found = spool.recovery
    log = structlog.get_logger()
    log.info("spool recovered", readings=spool.next_seq, bytes=found.bytes, segments=len(found.segments))
    for piece in (*found.cut, *found.damaged):
        log.warning("spool damage set aside in damaged/", what=str(piece))
    for problem in (*found.problems, *refused.problems):
        log.error("spool problem", problem=problem)
    if left := spool.unfinished_replays():
        log.warning("replays ignored; start them with `prehod spool replay`, and delete replays/", sinks=left)
