"""A LoRaWAN end device: its sensor makes a payload, the network wraps it, the ledger learns what it meant.

The sensors themselves are in `firmware_sim.devices`, a family of one maker a file. A sensor knows its payload and
nothing of radio, envelopes or intervals.
"""

from collections.abc import Mapping
from functools import partial
from random import Random
from typing import NamedTuple, Protocol

from firmware_sim.parts.twin import NEVER, Heard, Message
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import Value


class Meant(NamedTuple):
    """One reading that is in a payload: what a database is to hold of it.

    ``time`` is the device's own, nanoseconds UTC, for readings that it kept; None for what it measured just now.
    """

    kind: str
    fields: Mapping[str, Value]
    tags: Mapping[str, str] = {}
    time: int | None = None


class Payload(NamedTuple):
    """What a sensor sends: the port, the bytes, and the readings they hold."""

    port: int
    data: bytes
    readings: tuple[Meant, ...]


class Sensor(Protocol):
    """A device under a LoRaWAN radio."""

    @property
    def options(self) -> Mapping[str, object]:
        """The settings that its codec needs to read it."""

    def payload(self, random: Random, time: int) -> Payload:
        """Measure at ``time`` (nanoseconds UTC) and return what is sent."""


class Network(Protocol):
    """A LoRaWAN network server, which wraps what its devices send."""

    def uplink(
        self, eui: str, *, name: str, port: int, payload: bytes, frame_counter: int, time: int, heard: Heard
    ) -> Message:
        """Wrap one uplink of device ``eui`` (16 hex digits), received at ``time`` (nanoseconds UTC)."""


class Node:
    """One sensor on the air, one uplink every ``interval`` seconds; see `parts.twin.MqttTwin`."""

    def __init__(
        self,
        eui: str,
        name: str,
        sensor: Sensor,
        truth: Truth,
        network: Network,
        *,
        seed: str,
        interval: float = 600.0,
    ) -> None:
        self.eui = eui
        self.name = name
        self.sensor = sensor
        self._truth = truth
        self._network = network
        self._random = Random(f"{seed}/{eui}")
        self._interval = interval
        self._counter = 0
        self._stopped = False
        self._next = self._random.uniform(0.0, interval)

    def tick(self, now: float, time: int) -> list[Message]:
        """Send what is due at ``now``."""
        if now < self.due():
            return []
        self._next = now + self._interval
        port, data, readings = self.sensor.payload(self._random, time)
        counter, self._counter = self._counter, self._counter + 1
        heard = partial(self._heard, readings, time)
        return [
            self._network.uplink(
                self.eui, name=self.name, port=port, payload=data, frame_counter=counter, time=time, heard=heard
            )
        ]

    def due(self) -> float:
        """Return when it sends next."""
        return NEVER if self._stopped else self._next

    def stop(self) -> None:
        """Begin no further measurement."""
        self._stopped = True

    def _heard(self, readings: tuple[Meant, ...], time: int, arrived: bool | None) -> None:
        if arrived is False:
            return
        for kind, fields, tags, own_time in readings:
            when = time if own_time is None else own_time
            self._truth.record(self.eui, kind, fields, when, tags, certain=arrived is True)
