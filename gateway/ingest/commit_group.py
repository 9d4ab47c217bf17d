"""What becomes durable together, and whom to tell then: readings, held lines, and their messages. Pure.

A group is one write as a rule. Where it holds both readings with UTC and readings with the time since boot, or more
than a member of the spool takes, it is several, and a kill may come between any two of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from gateway.spool import Batch, Identity

LARGEST = 8 * 1024 * 1024
"""Bytes of text in one write; the spool takes twice that."""

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
class Gathering:
    """Readings with one kind of time: UTC, or since boot."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    t_min: int = 1 << 62
    t_max: int = -(1 << 62)

    def add(self, line: bytes, at: int) -> None:
        """Take a reading's line; ``at`` is its time, nanoseconds."""
        self.lines.append(line)
        self.size += len(line) + 1
        self.t_min = min(self.t_min, at)
        self.t_max = max(self.t_max, at)

    def batches(self, boot: bytes | None, identities: Sequence[Identity]) -> list[Batch]:
        """Return it as batches that the spool can take, as a rule one; the last has the identities."""
        *parts, last = self._parts()
        return [*(self._batch(part, boot, ()) for part in parts), self._batch(last, boot, identities)]

    def _parts(self) -> Iterator[list[bytes]]:
        start = size = 0
        for number, line in enumerate(self.lines if self.size > LARGEST else ()):
            if size and size + len(line) + 1 > LARGEST:
                yield self.lines[start:number]
                start, size = number, 0
            size += len(line) + 1
        yield self.lines[start:]

    def _batch(self, lines: list[bytes], boot: bytes | None, identities: Sequence[Identity]) -> Batch:
        return Batch(b"\n".join([*lines, b""]), len(lines), self.t_min, self.t_max, boot, identities)


@dataclass(frozen=True, slots=True)
class Write:
    """One write still to be done; ``held`` are its lines for the quarantine, ``without`` does it without them."""

    do: Callable[[], object]
    held: Sequence[bytes] = ()
    without: Callable[[], object] | None = None


@dataclass(slots=True)
class Group:
    """What becomes durable together, and whom to tell."""

    utc: Gathering = field(default_factory=Gathering)
    boot: Gathering = field(default_factory=Gathering)
    held: dict[str, list[bytes]] = field(default_factory=dict)
    messages: list[tuple[Identity, bool]] = field(default_factory=list)
    """Their identities, and whether all that came with each has the time since boot."""
    acknowledge: dict[Acknowledged, list[int]] = field(default_factory=dict)
    count: int = 0
    size: int = 0
    writes: list[Write] | None = None
    """Made once, when the group is complete: what succeeded is done, whoever stops us in between."""

    def __bool__(self) -> bool:
        return bool(self.count or self.held or self.acknowledge)

    def to_write(self, store: Store, boot_id: bytes) -> list[Write]:
        """Return the writes still to be done; each is dropped from the list once it succeeded."""
        if self.writes is not None:
            return self.writes
        # An identity goes with its message's readings: durable before them, it would pass off what the broker repeats
        # as something stored; durable after them, a kill in between would have them stored twice. A message that has
        # both kinds of time is rare, and twice is better than never: it goes with the last write.
        two = bool(self.boot.lines and self.utc.lines)
        rest = [identity for identity, early in self.messages if not (two and early)]
        first = [identity for identity, early in self.messages if early] if two else rest
        batches = self.boot.batches(boot_id, first) if self.boot.lines else []
        batches += self.utc.batches(None, rest) if self.utc.lines else []
        last = batches.pop() if batches else None
        writes = [Write(partial(store.append, batch)) for batch in batches]
        alone = None if last is None else partial(store.append, last)
        if self.held:
            lines = [line for held in self.held.values() for line in held]
            writes.append(Write(partial(store.hold, self.held, rest, last), lines, alone))
        elif alone is not None:
            writes.append(Write(alone))
        self.writes = writes
        return writes
