"""What a twin is: a device without I/O and without a clock.

Times called ``now`` are the twin's own seconds since it was built; they grow, and need not be real time. What a twin
says is a `Frame` or a `Message`, each with a callback: the carrier tells the twin whether it arrived, and only then
does the twin enter a reading in the ledger. So the ledger holds no reading that was not taken.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

NEVER = math.inf
"""The `SerialTwin.due` of a device that says nothing by itself."""

Heard = Callable[[bool | None], None]
"""Called once: True when it arrived for certain, False when it certainly did not, None when that cannot be known."""


class Frame(NamedTuple):
    """Bytes for a serial line; ``heard`` is None where they carry no reading."""

    data: bytes
    heard: Heard | None = None


class Message(NamedTuple):
    """One MQTT message, to be published with QoS 1."""

    topic: str
    payload: bytes
    heard: Heard


class Variant(NamedTuple):
    """Another model of a device, or the same device as other options of its driver read it.

    ``make`` makes the twin of a name, a ledger and a seed; ``driver`` is named where it is not the device's own.
    """

    make: Callable[..., Any]
    options: Mapping[str, Any] = {}
    driver: str = ""


@runtime_checkable
class SerialTwin(Protocol):
    """A device on a serial line."""

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Take bytes from the host, cut anywhere; return the answers."""

    def tick(self, now: float) -> list[Frame]:
        """Return what the device says by itself at ``now``."""

    def due(self) -> float:
        """Return when `tick` is wanted next; `NEVER` when there is nothing to come."""

    def power_cycle(self, now: float) -> None:
        """Lose the power and get it back: what the device does not keep is lost."""

    def stop(self) -> None:
        """Begin no further measurement; what has begun may end."""

    def quiet(self) -> bool:
        """Tell whether, after `stop`, the last measurement has ended."""


class MqttTwin(Protocol):
    """A device whose words arrive over MQTT."""

    def tick(self, now: float, time: int) -> list[Message]:
        """Return what it publishes at ``now``, which is ``time`` in nanoseconds UTC on its own clock."""

    def due(self) -> float:
        """Return when `tick` is wanted next."""

    def stop(self) -> None:
        """Begin no further measurement."""
