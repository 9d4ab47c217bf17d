"""What a serial device may suffer on its way to the host, and air that changes slowly: shared by the twins."""

from dataclasses import dataclass
from random import Random

from firmware_sim.parts.twin import Frame, Heard


@dataclass
class Faults:
    """What may go wrong; set at any time. The probabilities are per frame."""

    noise: float = 0.0
    """Random bytes before the frame."""
    corrupt: float = 0.0
    """One byte of the frame is wrong, and so is its check."""
    torn: float = 0.0
    """A frame that breaks off."""
    silent: bool = False
    """The device hangs: it says nothing and hears nothing."""


class Wire:
    """The way out of a device: `send` gives the frames that arrive, spoiled as ``faults`` have it."""

    def __init__(self, seed: str) -> None:
        self.faults = Faults()
        self._random = Random(f"{seed}/wire")

    def send(self, data: bytes, heard: Heard | None = None) -> list[Frame]:
        """Return ``data`` as it arrives; a spoiled frame carries no reading."""
        faults, random = self.faults, self._random
        if faults.silent:
            return []
        frames = []
        if random.random() < faults.noise:
            frames.append(Frame(random.randbytes(random.randint(1, 12))))
        if random.random() < faults.corrupt:
            at = random.randrange(len(data))
            frames.append(Frame(data[:at] + bytes((data[at] ^ random.randint(1, 255),)) + data[at + 1 :]))
        elif random.random() < faults.torn:
            frames.append(Frame(data[: random.randint(1, len(data) - 1)]))
        else:
            frames.append(Frame(data, heard))
        return frames


class Walk:
    """A value that wanders between two bounds in whole steps, and never stands still."""

    def __init__(self, seed: str, low: int, high: int, step: int) -> None:
        self._random = Random(f"{seed}/walk")
        self._low, self._high, self._step = low, high, step
        self._at = self._random.randint(low, high)

    def sample(self) -> int:
        """Return the next value."""
        way = self._random.choice((-1, 1)) * self._random.randint(1, self._step)
        if not self._low <= self._at + way <= self._high:
            way = -way
        self._at += way
        return self._at
