"""A parking bay, and a device that measures the distance to what stands in it: shared by the twins."""

from collections.abc import Callable
from functools import partial

from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.parts.wire_faults import Walk, Wire
from firmware_sim.truth.ledger import Truth

Word = Callable[[int | None], bytes]
"""Writes a distance in mm, or that nothing was seen, as the device does."""


class Bay:
    """The ground between 2.4 and 2.5 m below, and at times the roof of a vehicle; set the attributes at any time."""

    def __init__(self, seed: str) -> None:
        self.occupied = False
        self.lost = False
        """No echo comes back."""
        self.fixed: int | None = None
        """Exactly this distance in mm, whatever is there."""
        self._ground = Walk(f"{seed}/ground", 2400, 2500, 3)
        self._roof = Walk(f"{seed}/roof", 700, 900, 5)

    def look(self) -> int | None:
        """Return the distance in mm; None where nothing is seen."""
        if self.lost:
            return None
        if self.fixed is not None:
            return self.fixed
        return (self._roof if self.occupied else self._ground).sample()


class Ranger:
    """Measures every ``period`` seconds and says it as ``word`` has it; a period of 0 waits to be asked."""

    def __init__(self, name: str, truth: Truth, seed: str, period: float, word: Word) -> None:
        self.name = name
        self.bay = Bay(seed)
        self.period = period
        self.step = 1
        """The device's resolution in mm."""
        self.wire = Wire(seed)
        self.faults = self.wire.faults
        self._truth = truth
        self._word = word
        self._next = period
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:  # noqa: ARG002 -- it hears nothing
        """Hear nothing."""
        return []

    def tick(self, now: float) -> list[Frame]:
        """Measure, when it is time."""
        if now < self.due():
            return []
        self._next = max(self._next + self.period, now)
        return self.measure()

    def due(self) -> float:
        """Return the time of the next measurement."""
        return NEVER if self._stopped or self.faults.silent or not self.period else self._next

    def power_cycle(self, now: float) -> None:
        """Start anew."""
        self._next = now + self.period

    def stop(self) -> None:
        """Measure no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def measure(self) -> list[Frame]:
        """Measure now; what was not seen is said, and is no reading."""
        if self._stopped:
            return []
        seen = self.bay.look()
        if seen is None:
            return self.wire.send(self._word(None))
        seen -= seen % self.step
        return self.wire.send(self._word(seen), partial(self._heard, seen))

    def _heard(self, seen: int, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "parking", {"distance": float(seen)}, certain=arrived is True)
