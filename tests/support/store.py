"""A spool that keeps its groups in memory, and does what it is told."""

import threading
from collections import deque
from collections.abc import Sequence

from firmware_sim.patience import patience
from gateway.errors import QuarantineFull, SpoolError
from gateway.spool import Batch, unpark


class FakeStore:
    """A spool that keeps groups in memory; ``troubles`` are raised one by one, ``gate`` holds a write up."""

    def __init__(self) -> None:
        self.groups: list[list[Batch]] = []
        self.troubles: deque[SpoolError | None] = deque()
        self.no_room: QuarantineFull | None = None
        """Raised where a group has parked lines."""
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    @property
    def batches(self) -> list[Batch]:
        return [batch for group in self.groups for batch in group]

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.batches if not batch.parked for line in batch.lines.splitlines()]

    @property
    def parked(self) -> list[tuple[str, bytes]]:
        """The parked lines, each after the words why."""
        return [
            (one.reason, one.line)
            for batch in self.batches
            if batch.parked
            for one in unpark(batch.lines, batch.boot)
        ]

    def commit(self, group: Sequence[Batch]) -> object:
        self.begun.set()
        assert self.gate.wait(patience())
        if self.no_room is not None and any(batch.parked for batch in group):
            raise self.no_room
        trouble = self.troubles.popleft() if self.troubles else None
        if trouble is not None:
            raise trouble
        assert group, "a group has at least one batch"
        for batch in group:
            assert batch.count == batch.lines.count(b"\n"), "the spool refuses a batch that miscounts its lines"
            assert batch.lines.endswith(b"\n")
        self.groups.append([*group])
        return None
