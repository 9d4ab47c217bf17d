"""Loop detector state: the last vehicle at each loop, and what passed between two answers; times in milliseconds."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from gateway.contract import Options

LOOPS = 4
STARTS = 2**32
"""The clock of a card has so many milliseconds, then it begins at 0: 50 days."""
COUNTS = 256
FASTEST = 200
"""Milliseconds between the fronts of two vehicles at one loop: none follow each other more closely."""
SAME_DURATION = 0.1
MIN_DURATION, MIN_SPEED, MAX_SPEED = 20, 8.0, 200.0


class Event(NamedTuple):
    """The last vehicle at a loop; all zero where there was none since the card's reset."""

    duration: int
    start: int
    number: int
    state: int

    @property
    def none(self) -> bool:
        """Tell whether no vehicle has come since the card's reset."""
        return not any(self[:3])


def was_reset(before: Event, after: Event) -> bool:
    """Tell whether the card began anew: nothing is left, or the start goes back, but not round."""
    return not before.none and (after.none or (after.start - before.start) % STARTS >= STARTS // 2)


def _shifted(before: Event, after: Event) -> bool:
    """Tell whether it is the event before, from an answer that lost its first byte, which the XOR may not show."""
    same = (after.duration >> 8, after.start >> 8) == (before.duration & 0xFFFF, before.start & 0xFFFFFF)
    return same and not before.none


def passed(before: Event, after: Event) -> int | None:
    """Return how many vehicles came between two looks at one loop; None where that cannot be.

    Start and count change together, and so many vehicles need their time: a check of one byte lets one damaged answer
    in 256 pass. Of a card that was reset, the count shows how many there were at least.
    """
    if after.none or (before.start, before.number) == (after.start, after.number):
        return 0
    if _shifted(before, after):
        return None
    count, gap = (after.number - before.number) % COUNTS, (after.start - before.start) % STARTS
    if was_reset(before, after):
        count, gap = after.number, after.start
    elif not count or not gap:
        return None
    return count if before.none or count <= 1 + gap // FASTEST else None


class Pair(Options):
    """Two loops behind each other in one lane, by number from 1, whose fronts are ``apart`` metres."""

    upstream: Annotated[int, Field(ge=1, le=LOOPS)]
    downstream: Annotated[int, Field(ge=1, le=LOOPS)]
    apart: Annotated[float, Field(ge=1, le=50)]

    def speed(self, upstream: Event, downstream: Event) -> float | None:
        """Return km/h of the vehicle that was over both loops; None where these are two vehicles."""
        if min(upstream.duration, downstream.duration) < MIN_DURATION:
            return None
        if abs(upstream.duration - downstream.duration) > SAME_DURATION * downstream.duration:
            return None
        front_to_front = (downstream.start - upstream.start) % STARTS
        back_to_back = front_to_front + downstream.duration - upstream.duration
        elapsed = (front_to_front + back_to_back) / 2
        kmh = self.apart * 3600 / elapsed if elapsed > 0 else 0.0
        return round(kmh, 2) if MIN_SPEED <= kmh <= MAX_SPEED else None


class Watch:
    """Follows one card from look to look.

    A look that contradicts the one before it is not accepted: one of the two is damaged, and a third shows which. If
    it could follow both, it follows the one after which fewer vehicles came.
    """

    def __init__(self) -> None:
        self.before: Sequence[Event] = ()
        """The look that the last one was compared with."""
        self._last: Sequence[Event] = ()
        self._doubtful: Sequence[Event] = ()

    def look(self, events: Sequence[Event]) -> list[int] | None:
        """Return how many vehicles came at each loop, none at first; None for a look that is not accepted yet."""
        known = [one for one in (self._last, self._doubtful) if one] or [events]
        steps = [(counts, one) for one in known if (counts := _steps(one, events)) is not None]
        if not steps:
            self._doubtful = events
            return None
        counts, self.before = min(steps, key=lambda step: sum(step[0]))
        self._last = events
        self._doubtful = ()
        return counts


def _steps(before: Sequence[Event], after: Sequence[Event]) -> list[int] | None:
    counts = [passed(*both) for both in zip(before, after, strict=True)]
    return None if None in counts else [count for count in counts if count is not None]
