"""A driver and its twin at the two ends of a wire that loses nothing by itself, in the twin's own time."""

from collections.abc import Iterable
from typing import Any

import drivers
from firmware_sim.parts.twin import Frame
from firmware_sim.registry import Entry, twins, variants
from firmware_sim.truth.ledger import Truth
from gateway.contract import Measurement, Reject, SerialLink

Said = Measurement | Reject

STEPS = 10
"""Steps of time in a second."""


class Conversation:
    """Time goes in tenths of a second; the driver asks every ``every`` seconds.

    ``device`` is a driver or a variant of the registry. ``every`` is what the driver's link says by default, but four
    seconds at most: that is enough for any device, and gives more to compare. ``options`` are added to the entry's.
    Where they are not ``connected`` by this wire the test begins, and carries what they say.
    """

    def __init__(
        self,
        device: str,
        seed: str = "seed",
        *,
        every: float | None = None,
        connected: bool = True,
        **options: object,
    ) -> None:
        self.entry = entry_of(device)
        self.driver = drivers.load(self.entry.driver)
        assert isinstance(self.driver.link, SerialLink), f"{device} is not on a serial line"
        self.truth = Truth()
        self.twin: Any = self.entry.make("x", self.truth, seed)
        self.options = self.driver.options.model_validate({**self.entry.source.get("options", {}), **options})
        self.said: list[Said] = []
        self.answered: dict[bytes, bool] = {}
        """What the driver has sent -> whether the twin ever answered it at once."""
        self.heard_at = 0
        """The driver's own clock, in nanoseconds, when it heard the twin last."""
        self._every = round((min(self.driver.link.interval, 4.0) if every is None else every) * STEPS)
        self._steps = 0
        self.decoder: Any = self.driver.decoder(self.options)
        if connected:
            self.begin()

    @property
    def now(self) -> float:
        """The twin's time in seconds."""
        return self._steps / STEPS

    def begin(self) -> None:
        """Open the line, with a new decoder."""
        self.decoder = self.driver.decoder(self.options)
        for command in self.decoder.start():
            self.send(command)

    def send(self, data: bytes) -> None:
        """Send to the twin, and let the driver hear the answer."""
        answer = self.twin.receive(data, self.now)
        self.answered[data] = self.answered.get(data, False) or bool(answer)
        self.hear(answer)

    def hear(self, frames: Iterable[Frame]) -> None:
        """Let the driver hear the twin."""
        for frame in frames:
            self._feed(frame.data)
            if frame.heard:
                frame.heard(True)

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds * STEPS)):
            self._steps += 1
            if self._steps % self._every == 0:
                if question := self.decoder.poll():
                    self.send(question)
                self._feed(b"")
            self.hear(self.twin.tick(self.now))

    def pass_by(self, seconds: float) -> None:
        """Let time pass in which the driver neither asks nor hears."""
        for _ in range(round(seconds * STEPS)):
            self._steps += 1
            self.twin.tick(self.now)

    def end(self) -> None:
        """Let what has begun come to its end, and be told."""
        self.twin.stop()
        self.go_on(60)
        self.said += self.decoder.finish()

    def _feed(self, data: bytes) -> None:
        self.heard_at = int(self.now * 1e9)
        self.said += self.decoder.feed(data, self.heard_at)

    @property
    def measured(self) -> list[Measurement]:
        """What was measured, each reading once: what bears the key of another of its series is that again."""
        found: list[Measurement] = []
        keys: set[object] = set()
        for one in self.said:
            if not isinstance(one, Measurement):
                continue
            key = one.key and (one.key, tuple(one.tags.items()))
            if key not in keys:
                found.append(one)
                keys |= {key} if key else set()
        return found

    @property
    def reasons(self) -> set[str]:
        """Why anything was rejected."""
        return {one.reason for one in self.said if isinstance(one, Reject)}

    def values(self, field: str) -> list[object]:
        """Return what was read of one field, in order."""
        return [one.fields[field] for one in self.measured if field in one.fields]


def entry_of(device: str) -> Entry:
    """Return the registry's entry of a device or of a variant."""
    return {**twins(), **variants()}[device]
