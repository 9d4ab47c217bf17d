"""A station that publishes what it measures every so often; what it says is in a file of its kind under `devices`."""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import NamedTuple

from firmware_sim.parts.twin import NEVER, Message
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import Value


class Meant(NamedTuple):
    """One reading that is in a message: what a database is to hold of it; ``time`` None where it says none."""

    kind: str
    fields: Mapping[str, Value]
    time: int | None = None
    tags: Mapping[str, str] = {}


class Spoken(NamedTuple):
    """A message on a topic, and the readings in it."""

    topic: str
    payload: bytes
    readings: tuple[Meant, ...]


Speak = Callable[[str, Random, int], Spoken]
"""Makes the next message of the station so named, at a time in nanoseconds UTC."""


class Reporter:
    """One station; see `parts.twin.MqttTwin`."""

    def __init__(self, speak: Speak, name: str, truth: Truth, seed: str, *, interval: float = 60.0) -> None:
        self.name = name
        self._speak = speak
        self._truth = truth
        self._random = Random(f"{seed}/{name}")
        self._interval = interval
        self._next = self._random.uniform(0.0, interval)
        self._stopped = False

    def tick(self, now: float, time: int) -> list[Message]:
        """Publish what is due at ``now``."""
        if now < self.due():
            return []
        self._next = max(self._next + self._interval, now)
        topic, payload, readings = self._speak(self.name, self._random, time)
        return [Message(topic, payload, partial(self._heard, readings))]

    def due(self) -> float:
        """Return when it publishes next."""
        return NEVER if self._stopped else self._next

    def stop(self) -> None:
        """Begin no further measurement."""
        self._stopped = True

    def _heard(self, readings: tuple[Meant, ...], arrived: bool | None) -> None:
        if arrived is not False:
            for kind, fields, time, tags in readings:
                self._truth.record(self.name, kind, fields, time, tags, certain=arrived is True)
