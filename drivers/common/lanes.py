"""Traffic counts by lane: vehicles that a detector reports one by one, added up interval by interval.

A vehicle counts when it has left, which is when it is reported: one that stands over the detector for the whole of an
interval is in none of its numbers.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.contract import FieldValue, Measurement

AVERAGES = {"average_vehicle_speed": "speed", "average_vehicle_length": "length", "average_gap_time": "gap"}


class Vehicle(NamedTuple):
    """What is known of one vehicle: km/h, metres, seconds behind another, seconds over the detector; else None."""

    speed: float | None = None
    length: float | None = None
    gap: float | None = None
    occupied: float | None = None


class Tally:
    """The vehicles of one lane, added up."""

    def __init__(self) -> None:
        self._count = 0
        self._samples = 0
        self._top = 0.0
        self._occupied: float | None = 0.0
        self._sums = {name: [0.0, 0.0] for name in AVERAGES}

    def __len__(self) -> int:
        """Return how many there were."""
        return self._count

    def add(self, vehicle: Vehicle) -> None:
        """Count one vehicle."""
        self._count += 1
        self._samples += 1
        self._top = max(self._top, vehicle.speed or 0.0)
        for name, of in AVERAGES.items():
            value = getattr(vehicle, of)
            if value is not None:
                self._sums[name][0] += 1
                self._sums[name][1] += value
        if vehicle.occupied is None or self._occupied is None:
            self._occupied = None
        else:
            self._occupied += vehicle.occupied

    def lose(self, number: int) -> None:
        """Count vehicles of which nothing else is known."""
        self._count += number

    def fields(self, period: float) -> dict[str, FieldValue]:
        """Return the fields of a reading over ``period`` seconds, 0 where that is not known.

        ``sample_count`` is there where some of the vehicles are only counted; occupancy then is not.
        """
        fields: dict[str, FieldValue] = {"intensity": self._count}
        if period > 0:
            fields["period"] = period
            if self._occupied is not None and self._samples == self._count:
                fields["occupancy"] = min(round(self._occupied / period, 4), 1.0)
        for name, (number, total) in self._sums.items():
            if number:
                fields[name] = round(total / number, 3)
        if self._top:
            fields["max_vehicle_speed"] = round(self._top, 3)
        if self._samples != self._count:
            fields["sample_count"] = self._samples
        return fields


class Lanes:
    """Counts by lane; ``interval`` in seconds, lanes from 1.

    A lane that has been seen gives a reading of 0 for an interval without vehicles. An interval in which nothing was
    received from the detector (`alive`) gives none.
    """

    def __init__(self, interval: float) -> None:
        self._interval = int(interval * 1e9)
        self._lanes: dict[int, Tally] = {}
        self._began: int | None = None
        self._now = 0
        self.alive = False

    def advance(self, now: int) -> list[Measurement]:
        """Let time pass; return the readings of an interval that ends by it."""
        self._now = now
        if self._began is None:
            self._began = now
        return list(self._close(self._began)) if now - self._began >= self._interval else []

    def lane(self, number: int) -> Tally:
        """Return the tally of a lane, whose detector thereby is alive."""
        self.alive = True
        return self._lanes.setdefault(number, Tally())

    def finish(self) -> list[Measurement]:
        """Return the readings of the open interval, with its real length."""
        return [] if self._began is None else list(self._close(self._began))

    def _close(self, began: int) -> Iterator[Measurement]:
        period = (self._now - began) / 1e9
        for number, tally in sorted(self._lanes.items()):
            if len(tally) or (self.alive and period > 0):
                yield Measurement("traffic", tally.fields(period), tags={"lane": str(number)})
            self._lanes[number] = Tally()
        self._began = self._now
        self.alive = False
