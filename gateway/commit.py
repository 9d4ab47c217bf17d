"""Group commit: readings gather in memory and become durable together; acknowledgements follow, never before.

A batch is written when its interval is over, when it is large enough, or at once when somebody calls `hurry` because
a broker's window is full. Writing and syncing happen in a thread of their own while the next batch gathers. When the
disk is full the batch waits and is tried again; nothing of it is acknowledged, and past a bound sources must hold.
Only the quarantine does not make readings wait: what does not fit into its bound is counted, told, and dropped.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from gateway.errors import QuarantineFull, SpoolError
from gateway.health import Health
from gateway.spool import MAX_IDENTITIES, Batch, Identity, of_boot, sensors_in

HOLD_LINES = 20_000
HOLD_BYTES = 8 * 1024 * 1024
"""Uncommitted readings beyond either make sources hold."""

RETRY = 1.0
"""Seconds between attempts to write a batch that the disk refused."""


HeldLines = Mapping[str, list[bytes]]
"""Lines by the reason that they are held for."""


class Acknowledged(Protocol):
    """What wants to know that its messages are safe: one connection's acknowledger."""

    def acknowledge(self, mids: list[int]) -> None:
        """Acknowledge these, in order."""


class Store(Protocol):
    """The blocking side, called from the writing thread only."""

    def append(self, batch: Batch) -> object:
        """Make a batch durable; raises `SpoolError`, and may then be called again with the same batch."""

    def hold(self, held: HeldLines, identities: Sequence[Identity], batch: Batch | None) -> object:
        """Put lines aside durably, for a person to decide on, together with a batch: both count, or neither.

        Raises `SpoolError`, and must then be called again with the same before anything else; or, before anything is
        done, `QuarantineFull`. ``identities`` are those that the lines and the batch came in.
        """


@dataclass(slots=True)
class _Gathering:
    """Readings with one kind of time: UTC, or since boot."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    t_min: int = 1 << 62
    t_max: int = -(1 << 62)

    def add(self, line: bytes, at: int) -> None:
        self.lines.append(line)
        self.size += len(line) + 1
        self.t_min = min(self.t_min, at)
        self.t_max = max(self.t_max, at)

    def batch(self, boot: bytes | None, identities: list[Identity]) -> Batch:
        self.lines.append(b"")
        text = b"\n".join(self.lines)
        return Batch(text, len(self.lines) - 1, self.t_min, self.t_max, boot, identities)


@dataclass(frozen=True, slots=True)
class _Write:
    """One write still to be done; ``held`` are its lines for the quarantine, ``without`` does it without them."""

    do: Callable[[], object]
    held: Sequence[bytes] = ()
    without: Callable[[], object] | None = None


@dataclass(slots=True)
class _Group:
    """What becomes durable together, and whom to tell."""

    utc: _Gathering = field(default_factory=_Gathering)
    boot: _Gathering = field(default_factory=_Gathering)
    held: dict[str, list[bytes]] = field(default_factory=dict)
    identities: list[Identity] = field(default_factory=list)
    acknowledge: dict[Acknowledged, list[int]] = field(default_factory=dict)
    count: int = 0
    size: int = 0
    writes: list[_Write] | None = None
    """Made once, when the group is complete: what succeeded is done, whoever stops us in between."""

    def __bool__(self) -> bool:
        return bool(self.count or self.held or self.acknowledge)

    def to_write(self, store: Store, boot_id: bytes) -> list[_Write]:
        """Return the writes still to be done; each is dropped from the list once it succeeded."""
        if self.writes is not None:
            return self.writes
        writes, last = [], None
        if self.utc.lines:
            last = self.utc.batch(None, self.identities)
        if self.boot.lines:
            # The identities go with the last write: were they durable before the readings, a crash between the two
            # would make what the broker repeats look like something stored.
            boot = self.boot.batch(boot_id, [] if last else self.identities)
            if last is None:
                last = boot
            else:
                writes.append(_Write(partial(store.append, boot)))
        alone = None if last is None else partial(store.append, last)
        if self.held:
            lines = [line for held in self.held.values() for line in held]
            writes.append(_Write(partial(store.hold, self.held, self.identities, last), lines, alone))
        elif alone is not None:
            writes.append(_Write(alone))
        self.writes = writes
        return writes


class Committer:
    """Gathers, commits, acknowledges. Everything but the writing happens inside the event loop."""

    def __init__(self, store: Store, boot_id: bytes, health: Health, *, interval: float, max_bytes: int) -> None:
        self.interval = interval
        self.on_commit: list[Callable[[], None]] = []
        """Called after every commit, inside the event loop."""
        self.attempts = 0
        """Writes that came back from the disk, whatever it said: a full disk is something to live with."""
        self._store = store
        self._boot_id = boot_id
        self._health = health
        self._max_bytes = max_bytes
        self._group = _Group()
        self._sealed: deque[_Group] = deque()
        self._count = 0
        self._size = 0
        self._dirty = asyncio.Event()
        self._hurry = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._stopping = False
        self._dropping = False
        self._thread = ThreadPoolExecutor(1, "spool")

    def put(self, line: bytes, at: int, *, since_boot: bool = False) -> None:
        """Take a reading's line; ``at`` is its time, UTC or since boot, in nanoseconds."""
        group = self._group
        (group.boot if since_boot else group.utc).add(line, at)
        group.count += 1
        self._count += 1
        self._grow(len(line) + 1)

    def hold(self, reason: str, line: bytes, *, since_boot: bool = False) -> None:
        """Take a line that is not to be sent yet: it goes to the quarantine, as durably as a reading.

        Where its time is since boot, the reason says of which boot.
        """
        if since_boot:
            reason = f"{of_boot(self._boot_id)}; {reason}"
        self._group.held.setdefault(reason, []).append(line)
        self._grow(len(line) + 1)

    def then_acknowledge(self, who: Acknowledged, mid: int, identity: Identity | None) -> None:
        """Acknowledge a message once all that was put before is durable; ``identity`` is stored beside it."""
        group = self._group
        group.acknowledge.setdefault(who, []).append(mid)
        if identity is not None:
            group.identities.append(identity)
            if len(group.identities) >= MAX_IDENTITIES:
                self._sealed.append(group)
                self._group = _Group()
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
        if self._count >= HOLD_LINES or self._size >= HOLD_BYTES:
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
            self._group = _Group()
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

    async def _write(self, writes: list[_Write]) -> bool:
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
                    writes[:1] = [] if write.without is None else [_Write(write.without)]
                    continue
                self._tell(str(error))
                if self._stopping:
                    return False
                await asyncio.sleep(RETRY)
            else:
                self.attempts += 1
                self._dropping = self._dropping and not write.held
                del writes[0]
        self._tell("")
        return True

    def _finish(self, group: _Group) -> None:
        self._count -= group.count
        self._size -= group.size
        self._health.commits += 1
        self._health.committed += group.count
        for who, mids in group.acknowledge.items():
            who.acknowledge(mids)
        self._room.set()
        for told in self.on_commit:
            told()

    def _drop(self, lines: Sequence[bytes], problem: str) -> None:
        """Give up held lines that the quarantine does not take; told once until it takes some again."""
        self._health.refuse("quarantine_full", problem, len(lines), sensors_in(b"\n".join(lines)))
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
