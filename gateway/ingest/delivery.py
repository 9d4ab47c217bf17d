"""A delivery: what one message brings, and its acknowledgement. Pure.

What belongs to one message becomes durable together, and then it is acknowledged: a `Delivery` is the only way into
the committer, so that no order of calls can divide it.
"""

from typing import Protocol

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


class Delivery:
    """One MQTT message, or one result of a serial line; handed to `Committer.add` when it is complete.

    ``acknowledger`` is the connection that it came by, ``None`` where there is nothing to acknowledge, and ``mid``
    its packet identifier there. ``identity`` is stored beside the lines: by it the message is known when it comes
    again.
    """

    __slots__ = ("acknowledger", "identity", "lines", "mid")

    def __init__(
        self, acknowledger: Acknowledger | None = None, mid: int = 0, identity: Identity | None = None
    ) -> None:
        self.acknowledger = acknowledger
        self.mid = mid
        self.identity = identity
        self.lines: list[Line] = []

    def add(self, line: bytes, at: int, *, deferred: bool = False) -> None:
        """Add a reading's line; ``at`` is its time, UTC, or since boot where that is ``deferred``."""
        self.lines.append((DEFERRED if deferred else READINGS, at, line))

    def park(self, reason: str, line: bytes, at: int, *, deferred: bool = False) -> None:
        """Add the line of an unknown sensor, which is for the quarantine: as durable as a reading, and not sent."""
        self.lines.append((PARKED | DEFERRED if deferred else PARKED, at, park(reason, line)))
