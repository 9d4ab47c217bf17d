"""A road of several lanes, for detectors that see each vehicle once: loops, and radars beside the road.

A vehicle is given when it has left the detector. Vehicles of one lane never overlap there; lanes know nothing of each
other. Speed, length and presence belong together: the detector sees a vehicle for as long as it takes to drive its
length and two metres.
"""

import heapq
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from firmware_sim.parts.twin import NEVER

_ZONE = 2.0


class Vehicle(NamedTuple):
    """One vehicle that has passed; times in seconds, ``headway`` from the front of the one before, speed in km/h."""

    left_at: float
    lane: int
    speed: float
    length: float
    presence: float
    headway: float


class Road:
    """Traffic by seed; ``headway`` is the mean time in seconds between two vehicles of a lane."""

    def __init__(self, seed: str, lanes: int = 2, headway: float = 6.0) -> None:
        self.lanes = range(lanes)
        self._headway = headway
        self._traffic = [Random(f"{seed}/lane {lane}") for lane in self.lanes]
        self._coming = [self._next(lane, 0.0, 0.0) for lane in self.lanes]
        heapq.heapify(self._coming)
        self._closed = False

    def left_until(self, now: float) -> Iterator[Vehicle]:
        """Yield the vehicles that have passed by ``now``, in order of time."""
        while self._coming and self._coming[0].left_at <= now:
            vehicle = self._coming[0]
            if self._closed:
                heapq.heappop(self._coming)
            else:
                front = vehicle.left_at - vehicle.presence
                heapq.heapreplace(self._coming, self._next(vehicle.lane, front, vehicle.left_at))
            yield vehicle

    def next_passage(self) -> float:
        """Return when the next vehicle will have passed."""
        return self._coming[0].left_at if self._coming else NEVER

    def close(self) -> None:
        """Let no further vehicle come; the road is empty at once."""
        self._closed = True
        self._coming.clear()

    def _next(self, lane: int, front_before: float, left_before: float) -> Vehicle:
        random = self._traffic[lane]
        speed = random.uniform(25, 90)
        length = random.choices((random.uniform(3.5, 5.5), random.uniform(6, 9), random.uniform(10, 18)), (8, 1, 1))[
            0
        ]
        presence = (length + _ZONE) / (speed / 3.6)
        front = left_before + 0.5 + random.expovariate(1 / self._headway)
        return Vehicle(front + presence, lane, speed, length, presence, front - front_before)
