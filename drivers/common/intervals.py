"""Counting intervals that a sensor closes by itself and reports until the next one: shared by their drivers.

The sensor is polled more often than its intervals end. Their stamps distinguish them, even with a wrong clock. An
interval whose stamp is new since the last question has ended just now, so the gateway's time is near enough to its
end. When the first one ended is not known, and an earlier run may have stored it: it is passed over, unless the
sensor's clock is trusted.
"""

from typing import Generic, Literal, TypeVar

from gateway.contract import FieldValue, Measurement

Clock = Literal["gateway", "sensor"]
"""Whose time a reading has; the sensor's only where its clock is kept right."""

FOUND_FIRST = "the interval found first: when it ended is not known"

Part = TypeVar("Part")


class Stamps:
    """What the stamps of one sensor's intervals mean; nanoseconds UTC, by its clock."""

    def __init__(self, clock: Clock) -> None:
        self._trusted = clock == "sensor"
        self._first: int | None = None

    def ended_just_now(self, stamp: int) -> bool:
        """Tell whether this interval is new since the first question, or its stamp is trusted."""
        if self._first is None:
            self._first = stamp
        return self._trusted or stamp != self._first

    def measured(self, fields: dict[str, FieldValue], stamp: int, **tags: str) -> Measurement:
        """Return a reading of the interval or vehicle with this stamp, which is its key."""
        return Measurement("traffic", fields, time=stamp if self._trusted else None, key=str(stamp), tags=tags)


class Parts(Generic[Part]):
    """Collects the parts of one interval: a reader that shares a line stops listening at the first measurement."""

    def __init__(self) -> None:
        self._stamp = 0
        self._parts: dict[int, Part] = {}

    def add(self, stamp: int, number: int, count: int, part: Part) -> list[Part]:
        """Return all parts in order, once the last of ``count`` is there.

        Where another interval begins before that, the missing parts are lost: those that came are returned.
        """
        left = self.take() if stamp != self._stamp else []
        self._stamp = stamp
        self._parts[number] = part
        return left + self.take() if len(self._parts) == count else left

    def take(self) -> list[Part]:
        """Return the parts there are, and forget them."""
        parts, self._parts = self._parts, {}
        return [parts[number] for number in sorted(parts)]
