"""A spool that keeps its batches in memory, and does what it is told."""

import threading
from collections import deque
from collections.abc import Sequence

from gateway.errors import SpoolError
from gateway.ingest.commit_group import HeldLines
from gateway.spool import Batch, Identity


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
