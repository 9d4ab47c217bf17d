"""A commit group: deliveries that become durable together, in one write, and their acknowledgements. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from gateway.ingest.delivery import DEFERRED, PARKED, READINGS, Acknowledger, Delivery
from gateway.refused import Counts, Entry, Refusal, Resolved
from gateway.spool import MAX_IDENTITIES, Batch, Identity, unpark

LARGEST = 8 * 1024 * 1024
"""Bytes of text in one member of the spool, which takes twice that."""

MOST_IDENTITIES = MAX_IDENTITIES - 1
"""In one group: the store of refused messages may add a marker to them."""

_ORDER = (DEFERRED, READINGS, PARKED | DEFERRED, PARKED)


class Store(Protocol):
    """The blocking side, called from the writing thread only."""

    def commit(self, group: Sequence[Batch]) -> object:
        """Make a group durable: all of it counts, or nothing. Raises `SpoolError`, and may then be called again.

        Raises `QuarantineFull`, before anything is done, where its parked batches have no room.
        """


class Keeper(Protocol):
    """The store of refused messages, called from the writing thread only; see `gateway.refused.RefusedStore`."""

    def keep(self, entries: Sequence[Entry], *, with_group: bool) -> Identity:
        """Make entries durable and return the marker for their commit group. Raises `SpoolError`."""

    def settle(self) -> None:
        """Note that the spool has the group."""

    def confirm(self) -> None:
        """Have what was kept count although its group came to nothing. Raises `SpoolError`."""


@dataclass(slots=True)
class Lines:
    """Lines of one kind, and their times in nanoseconds."""

    lines: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)


class Group:
    """What becomes durable together, and whom to tell."""

    def __init__(self) -> None:
        self.lines: dict[int, Lines] = {}
        """The lines by their kind."""
        self.identities: list[Identity] = []
        self.acknowledge: dict[Acknowledger, list[int]] = {}
        self.size = 0
        """Bytes of text."""
        self.readings = 0
        self.refusals: list[Refusal] = []
        self.counts = Counts()
        """Refused messages that are counted only."""
        self.resolved: list[Resolved] = []

    def __bool__(self) -> bool:
        return bool(self.lines or self.acknowledge or self.has_refused)

    @property
    def has_refused(self) -> bool:
        """Tell whether it has something for the store of refused messages."""
        return bool(self.refusals or self.counts or self.resolved)

    @property
    def is_full(self) -> bool:
        """Tell whether it should take no more deliveries: it would become more than one member, or nearly."""
        return len(self.identities) >= MOST_IDENTITIES or self.size > LARGEST // 2

    def add(self, delivery: Delivery) -> None:
        """Take a delivery, which must not be changed any more."""
        for kind, at, line in delivery.lines:
            lines = self.lines.get(kind)
            if lines is None:
                lines = self.lines[kind] = Lines()
            lines.lines.append(line)
            lines.times.append(at)
            self.size += len(line) + 1
            if kind < PARKED:
                self.readings += 1
        if delivery.acknowledger is not None:
            self.acknowledge.setdefault(delivery.acknowledger, []).append(delivery.mid)
        if delivery.resolved:
            self.resolved += delivery.resolved
        # A message that brought nothing does no harm when it comes again.
        if delivery.identity is not None and (delivery.lines or delivery.refusals):
            self.identities.append(delivery.identity)

    def keep(self, refusal: Refusal) -> None:
        """Take a refused message, with all its bytes."""
        self.refusals.append(refusal)
        self.size += len(refusal.raw) + len(refusal.topic)

    def entries(self) -> list[Entry]:
        """Return what the store of refused messages is to write."""
        return [*self.refusals, *self.counts.take(), *self.resolved]

    def drop_parked(self) -> list[bytes]:
        """Give up the lines of unknown sensors, and return them."""
        dropped = [self.lines.pop(kind) for kind in (PARKED, PARKED | DEFERRED) if kind in self.lines]
        text = b"\n".join(line for lines in dropped for line in lines.lines)
        return [parked.line for parked in unpark(text, None)]

    def batches(self, boot_id: bytes) -> list[Batch]:
        """Return what the spool is to write, the identities in the last batch; nothing where there are no lines."""
        batches: list[Batch] = []
        for kind in _ORDER:
            if (lines := self.lines.get(kind)) is None:
                continue
            times = min(lines.times), max(lines.times)
            for part in _parts(lines.lines) if self.size > LARGEST else [lines.lines]:
                boot = boot_id if kind & DEFERRED else None
                batches.append(Batch(b"\n".join([*part, b""]), len(part), *times, boot, (), bool(kind & PARKED)))
        if batches:
            batches[-1] = replace(batches[-1], identities=self.identities)
        return batches


def _parts(lines: list[bytes]) -> Iterator[list[bytes]]:
    """Cut lines into parts that a member can hold."""
    start = size = 0
    for number, line in enumerate(lines):
        if size and size + len(line) + 1 > LARGEST:
            yield lines[start:number]
            start, size = number, 0
        size += len(line) + 1
    yield lines[start:]
