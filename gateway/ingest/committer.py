"""Group commit: deliveries gather in memory and become durable together; acknowledgements follow, never before.

A group is written when its interval is over, when it is large enough, or at once when a source calls `hurry` because
a broker's window is full. Writing and syncing happen in a thread of their own while the next group gathers. When the
disk is full the group waits and is tried again; nothing of it is acknowledged, and past a bound there is
back-pressure: sources pause. Only the quarantine does not make readings wait: parked lines beyond its bound are
counted, told, and dropped.

What became no reading is written first, into the store of refused messages, and counts with the group: see
`gateway.refused.store`. Only then are the lines written.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

import structlog

from gateway import line_protocol
from gateway.errors import QuarantineFull, SpoolError
from gateway.health import Health
from gateway.ingest.commit_group import Group, Keeper, Store
from gateway.ingest.delivery import Acknowledger, Delivery
from gateway.ingest.settings import CommitSettings
from gateway.refused import Budget, Counts, Entry, Refusal
from gateway.spool import Batch

PAUSE_READINGS = 20_000
PAUSE_BYTES = 8 * 1024 * 1024
"""Uncommitted readings, or bytes of text, beyond which sources pause."""

RETRY = 1.0
"""Seconds between attempts to write a group that the disk refused."""

SHARE = 64 * 1024 * 1024
"""Bytes of refused messages that one source may write in an hour; beyond that they are counted."""

T = TypeVar("T")


class Committer:
    """Gathers, commits, acknowledges. Everything but the writing happens inside the event loop."""

    def __init__(
        self,
        store: Store,
        boot_id: bytes,
        health: Health,
        settings: CommitSettings,
        *,
        keeper: Keeper,
        share: int = SHARE,
    ) -> None:
        """``share`` is how many bytes of refused messages one source may write in an hour."""
        self.interval = settings.commit_interval
        self.on_commit: list[Callable[[], None]] = []
        """Called after every commit, inside the event loop."""
        self.attempts = 0
        """Writes that came back from the disk, whatever it said, and groups that are done: what moves, counts."""
        self.most_lines = PAUSE_READINGS
        """Uncommitted readings beyond which sources pause."""
        self._store = store
        self._boot_id = boot_id
        self._health = health
        self._keeper = keeper
        self._budget = Budget(share)
        self._counts = Counts()
        """What serial lines said beyond their share: nobody waits for it, so it goes with what is written anyway."""
        self._max_bytes = settings.commit_bytes
        self._group = Group()
        self._sealed: deque[Group] = deque()
        self._readings = 0
        self._size = 0
        self._dirty = asyncio.Event()
        self._hurry = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._stopping = False
        self._dropping = False
        self._thread = ThreadPoolExecutor(1, "spool")

    def add(self, delivery: Delivery) -> None:
        """Take a delivery: its lines become durable together, and then it is acknowledged."""
        group = self._group
        size, readings = group.size, group.readings
        group.add(delivery)
        if delivery.refusals:
            self._refuse(delivery, group)
        self._size += group.size - size
        self._readings += group.readings - readings
        if group.size >= self._max_bytes:
            self._hurry.set()
        if group.is_full:
            self._sealed.append(group)
            self._group = Group()
            self._hurry.set()
        self._dirty.set()

    def _refuse(self, delivery: Delivery, group: Group) -> None:
        """Have what became no reading kept, or counted where its source has used up its share."""
        now = self._health.clock.monotonic()
        for refusal in delivery.refusals:
            if delivery.arrival is not None or self._budget.admits(refusal, now):
                group.keep(refusal)
                continue
            if refusal.device:
                self.count(refusal)
            else:
                self._health.sources[refusal.source].counted += 1
                group.counts.add(refusal)

    def forget(self, acknowledger: Acknowledger) -> None:
        """Acknowledge nothing more to a connection that is closed; what it delivered is kept all the same."""
        for group in (*self._sealed, self._group):
            group.acknowledge.pop(acknowledger, None)

    def refuse(self, count: int, sensors: Iterable[str]) -> None:
        """Count readings of a line that cannot wait, given up while `is_full`."""
        self._health.refuse("serial_refused", "the disk takes nothing, and a serial line cannot wait", count, sensors)

    def count(self, refusal: Refusal) -> None:
        """Count a frame of a line that cannot wait; it becomes durable with what is written next."""
        self._health.sources[refusal.source].counted += 1
        self._counts.add(refusal)

    def hurry(self) -> None:
        """Commit now rather than at the end of the interval."""
        self._hurry.set()

    @property
    def pending(self) -> bool:
        """Tell whether anything waits to become durable."""
        return bool(self._group or self._sealed)

    @property
    def problem(self) -> str:
        """Why the disk takes nothing at the moment; "" while it does."""
        return self._health.spool_problem

    @property
    def uncommitted(self) -> int:
        """How many readings are in memory only."""
        return self._readings

    @property
    def is_full(self) -> bool:
        """Tell whether there is back-pressure: sources should pause until `room`."""
        if self._readings >= self.most_lines or self._size >= PAUSE_BYTES:
            self._room.clear()
        return not self._room.is_set()

    async def room(self) -> None:
        """Return when there is room again."""
        await self._room.wait()

    async def run(self) -> None:
        """Commit until `stop`; returns when all that was gathered is durable, or the disk would not take it."""
        while not self._stopping:
            await self._dirty.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.interval):
                    await self._hurry.wait()
            await self._commit()
        await self._commit()

    def stop(self) -> None:
        """Commit what is gathered, and let `run` return. A write under way is never broken off: see `run`."""
        self._stopping = True
        self._hurry.set()
        self._dirty.set()

    def close(self) -> None:
        """End the writing thread."""
        self._thread.shutdown()

    async def _commit(self) -> None:
        self._dirty.clear()
        self._hurry.clear()
        if self._group or (self._stopping and self._counts):
            self._sealed.append(self._group)
            self._group = Group()
        while self._sealed:
            group = self._sealed[0]
            if not await self._write(group):
                return
            self._sealed.popleft()
            self._finish(group)

    async def _write(self, group: Group) -> bool:
        """Write a group; when the disk refuses, try again until it takes it. False: it did not, and we stop."""
        batches = group.batches(self._boot_id)
        entries = self._entries(group)
        if entries:
            kept = await self._until_durable(partial(self._keeper.keep, entries, with_group=bool(batches)))
            if kept is None:
                return False
            group.identities.append(kept)
            batches = group.batches(self._boot_id)
        while batches:
            try:
                if await self._until_durable(partial(self._commit_batches, batches)) is None:
                    return False
            except QuarantineFull as error:
                # Strangers may fill the quarantine, and no reading waits for them: readings first.
                self.attempts += 1
                self._drop(group.drop_parked(), str(error))
                batches = group.batches(self._boot_id)
                if entries and not batches and not await self._until_durable(self._confirm):
                    return False
            else:
                self._dropping = self._dropping and not any(batch.parked for batch in batches)
                break
        if entries:
            self._keeper.settle()
        self._tell("")
        return True

    def _entries(self, group: Group) -> list[Entry]:
        """Return what goes into the store of refused messages, with what was counted since."""
        if group.has_refused or self._stopping:
            for counted in self._counts.take():
                group.counts.merge(counted)
        return group.entries() if group.has_refused else []

    async def _until_durable(self, write: Callable[[], T]) -> T | None:
        """Call ``write`` in the writing thread until the disk takes it; None where we stop before."""
        while True:
            try:
                result = await asyncio.get_running_loop().run_in_executor(self._thread, write)
            except QuarantineFull:
                raise
            except SpoolError as error:
                self.attempts += 1
                self._tell(str(error))
                if self._stopping:
                    return None
                await self._health.clock.sleep(RETRY)
            else:
                self.attempts += 1
                return result

    def _commit_batches(self, batches: Sequence[Batch]) -> bool:
        self._store.commit(batches)
        return True

    def _confirm(self) -> bool:
        self._keeper.confirm()
        return True

    def _finish(self, group: Group) -> None:
        self._readings -= group.readings
        self._size -= group.size
        self.attempts += 1
        self._health.commits += 1
        self._health.committed += group.readings
        for acknowledger, mids in group.acknowledge.items():
            acknowledger.acknowledge(mids)
        self._room.set()
        for told in self.on_commit:
            told()

    def _drop(self, lines: list[bytes], problem: str) -> None:
        """Give up lines that the quarantine has no room for; told once until it takes some again."""
        self._health.refuse("quarantine_full", problem, len(lines), line_protocol.sensors_in(b"\n".join(lines)))
        if not self._dropping:
            structlog.get_logger().error("quarantine is full: lines of unknown sensors are dropped", problem=problem)
        self._dropping = True

    def _tell(self, problem: str) -> None:
        """Log once when the disk refuses and once when it takes again."""
        if problem != self._health.spool_problem:
            log = structlog.get_logger()
            if problem:
                log.error("spool does not take readings; nothing is acknowledged until it does", problem=problem)
            else:
                log.info("spool takes readings again")
            self._health.spool_problem = problem
