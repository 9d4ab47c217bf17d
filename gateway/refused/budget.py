"""How much of the disk one source may write with refused messages: beyond that they are counted. Pure.

A hostile sender, a device of the wrong kind or a line with sentences that nobody needs must neither wear the card nor
push out what others left. So each source has a share an hour, counted before compression.
"""

from dataclasses import dataclass, replace

from gateway.refused.record import Counted, Refusal
from gateway.spool import Identity

HOUR = 3600.0
SERIAL_SHARE = 64 * 1024
"""Bytes an hour of one serial line: the same few sentences come again and again there."""

MOST_WORDS = 100
"""Reasons with their words that are counted apart; what is beyond is counted by its reason alone."""


@dataclass(slots=True)
class _Share:
    since: float
    used: int = 0


class Budget:
    """The shares of all sources; ``share`` is what the messages of one may take in an hour, in bytes."""

    def __init__(self, share: int) -> None:
        self._share = share
        self._shares: dict[str, _Share] = {}

    def admits(self, refusal: Refusal, now: float) -> bool:
        """Tell whether there is room for one more in its source's share, which it then takes; ``now`` in seconds."""
        share = self._shares.get(refusal.source)
        if share is None or now - share.since >= HOUR:
            share = self._shares[refusal.source] = _Share(now)
        size = len(refusal.raw) + len(refusal.topic) + len(refusal.words) + 100
        if share.used + size > (min(SERIAL_SHARE, self._share) if refusal.device else self._share):
            return False
        share.used += size
        return True


class Counts:
    """Messages that are counted and not kept, by source, reason and words."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], Counted] = {}
        self._identities: list[Identity] = []

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, refusal: Refusal) -> None:
        """Count a refusal."""
        time = refusal.time if refusal.boot is None else None
        if refusal.identity is not None:
            self._identities.append(refusal.identity)
        self.merge(Counted(refusal.source, refusal.reason, refusal.words, 1, time, time))

    def merge(self, counted: Counted) -> None:
        """Add what was counted elsewhere."""
        key = counted.source, counted.reason, counted.words
        if key not in self._counts and len(self._counts) >= MOST_WORDS:
            key = counted.source, counted.reason, "other words"
        known = self._counts.get(key)
        if known is None:
            self._counts[key] = replace(counted, words=key[2])
            return
        times = [time for time in (known.first, counted.first, known.last, counted.last) if time is not None]
        self._counts[key] = replace(
            known, count=known.count + counted.count, first=min(times, default=None), last=max(times, default=None)
        )

    def take(self) -> list[Counted]:
        """Return all of it, the identities with the first, and begin anew."""
        found = list(self._counts.values())
        if found:
            found[0] = replace(found[0], identities=tuple(self._identities))
        self._counts.clear()
        self._identities.clear()
        return found
