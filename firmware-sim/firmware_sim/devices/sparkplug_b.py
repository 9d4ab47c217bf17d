"""Twin of an Eclipse Sparkplug B 3.0 edge node with an air monitor and a parking bay, and of what goes wrong with it.

It says what it has in births, then what changes, by alias; it counts its messages; it answers an NCMD
``Node Control/Rebirth``. On demand it loses messages on the way, starts anew under other aliases, loses a device, or
is away and brings later what it measured (historical). A birth says every current value again, with its own time.
What no gateway of ours can use (a DataSet, a Template, an operating system) is among its metrics as well.

Source: the Sparkplug 3.0.0 specification, chapters 4 to 6, and the schema sparkplug_b.proto of Eclipse Tahu.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from random import Random

from firmware_sim.parts.sparkplug import (
    BOOLEAN,
    DATASET,
    DOUBLE,
    FLOAT,
    INT16,
    STRING,
    TEMPLATE,
    UINT64,
    Metric,
    read,
    write_metric,
    write_payload,
)
from firmware_sim.parts.twin import NEVER, Message
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import Value

DRIVER = "sparkplug_b"

REBIRTH = "Node Control/Rebirth"
_MILLISECOND = 1_000_000

METRICS = {
    "air": {"pm25": FLOAT, "no2": DOUBLE, "temperature": INT16, "relative_humidity": FLOAT},
    "bay": {"occupied": BOOLEAN, "battery_level": FLOAT},
}
"""Device -> its metrics, which have the vocabulary's names -> datatype."""
KINDS = {"air": "air_quality", "bay": "parking"}


class EdgeNode:
    """One node; see `parts.twin.MqttTwin`. ``sign_extended`` writes small negative numbers with 32 bits."""

    def __init__(
        self, group: str, name: str, truth: Truth, seed: str, *, interval: float = 10.0, sign_extended: bool = False
    ) -> None:
        self.descriptor = f"{group}/{name}"
        self.births = 0
        """How often it was born, by its own wish or another's."""
        self._group, self._name = group, name
        self._truth = truth
        self._random = Random(f"{seed}/{group}/{name}")
        self._interval = interval
        self._sign_extended = sign_extended
        self._next = 0.0
        self._stopped = self._away = False
        self._bd_seq = self._random.randrange(256)
        self._seq = 0
        self._lose = 0
        self._unborn = True
        self._last = 0
        self._aliases: dict[tuple[str, str], int] = {}
        self._current: dict[str, dict[str, Metric]] = {}
        self._kept: list[tuple[str, list[Metric]]] = []
        self._dead: set[str] = set()
        self._delivered: set[tuple[str, str, int]] = set()

    @property
    def sensors(self) -> list[str]:
        """The identities of its devices."""
        return [f"{self.descriptor}/{device}" for device in METRICS]

    @property
    def commands(self) -> str:
        """The topic to which it is subscribed."""
        return f"spBv1.0/{self._group}/NCMD/{self._name}"

    def tick(self, now: float, time: int) -> list[Message]:
        """Publish what is due at ``now``: births first, then what was measured."""
        if now < self.due():
            return []
        said = [] if self._away else list(self._births(time))
        if not self._stopped and now >= self._next:
            self._next = max(self._next + self._interval, now)
            for device in (one for one in METRICS if one not in self._dead):
                measured = self._measure(device, time)
                if self._away:
                    self._kept.append((device, measured))
                else:
                    said.append(self._publish("DDATA", device, measured, time))
        return [message for message in said if message is not None]

    def due(self) -> float:
        """Return when it publishes next."""
        if self._unborn and not self._away:
            return 0.0
        return NEVER if self._stopped else self._next

    def stop(self) -> None:
        """Begin no further measurement; a rebirth is still answered."""
        self._stopped = True

    def will(self) -> Message:
        """Return what the broker says for it when it is gone."""
        payload = write_payload(
            None, None, [write_metric(Metric("bdSeq", UINT64, self._bd_seq, 0), None, birth=True)]
        )
        return Message(self._topic("NDEATH"), payload, lambda _: None)

    def receive(self, topic: str, payload: bytes) -> bool:
        """Take a command; True for a rebirth, which then is the next thing it does. Strict, as the standard is."""
        said = read(payload)
        metrics = [read(metric) for metric in said.get(2, []) if isinstance(metric, bytes)]
        asked = any(metric.get(1) == [REBIRTH.encode()] and metric.get(14) == [1] for metric in metrics)
        proper = topic == self.commands and len(said.get(1, [])) == 1 and 3 not in said
        self._unborn = self._unborn or (asked and proper)
        return asked and proper

    def lose(self, count: int) -> None:
        """Let the next messages be lost on their way."""
        self._lose += count

    def reboot(self) -> None:
        """Begin a new session: other aliases, and the next number for birth and will."""
        self._bd_seq = (self._bd_seq + 1) % 256
        self._aliases.clear()
        self._unborn = True

    def go_away(self) -> None:
        """Lose the broker, and go on measuring."""
        self._away = True

    def come_back(self) -> None:
        """Find the broker again: births, and then what was measured meanwhile, marked as historical."""
        self._away = False
        self.reboot()

    def unplug(self, device: str, time: int) -> list[Message]:
        """Lose a device; it says nothing until `plug`."""
        self._dead.add(device)
        said = self._publish("DDEATH", device, [], time)
        return [] if said is None else [said]

    def plug(self, device: str, time: int) -> list[Message]:
        """Find a device again."""
        self._dead.discard(device)
        said = self._publish("DBIRTH", device, [*self._current[device].values()], time)
        return [] if said is None else [said]

    def say(self, verb: str, device: str, metrics: Iterable[Metric], time: int) -> Message | None:
        """Publish metrics of the caller's making, counted like all others; None when lost on the way."""
        return self._publish(verb, device, list(metrics), time)

    def _births(self, time: int) -> Iterator[Message | None]:
        if not self._unborn:
            return
        self._unborn, self._seq = False, 0
        self.births += 1
        if not self._aliases:
            every = [(device, name) for device in METRICS for name in METRICS[device]]
            numbers = self._random.sample(range(1, 1000), len(every))
            self._aliases = dict(zip(every, numbers, strict=True))
        at = time // _MILLISECOND
        own = [Metric("bdSeq", UINT64, self._bd_seq, at), Metric(REBIRTH, BOOLEAN, False, at)]
        yield self._publish("NBIRTH", "", [*own, Metric("Properties/OS", STRING, "Raspbian", at)], time)
        for device in METRICS:
            if device not in self._current:
                self._measure(device, time)
            if device not in self._dead:
                strange = [Metric("spectrum", DATASET, 0, at), Metric("settings", TEMPLATE, 0, at)]
                yield self._publish("DBIRTH", device, [*self._current[device].values(), *strange], time)
        newest = {(device, metric) for device, metrics in self._current.items() for metric in metrics.values()}
        for device, measured in self._kept:
            if late := [metric for metric in measured if (device, metric) not in newest]:
                yield self._publish("DDATA", device, late, time, historical=True)
        self._kept.clear()

    def _measure(self, device: str, time: int) -> list[Metric]:
        """Let some of the metrics change, all of them at first; every reading has a millisecond of its own."""
        self._last = max(time // _MILLISECOND, self._last + 1)
        names = list(METRICS[device])
        if device in self._current:
            names = self._random.sample(names, self._random.randint(1, len(names)))
        measured = [Metric(name, METRICS[device][name], self._draw(name), self._last) for name in names]
        self._current.setdefault(device, {}).update({metric.name: metric for metric in measured})
        return measured

    def _draw(self, name: str) -> Value | None:
        random = self._random
        if random.random() < 0.05:
            return None
        if name == "occupied":
            return random.random() < 0.5
        if name == "temperature":
            return random.randint(-20, 35)
        return (
            random.randint(0, 16) / 16
            if name in {"relative_humidity", "battery_level"}
            else random.randint(1, 320) / 8
        )

    def _publish(
        self, verb: str, device: str, metrics: list[Metric], time: int, *, historical: bool = False
    ) -> Message | None:
        birth = verb.endswith("BIRTH")
        written = [
            write_metric(
                metric,
                self._aliases.get((device, metric.name)),
                birth=birth,
                historical=historical,
                sign_extended=self._sign_extended,
            )
            for metric in metrics
        ]
        payload = write_payload(time // _MILLISECOND, self._seq, written)
        self._seq = (self._seq + 1) % 256
        if self._lose:
            self._lose -= 1
            return None
        return Message(self._topic(verb, device), payload, partial(self._heard, device, metrics))

    def _topic(self, verb: str, device: str = "") -> str:
        return f"spBv1.0/{self._group}/{verb}/{self._name}" + (f"/{device}" if device else "")

    def _heard(self, device: str, metrics: list[Metric], arrived: bool | None) -> None:
        """Enter what was heard for the first time: a birth says again what was, or what was lost on its way."""
        readings: dict[int, dict[str, Value]] = {}
        for name, _, value, at in metrics:
            known = (device, name, at) in self._delivered
            if arrived is not False and not known and value is not None and name in METRICS.get(device, {}):
                self._delivered.add((device, name, at))
                number = float(value) if isinstance(value, int) and not isinstance(value, bool) else value
                readings.setdefault(at, {})[name] = number
        sensor = f"{self.descriptor}/{device}"
        for at, fields in readings.items():
            self._truth.record(sensor, KINDS[device], fields, at * _MILLISECOND, certain=arrived is True)


TWIN = partial(EdgeNode, "koper")
