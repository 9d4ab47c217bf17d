"""The street in front of a radar: vehicles both ways, and rain.

A vehicle is seen five to twenty times within half a second to two seconds; its radial speed follows the cosine of a
changing angle, with a little noise. Vehicles of one direction are at least 2.5 seconds apart, so that a driver
can tell them apart; the two directions are independent.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from firmware_sim.parts.twin import NEVER

APART = 2.5
"""Seconds between the last glimpse of a vehicle and the first of the next one of its direction."""


@dataclass(eq=False)
class Pass:
    """One vehicle's way past the radar, and what became of the lines about it. ``direction`` is "" for rain."""

    direction: str
    fastest: float = 0.0
    printed: int = 0
    settled: int = 0
    peak: float = 0.0
    """The highest speed heard, km/h."""
    over: bool = False
    spoiled: bool = False
    """Something of it was lost: it may be counted or not."""


class Glimpse(NamedTuple):
    """One moment at which the radar sees something; speed in km/h, positive when it comes nearer."""

    at: float
    speed: float
    magnitude: int
    last: bool
    vehicle: Pass


class Street:
    """Traffic by seed.

    ``headway`` is the mean time in seconds between a vehicle and the next of its direction, beyond the 2.5 seconds
    that they keep. ``rain`` is the mean number of slow, weak reflections a second; it may be changed at any time.
    """

    def __init__(self, seed: str, headway: float = 6.0, rain: float = 0.0) -> None:
        self.rain = rain
        self._headway = headway
        self._traffic = {way: Random(f"{seed}/{way}") for way in ("inbound", "outbound")}
        self._weather = Random(f"{seed}/rain")
        self._coming: list[tuple[float, int, Glimpse]] = []
        self._order = 0
        self._dry_until = 0.0
        self._closed = False
        for way in self._traffic:
            self._send(way, 0.0)

    def seen_until(self, now: float) -> Iterator[Glimpse]:
        """Yield what is seen up to ``now``, in order of time, and send the next vehicles."""
        while self._coming and self._coming[0][0] <= now:
            glimpse = heapq.heappop(self._coming)[2]
            if glimpse.last and glimpse.vehicle.direction and not self._closed:
                self._send(glimpse.vehicle.direction, glimpse.at)
            yield glimpse
        if self.rain and not self._closed and now >= self._dry_until:
            yield self._drop(now)
            self._dry_until = now + self._weather.expovariate(self.rain)

    def next_glimpse(self) -> float:
        """Return when something will be seen."""
        rain = self._dry_until if self.rain and not self._closed else NEVER
        return min(self._coming[0][0] if self._coming else NEVER, rain)

    def in_view(self) -> list[Pass]:
        """Return the vehicles that were seen and will be seen again."""
        return list({id(g.vehicle): g.vehicle for _, _, g in self._coming if g.vehicle.printed}.values())

    def clear(self, now: float) -> list[Pass]:
        """Take all vehicles away, as for a radar that has no power; return those that were in view."""
        gone = self.in_view()
        self._coming.clear()
        for way in () if self._closed else self._traffic:
            self._send(way, now)
        return gone

    def close(self) -> None:
        """Let no further vehicle come: only those in view remain."""
        self._closed = True
        in_view = self.in_view()
        self._coming = [entry for entry in self._coming if entry[2].vehicle in in_view]
        heapq.heapify(self._coming)

    def empty(self) -> bool:
        """Tell whether no vehicle is in view any more."""
        return self._closed and not self._coming

    def _send(self, way: str, after: float) -> None:
        random = self._traffic[way]
        start = after + APART + random.expovariate(1 / self._headway)
        duration = random.uniform(0.5, 2.0)
        times = random.randint(max(5, math.ceil(duration / 0.2)), 20)
        speed, sign = random.uniform(18, 75), 1 if way == "inbound" else -1
        # The angle to the line of sight opens while a vehicle comes, and closes while it goes.
        angles = [4 + 28 * step / (times - 1) for step in range(times)][:: 1 if way == "inbound" else -1]
        seen = [speed * math.cos(math.radians(angle)) + random.uniform(-0.4, 0.4) for angle in angles]
        vehicle = Pass(way, max(seen) * sign)
        for step, radial in enumerate(seen):
            at = start + duration * step / (times - 1)
            self._enter(Glimpse(at, sign * radial, random.randint(200, 3000), step == times - 1, vehicle))

    def _drop(self, now: float) -> Glimpse:
        speed = self._weather.uniform(0.4, 2.5) * self._weather.choice((-1, 1))
        return Glimpse(now, speed, self._weather.randint(5, 25), last=True, vehicle=Pass(""))

    def _enter(self, glimpse: Glimpse) -> None:
        self._order += 1
        heapq.heappush(self._coming, (glimpse.at, self._order, glimpse))
