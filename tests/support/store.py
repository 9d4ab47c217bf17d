"""A spool that keeps its groups in memory, and does what it is told."""

import threading
from collections import deque
from collections.abc import Sequence

from firmware_sim.patience import patience
from gateway.errors import QuarantineFull, SpoolError
from gateway.refused import Entry, Refusal
from gateway.spool import Batch, Identity, unpark


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


class FakeKeeper:
    """A store of refused messages in memory; ``troubles`` are raised one by one."""

    def __init__(self) -> None:
        self.blocks: list[tuple[list[Entry], bool]] = []
        """The entries of each block, and whether it waits for a commit group."""
        self.troubles: deque[SpoolError] = deque()
        self.settled = 0
        self.confirmed = 0

    @property
    def refusals(self) -> list[Refusal]:
        return [entry for entries, _ in self.blocks for entry in entries if isinstance(entry, Refusal)]

    def keep(self, entries: Sequence[Entry], *, with_group: bool) -> Identity:
        if self.troubles:
            raise self.troubles.popleft()
        self.blocks.append(([*entries], with_group))
        return Identity(7, len(self.blocks), 7)

    def settle(self) -> None:
        self.settled += 1

    def confirm(self) -> None:
        self.confirmed += 1
