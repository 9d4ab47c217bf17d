"""A delivery: what one message brings, and its acknowledgement. Pure.

What belongs to one message becomes durable together, and then it is acknowledged: a `Delivery` is the only way into
the committer, so that no order of calls can divide it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.refused import Refusal, Resolved
from gateway.spool import Identity, park

READINGS = 0
DEFERRED = 1
"""Bit of a kind of lines: their times are since boot, for the clock was not known to be right."""
PARKED = 2
"""Bit of a kind of lines: of sensors that nobody configured, parked until a person decides."""

Line = tuple[int, int, bytes]
"""Kind, time in nanoseconds, and text."""


class Acknowledger(Protocol):
    """What wants to know that its messages are safe: one connection."""

    def acknowledge(self, mids: list[int]) -> None:
        """Acknowledge these packets, in order."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a message came that is read again; ``deferred``: since boot, for the clock was not known to be right.

    ``given`` are the digests of the lines that it gave the first time, ``used`` the newest time that it has in each
    series by now.
    """

    time: int
    deferred: bool = False
    estimated: bool = False
    given: frozenset[int] = frozenset()
    used: dict[bytes, int] = field(default_factory=dict)


class Delivery:
    """One MQTT message, or one result of a serial line; handed to `Committer.add` when it is complete.

    ``acknowledger`` is the connection that it came by, ``None`` where there is nothing to acknowledge, and ``mid``
    its packet identifier there. ``identity`` is stored beside the lines: by it the message is known when it comes
    again. ``arrival`` is set where a message is read again that was refused before.

    What became no reading is in ``refusals``, and is as durable as the lines; ``resolved`` are kept messages that
    need nobody any more once the lines are durable.
    """

    # What few deliveries have stands in the class until it is set, for most are made without it.
    __slots__ = ("__dict__", "acknowledger", "identity", "lines", "mid")

    arrival: Arrival | None = None
    refusals: Sequence[Refusal] = ()
    resolved: Sequence[Resolved] = ()

    def __init__(
        self, acknowledger: Acknowledger | None = None, mid: int = 0, identity: Identity | None = None
    ) -> None:
        self.acknowledger = acknowledger
        self.mid = mid
        self.identity = identity
        self.lines: list[Line] = []

    def refuse(self, refusal: Refusal) -> None:
        """Add what is kept of a message that became no reading, or not all of it."""
        self.refusals = (*self.refusals, refusal)

    def resolve(self, resolved: Resolved) -> None:
        """Add that a kept message needs nobody any more."""
        self.resolved = (*self.resolved, resolved)

    def add(self, line: bytes, at: int, *, deferred: bool = False) -> None:
        """Add a reading's line; ``at`` is its time, UTC, or since boot where that is ``deferred``."""
        self.lines.append((DEFERRED if deferred else READINGS, at, line))

    def park(self, reason: str, line: bytes, at: int, *, deferred: bool = False) -> None:
        """Add the line of an unknown sensor, which is for the quarantine: as durable as a reading, and not sent."""
        self.lines.append((PARKED | DEFERRED if deferred else PARKED, at, park(reason, line)))
