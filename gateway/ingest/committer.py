"""Group commit: readings gather in memory and become durable together; acknowledgements follow, never before.

A batch is written when its interval is over, when it is large enough, or at once when somebody calls `hurry` because
a broker's window is full. Writing and syncing happen in a thread of their own while the next batch gathers. When the
disk is full the batch waits and is tried again; nothing of it is acknowledged, and past a bound sources must hold.
Only the quarantine does not make readings wait: what does not fit into its bound is counted, told, and dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import structlog

from gateway import line_protocol
from gateway.errors import QuarantineFull, SpoolError
from gateway.health import Health
from gateway.ingest.commit_group import LARGEST, Acknowledged, Group, Store, Write
from gateway.ingest.settings import CommitSettings
from gateway.spool import MAX_IDENTITIES, Identity, of_boot

HOLD_LINES = 20_000
HOLD_BYTES = 8 * 1024 * 1024
"""Uncommitted readings beyond either make sources hold."""

RETRY = 1.0
"""Seconds between attempts to write a batch that the disk refused."""


class Committer:
    """Gathers, commits, acknowledges. Everything but the writing happens inside the event loop."""

    def __init__(self, store: Store, boot_id: bytes, health: Health, settings: CommitSettings) -> None:
        self.interval = settings.commit_interval
        self.on_commit: list[Callable[[], None]] = []
        """Called after every commit, inside the event loop."""
        self.attempts = 0
        """Writes that came back from the disk, whatever it said, and groups that are done: what moves, counts."""
        self.most_lines = HOLD_LINES
        """Uncommitted readings beyond which sources have to wait."""
        self._store = store
        self._boot_id = boot_id
        self._health = health
        self._max_bytes = settings.commit_bytes
        self._group = Group()
        self._sealed: deque[Group] = deque()
        self._count = 0
        self._size = 0
        self._dirty = asyncio.Event()
        self._hurry = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._stopping = False
        self._dropping = False
        self._kinds: set[bool] = set()
        """What the message under way has brought: True for times since boot, False for anything else."""
        self._thread = ThreadPoolExecutor(1, "spool")

    def begin(self) -> None:
        """Hear that what comes from now on, until `then_acknowledge`, is of one message."""
        self._kinds.clear()

    def put(self, line: bytes, at: int, *, since_boot: bool = False) -> None:
        """Take a reading's line; ``at`` is its time, UTC or since boot, in nanoseconds."""
        group = self._group
        (group.boot if since_boot else group.utc).add(line, at)
        group.count += 1
        self._count += 1
        self._kinds.add(since_boot)
        self._grow(len(line) + 1)

    def hold(self, reason: str, line: bytes, *, since_boot: bool = False) -> None:
        """Take a line that is not to be sent yet: it goes to the quarantine, as durably as a reading.

        Where its time is since boot, the reason says of which boot.
        """
        if since_boot:
            reason = f"{of_boot(self._boot_id)}; {reason}"
        self._group.held.setdefault(reason, []).append(line)
        self._kinds.add(False)
        self._grow(len(line) + 1)

    def then_acknowledge(self, who: Acknowledged, mid: int, identity: Identity | None) -> None:
        """Acknowledge a message once all that was put before is durable; ``identity`` is stored beside it."""
        group = self._group
        group.acknowledge.setdefault(who, []).append(mid)
        if identity is not None:
            group.messages.append((identity, self._kinds == {True}))
            if len(group.messages) >= MAX_IDENTITIES or group.size > LARGEST // 2:
                self._sealed.append(group)
                self._group = Group()
                self._hurry.set()
        self._dirty.set()

    def forget(self, who: Acknowledged) -> None:
        """Acknowledge nothing more to ``who``, whose connection is gone; its readings are kept all the same."""
        for group in (*self._sealed, self._group):
            group.acknowledge.pop(who, None)

    def hurry(self) -> None:
        """Commit now rather than at the end of the interval."""
        self._hurry.set()

    @property
    def pending(self) -> bool:
        """Tell whether anything waits to become durable."""
        return bool(self._group or self._sealed)

    @property
    def uncommitted(self) -> int:
        """How many readings are in memory only."""
        return self._count

    @property
    def full(self) -> bool:
        """Tell whether sources should hold until `room`."""
        if self._count >= self.most_lines or self._size >= HOLD_BYTES:
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
        if self._group:
            self._sealed.append(self._group)
            self._group = Group()
        while self._sealed:
            group = self._sealed[0]
            if not await self._write(group.to_write(self._store, self._boot_id)):
                return
            self._sealed.popleft()
            self._finish(group)

    def _grow(self, size: int) -> None:
        self._group.size += size
        self._size += size
        if self._group.size >= self._max_bytes:
            self._hurry.set()
        self._dirty.set()

    async def _write(self, writes: list[Write]) -> bool:
        """Do every write once; when the disk refuses, try again until it takes it. False: it did not, and we stop."""
        loop = asyncio.get_running_loop()
        while writes:
            write = writes[0]
            try:
                await loop.run_in_executor(self._thread, write.do)
            except SpoolError as error:
                self.attempts += 1
                if isinstance(error, QuarantineFull):
                    # Strangers may fill the quarantine, and no reading waits for them: readings first.
                    self._drop(write.held, str(error))
                    writes[:1] = [] if write.without is None else [Write(write.without)]
                    continue
                self._tell(str(error))
                if self._stopping:
                    return False
                await self._health.clock.sleep(RETRY)
            else:
                self.attempts += 1
                self._dropping = self._dropping and not write.held
                del writes[0]
        self._tell("")
        return True

    def _finish(self, group: Group) -> None:
        self._count -= group.count
        self._size -= group.size
        self.attempts += 1
        self._health.commits += 1
        self._health.committed += group.count
        for who, mids in group.acknowledge.items():
            who.acknowledge(mids)
        self._room.set()
        for told in self.on_commit:
            told()

    def _drop(self, lines: Sequence[bytes], problem: str) -> None:
        """Give up held lines that the quarantine does not take; told once until it takes some again."""
        self._health.refuse("quarantine_full", problem, len(lines), line_protocol.sensors_in(b"\n".join(lines)))
        if not self._dropping:
            structlog.get_logger().error("quarantine is full: what it should hold is dropped", problem=problem)
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
