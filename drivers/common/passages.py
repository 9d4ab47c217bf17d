"""Passages from a traffic radar: the many speed reports of one vehicle, grouped and counted interval by interval.

A radar reports a vehicle several times a second for as long as it sees it. Reports of one direction that follow each
other within ``gap`` are one vehicle; fewer than ``min_reports`` are noise. Its speed is the highest one reported,
because the angle between the beam and the road can only lower what the radar sees.

A passage counts when it is over, so one that straddles two intervals is counted once, in the later one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.contract import FieldValue, Measurement

Direction = Literal["inbound", "outbound"]


class Traffic:
    """Counts the vehicles of each direction, interval by interval; ``interval`` and ``gap`` in seconds.

    An interval without passages is a reading of 0. One in which nothing was received from the radar (`alive`) gives
    no reading.
    """

    def __init__(self, directions: Iterable[Direction], interval: float, gap: float, min_reports: int) -> None:
        self._ways = {way: _Passages(gap, min_reports) for way in directions}
        self._interval = int(interval * 1e9)
        self._began: int | None = None
        self._now = 0
        self.alive = False

    def advance(self, now: int) -> list[Measurement]:
        """Let time pass; return the readings of an interval that ends by it."""
        self._now = now
        if self._began is None:
            self._began = now
        return self._close(self._began, over=now) if now - self._began >= self._interval else []

    def see(self, direction: Direction, speed: float, clock: float | None, weight: int) -> None:
        """Add a report in km/h; ``clock`` is the radar's own time in seconds, ``weight`` its worth in reports."""
        if (passages := self._ways.get(direction)) is not None:
            passages.see(_Sighting(speed, clock, self._now), weight)

    def finish(self) -> list[Measurement]:
        """Return the readings of the open interval, with its real length."""
        return [] if self._began is None else self._close(self._began, over=None)

    def _close(self, began: int, over: int | None) -> list[Measurement]:
        tallies = {way: passages.take(over) for way, passages in self._ways.items()}
        period = (self._now - began) / 1e9
        heard = any(tally.count for tally in tallies.values()) or (self.alive and period > 0)
        self._began = self._now
        self.alive = False
        return [_reading(way, tally, period) for way, tally in tallies.items()] if heard else []


def _reading(direction: Direction, tally: "_Tally", period: float) -> Measurement:
    fields: dict[str, FieldValue] = {"intensity": tally.count, "period": period}
    if tally.count:
        fields["average_vehicle_speed"] = round(tally.sum / tally.count, 2)
        fields["max_vehicle_speed"] = round(tally.top, 2)
    return Measurement("traffic", fields, tags={"direction": direction})


@dataclass(slots=True)
class _Tally:
    count: int = 0
    sum: float = 0.0
    top: float = 0.0


class _Sighting(NamedTuple):
    speed: float
    clock: float | None
    now: int


@dataclass(slots=True)
class _Passage:
    last: _Sighting
    top_speed: float
    reports: int


class _Passages:
    """The vehicles of one direction."""

    def __init__(self, gap: float, min_reports: int) -> None:
        self._gap = gap
        self._min_reports = min_reports
        self._open: _Passage | None = None
        self._tally = _Tally()

    def see(self, sighting: _Sighting, weight: int) -> None:
        passage = self._open
        if passage is not None and self._elapsed(passage.last, sighting) <= self._gap:
            passage.last = sighting
            passage.top_speed = max(passage.top_speed, sighting.speed)
            passage.reports += weight
        else:
            self._close()
            self._open = _Passage(sighting, sighting.speed, weight)

    def take(self, now: int | None) -> _Tally:
        """Return the passages that are over, and forget them; without ``now``, all are over."""
        if self._open is not None and (now is None or (now - self._open.last.now) / 1e9 > self._gap):
            self._close()
        tally, self._tally = self._tally, _Tally()
        return tally

    def _elapsed(self, before: _Sighting, after: _Sighting) -> float:
        """Return seconds; the radar's own clock is exact where the host's sees bursts, unless it was set back."""
        if before.clock is not None and after.clock is not None and after.clock >= before.clock:
            return after.clock - before.clock
        return (after.now - before.now) / 1e9

    def _close(self) -> None:
        if self._open is not None and self._open.reports >= self._min_reports:
            self._tally.count += 1
            self._tally.sum += self._open.top_speed
            self._tally.top = max(self._tally.top, self._open.top_speed)
        self._open = None
