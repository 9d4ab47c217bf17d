"""A clock that is told what time it is, a disk that does what it is told, and waiting for a condition."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import structlog

from gateway.clock import Timekeeper
from gateway.errors import SpoolError
from gateway.health import Health
from gateway.ingest.commit_group import HeldLines
from gateway.ingest.committer import Committer
from gateway.spool import Batch, Identity

NOW = 1_732_281_600_000_000_000
"""Friday 22 November 2024, 13:20 UTC."""

BOOT = bytes(range(16))


class FakeClock:
    """A clock that stands still unless it is moved; times in nanoseconds."""

    def __init__(self) -> None:
        self.boot_id = BOOT
        self.utc = NOW
        self.up = 60 * 10**9
        self.right = True

    def wall(self) -> int:
        return self.utc

    def since_boot(self) -> int:
        return self.up

    def synchronized(self) -> bool:
        return self.right

    def pass_by(self, nanoseconds: int) -> None:
        self.utc += nanoseconds
        self.up += nanoseconds

    def step(self, nanoseconds: int) -> None:
        """Move the wall clock alone, as somebody who sets it does."""
        self.utc += nanoseconds


class FakeStore:
    """A spool that keeps batches in memory; ``troubles`` are raised one by one, ``gate`` holds a write up."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.held: list[tuple[str, list[bytes]]] = []
        self.identities: list[Identity] = []
        """Those that held lines came in."""
        self.troubles: deque[SpoolError | None] = deque()
        self.hold_trouble: SpoolError | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.batches for line in batch.lines.splitlines()]

    def append(self, batch: Batch) -> object:
        self.begun.set()
        assert self.gate.wait(10)
        trouble = self.troubles.popleft() if self.troubles else None
        if trouble is not None:
            raise trouble
        assert batch.count == batch.lines.count(b"\n"), "the spool refuses a batch that miscounts its lines"
        assert batch.lines.endswith(b"\n")
        self.batches.append(batch)
        return None

    def hold(self, held: HeldLines, identities: Sequence[Identity], batch: Batch | None) -> object:
        if self.hold_trouble is not None:
            raise self.hold_trouble
        if batch is not None:
            assert list(batch.identities) == list(identities), "whoever knows the batch must know the lines"
            self.append(batch)
        self.held += held.items()
        self.identities += identities
        return None


@pytest.fixture(autouse=True)
def quiet_log() -> None:
    """Keep the log out of the tests' output; each test may capture it."""
    structlog.configure(processors=[structlog.testing.LogCapture()], cache_logger_on_first_use=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def timekeeper(clock: FakeClock, tmp_path: Path) -> Timekeeper:
    return Timekeeper(clock, tmp_path / "clock")


@pytest.fixture
def health() -> Health:
    return Health("koper-01", "Koper")


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def committer(store: FakeStore, health: Health) -> AsyncIterator[Committer]:
    """A committer that commits only when hurried: its interval is an hour."""
    committer = Committer(store, BOOT, health, interval=3600.0, max_bytes=1 << 20)
    yield committer
    store.gate.set()
    committer.close()


@pytest.fixture
async def running(committer: Committer) -> AsyncIterator[Committer]:
    """The same, running."""
    task = asyncio.create_task(committer.run())
    yield committer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


Until = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Wait for a condition, ten seconds at most."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 -- what is waited for has no event to offer
                await asyncio.sleep(0.002)

    return wait
