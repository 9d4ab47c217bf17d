"""Occupancy of a parking bay from a distance meter, with hysteresis and debouncing: shared by their drivers.

A device measures up to a hundred times a second; a bay changes a few times a day. So a reading is given once in each
``interval``, and at once when the bay becomes free or occupied. ``occupied`` is given only where a threshold is set;
a change then needs distances clearly on the other side of it, and for some time.

"Nothing seen" and "too near to measure" are states, not distances: they are given as ``event``.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field as Bounded

from gateway.contract import Duration, FieldValue, Measurement, Options

State = Literal["no_target", "blind_zone", "unclear"]
"""Nothing within range: a free bay. Something nearer than can be measured: a vehicle. Neither can be told."""


class BayOptions(Options):
    """What the distance stands for, and how often it is wanted."""

    interval: Duration = 1.0
    """A reading is given at most this often, and whenever ``occupied`` changes; "0s" for every measurement."""
    threshold_mm: Annotated[float, Bounded(gt=0)] | None = None
    """A surface nearer than this is a parked vehicle, and ``occupied`` says so; without it, the distance alone."""
    hysteresis_mm: Annotated[float, Bounded(ge=0)] = 50.0
    """A vehicle has left when the surface is this much further than the threshold."""
    debounce: Duration = 3.0
    """The bay has changed when every distance has been on the other side for this long."""


class Bay:
    """Follows one bay; times are monotonic nanoseconds."""

    def __init__(self, options: BayOptions) -> None:
        self._threshold = options.threshold_mm
        self._far = (options.threshold_mm or 0.0) + options.hysteresis_mm
        self._debounce = int(options.debounce * 1e9)
        self._interval = int(options.interval * 1e9)
        self._next: int | None = None
        self._occupied: bool | None = None
        self._rival: bool | None = None  # the other state, while distances suggest it
        self._since = 0

    def see(
        self, seen: float | State, now: int, health: Mapping[str, FieldValue] | None = None
    ) -> Iterator[Measurement]:
        """Take a distance in mm or a state; yield a reading where one is due, ``health`` with it."""
        if not self._changed(self._vote(seen), now) and self._next is not None and now < self._next:
            return
        self._next = now + self._interval
        fields: dict[str, FieldValue] = {"event": seen} if isinstance(seen, str) else {"distance": float(seen)}
        if self._occupied is not None:
            fields["occupied"] = self._occupied
        yield Measurement("parking", {**fields, **(health or {})})

    def _vote(self, seen: float | State) -> bool | None:
        if self._threshold is None or seen == "unclear":
            return None
        if isinstance(seen, str):
            return seen == "blind_zone"
        if seen < self._threshold:
            return True
        return self._occupied if self._occupied is not None and seen < self._far else False

    def _changed(self, vote: bool | None, now: int) -> bool:
        if vote is None:
            return False
        if vote == self._occupied:
            self._rival = None
            return False
        if vote != self._rival:
            self._rival = vote
            self._since = now
        if now - self._since < self._debounce:
            return False
        self._occupied = vote
        self._rival = None
        return True
