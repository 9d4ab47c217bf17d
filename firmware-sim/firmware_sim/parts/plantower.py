"""What the simulated Plantower dust sensors share: air, frames, commands, sleep, and what goes wrong.

Source: Plantower data manuals of PMS5003, PMS7003, PMS3003, PMS5003T and PMS5003ST; words are big endian::

    sensor  42 4D lenh lenl word word ... sumh suml     len counts what follows it; sum of all bytes before it
    sensor  42 4D 00 04 cmd val sumh suml               a mode or sleep command was obeyed
    host    42 4D cmd dath datl sumh suml

A power cut leaves it awake and in active mode. Awake and active it reports every 2.3 s, and within 0.8 s while values
change. Asleep it hears only the wake-up, which it answers by reporting again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple

from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

HEADER = b"\x42\x4d"
MODE, READ, SLEEP_WAKE = 0xE1, 0xE2, 0xE4

_COMMAND_LENGTH = 7
_STEADY = 2.3


@dataclass
class Faults:
    """What may go wrong; set at any time. The probabilities are per report."""

    hollow_at_start: int = 0
    """So many reports after each start hold masses, but neither particles nor temperature nor humidity."""
    clean: bool = False
    """The air comes through a HEPA filter: no mass, no particle."""
    noise: float = 0.0
    """Random bytes before the frame."""
    corrupt: float = 0.0
    """A frame whose sum is wrong."""
    lost_byte: float = 0.0
    """A frame that lacks one byte."""
    inverted: float = 0.0
    """PM10 below PM2.5."""
    silent: bool = False
    """It hangs: it says nothing and hears nothing."""
    error: int = 0
    """What it gives as its error code."""


class Sample(NamedTuple):
    """What is in the air: ug/m3, particles in 0.1 l, tenths of degrees Celsius and of per cent."""

    factory: tuple[int, int, int]
    outdoors: tuple[int, int, int]
    particles: tuple[int, ...]
    temperature: int
    humidity: int
    formaldehyde: int


Words = Callable[[Sample, int], Sequence[int]]
"""A sample and the error code as the words of a frame."""
Fields = Callable[[Sample], dict[str, float]]
"""A sample in vocabulary names and units."""


class Air:
    """A random walk; PM2.5 stays within 1 to 200 ug/m3."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pm25 = random.uniform(5, 25)
        self._temperature = random.uniform(80, 250)
        self._humidity = random.uniform(350, 800)

    def sample(self) -> Sample:
        """Return the next sample."""
        gauss = self._random.gauss
        self._pm25 = min(200.0, max(1.0, self._pm25 + gauss(0.02 * (15 - self._pm25), 1.0)))
        self._temperature = min(400.0, max(-150.0, self._temperature + gauss(0, 0.5)))
        self._humidity = min(980.0, max(100.0, self._humidity + gauss(0, 1.0)))
        outdoors = (round(self._pm25 * 0.7), round(self._pm25), round(self._pm25 * 1.2))
        factory = (outdoors[0], round(self._pm25 * 1.1), round(self._pm25 * 1.4))
        over = [round(self._pm25 * each) for each in (180.0, 50.0, 9.0, 0.9, 0.3, 0.1)]
        over[0] += self._random.randint(0, 99)
        weather = round(self._temperature), round(self._humidity)
        return Sample(factory, outdoors, tuple(over), *weather, self._random.randint(5, 30))


def masses(sample: Sample) -> dict[str, float]:
    """Return the masses outdoors, which every model reports."""
    return {name: float(mass) for name, mass in zip(("pm1", "pm25", "pm10"), sample.outdoors, strict=True)}


def particles(sample: Sample, number: int) -> dict[str, float]:
    """Return the first ``number`` particle counts, in 1/cm3."""
    names = [f"particles_above_{size}" for size in ("03", "05", "1", "25", "5", "10")]
    return {name: count / 100 for name, count in zip(names[:number], sample.particles, strict=False)}


class Plantower:
    """One sensor; see `parts.twin.SerialTwin`. ``words`` and ``fields`` make it a certain model."""

    def __init__(self, name: str, truth: Truth, seed: str, words: Words, fields: Fields) -> None:
        self.name = name
        self.faults = Faults()
        self.air = Air(Random(f"{seed}/air"))
        self.passive = False
        self.asleep = False
        self._chance = Random(f"{seed}/faults")
        self._truth = truth
        self._words = words
        self._fields = fields
        self._received = bytearray()
        self._next = 1.0
        self._last = self.air.sample()
        self._hollow: int | None = None
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the commands in ``data``; skip a byte at a time over what is none."""
        if self.faults.silent:
            return []
        buffer = self._received
        buffer += data
        answers: list[Frame] = []
        while (start := buffer.find(HEADER[0])) >= 0:
            del buffer[:start]
            if len(buffer) < _COMMAND_LENGTH:
                return answers
            command = bytes(buffer[:_COMMAND_LENGTH])
            if command[:2] == HEADER and sum(command[:5]) == int.from_bytes(command[5:], "big"):
                answers += self._obey(command[2], int.from_bytes(command[3:5], "big"), now)
                del buffer[:_COMMAND_LENGTH]
            else:
                del buffer[0]
        buffer.clear()
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Report, when awake and in active mode."""
        return self._report(now) if now >= self.due() else []

    def due(self) -> float:
        """Return the time of the next report."""
        return NEVER if self.asleep or self.passive or self.faults.silent or self._stopped else self._next

    def power_cycle(self, now: float) -> None:
        """Start anew, awake and active."""
        self.asleep = self.passive = False
        self._received.clear()
        self._start(now)

    def stop(self) -> None:
        """Take no further reading."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a reading takes no time."""
        return self._stopped

    def _start(self, now: float) -> None:
        self._next = now + 1.0
        self._hollow = self.faults.hollow_at_start

    def _obey(self, command: int, value: int, now: float) -> list[Frame]:
        if self.asleep and (command, value) != (SLEEP_WAKE, 1):
            return []
        match command, value:
            case (0xE1, 0 | 1):
                self.passive = value == 0
                self._next = max(self._next, now)
            case (0xE2, _):
                return self._report(now) if self.passive and not self._stopped else []
            case (0xE4, 0):
                self.asleep = True
            case (0xE4, 1):
                if self.asleep:
                    self.asleep = False
                    self._start(now)
                return []
            case _:
                return []
        return [Frame(_frame(bytes((command, value))))]

    def _report(self, now: float) -> list[Frame]:
        faults, chance = self.faults, self._chance.random
        sample = self.air.sample()
        changed, self._last = sample.outdoors != self._last.outdoors, sample
        self._next = now + (self._chance.uniform(0.2, 0.8) if changed else _STEADY)
        if self._hollow is None:
            self._hollow = faults.hollow_at_start
        hollow = self._hollow > 0
        if hollow:
            self._hollow -= 1
            sample = sample._replace(particles=(0,) * 6, temperature=0, humidity=0, formaldehyde=0)
        elif faults.clean:
            sample = sample._replace(factory=(0,) * 3, outdoors=(0,) * 3, particles=(0,) * 6)
        elif chance() < faults.inverted:
            pm1, pm25, pm10 = sample.outdoors
            sample = sample._replace(outdoors=(pm1, pm10 + 1, pm25))
        data = _frame(b"".join(word.to_bytes(2, "big") for word in self._words(sample, faults.error)))
        frames = []
        if chance() < faults.noise:
            frames.append(Frame(self._chance.randbytes(self._chance.randint(1, 12))))
        if chance() < faults.corrupt:
            frames.append(Frame(data[:-1] + bytes(((data[-1] + self._chance.randint(1, 255)) & 0xFF,))))
        elif chance() < faults.lost_byte:
            at = self._chance.randrange(len(data))
            frames.append(Frame(data[:at] + data[at + 1 :]))
        else:
            frames.append(Frame(data, None if hollow else partial(self._heard, self._fields(sample))))
        return frames

    def _heard(self, fields: dict[str, float], arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


def _frame(content: bytes) -> bytes:
    body = HEADER + (len(content) + 2).to_bytes(2, "big") + content
    return body + (sum(body) & 0xFFFF).to_bytes(2, "big")
