"""Twin of the Sensirion SPS30, a laser sensor for dust on a serial line (115200 8N1), asked by SHDLC.

Source: Sensirion SPS30 datasheet v2.0, chapter 5 (UART); it behaves as firmware 2.2::

    host    7E stuffed(00 cmd len data sum) 7E              sum: the complement of the low byte of the sum before it
    sensor  7E stuffed(00 cmd state len data sum) 7E        stuffed: 7E, 7D, 11, 13 become 7D and themselves xor 20

It is idle, measuring or asleep; power brings it up idle. A sample is new once: read again within the same second it
answers without data. Asleep it hears nothing: any byte opens its ears for 100 ms, for the wake-up alone. Cleaning
takes 10 s, in which its values stand still; it cleans by itself when it has run for a week without losing power.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag
from functools import partial
from random import Random
from struct import pack, unpack
from typing import NamedTuple

from firmware_sim.parts.shdlc import check, framed, unstuffed
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "sps30"
PRODUCT_TYPE, SERIAL = b"00080000\0", b"8CCABCFAE3201F49\0"
VERSION = bytes((2, 2, 0, 7, 0, 2, 0))
WEEK = 604_800
CLEANING = 10.0
NOT_ALLOWED = 0x43

_EARS_OPEN = 0.1
_NAMES = (
    *("pm1", "pm25", "pm4", "pm10"),
    *(f"particles_up_to_{size}" for size in ("05", "1", "25", "4", "10")),
    "typical_particle_size",
)


class Command(IntEnum):
    """The second byte of a frame."""

    START = 0x00
    STOP = 0x01
    READ = 0x03
    SLEEP = 0x10
    WAKE_UP = 0x11
    CLEAN = 0x56
    CLEANING_INTERVAL = 0x80
    INFORMATION = 0xD0
    VERSION = 0xD1
    STATUS = 0xD2
    RESET = 0xD3


class Mode(Enum):
    """What it is doing."""

    IDLE = 0
    MEASURING = 1
    ASLEEP = 2


class Status(IntFlag):
    """The status register."""

    FAN = 1 << 4
    LASER = 1 << 5
    SPEED = 1 << 21
    """A warning only."""


NOTHING = Status(0)
ERRORS = Status.FAN | Status.LASER


@dataclass
class Faults:
    """What may go wrong inside; what may go wrong on the line is in `Sps30.wire`."""

    status: Status = NOTHING
    """What has failed."""


class Answer(NamedTuple):
    """What a command gives: a state, data, and the fields of a reading."""

    state: int = 0
    data: bytes = b""
    fields: dict[str, float] | None = None


class Sps30:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str) -> None:
        self.name = name
        self.faults = Faults()
        self.wire = Wire(seed)
        self.mode = Mode.IDLE
        self.as_integers = False
        self.interval = WEEK
        """Seconds between two cleanings; 0 for none."""
        self.cleanings = 0
        self._air = Random(f"{seed}/air")
        self._dust = self._air.uniform(5, 25)
        self._sample: tuple[float, ...] = ()
        self._truth = truth
        self._received = bytearray()
        self._inside = False  # a frame has begun
        self._sampled = -1.0
        self._cleaning_ends = 0.0
        self._clean_next = float(WEEK)
        self._deaf_from = NEVER
        self._stopped = False
        self._obey: dict[int, Callable[[bytes, float], Answer]] = {
            Command.START: self._start,
            Command.STOP: self._stop,
            Command.READ: self._read,
            Command.SLEEP: self._sleep,
            Command.WAKE_UP: lambda _, __: Answer(NOT_ALLOWED),
            Command.CLEAN: self._clean,
            Command.CLEANING_INTERVAL: self._cleaning_interval,
            Command.INFORMATION: self._information,
            Command.VERSION: lambda data, _: Answer(1) if data else Answer(0, VERSION),
            Command.STATUS: self._status,
            Command.RESET: self._reset,
        }

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the commands in ``data``."""
        if self.wire.faults.silent:
            return []
        answers: list[Frame] = []
        for byte in data:
            if self.mode is Mode.ASLEEP and now >= self._deaf_from:
                self._deaf_from = now + _EARS_OPEN  # this byte is not heard, the next ones are
                self._inside = False
            elif byte != 0x7E:
                self._received.append(byte)
                del self._received[600 if self._inside else 0 :]
            else:
                if whole := self._inside and bool(self._received):
                    answers += self._command(unstuffed(bytes(self._received)), now)
                self._inside = not whole
                self._received.clear()
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Say nothing; clean when it is time."""
        if self.interval and self.mode is Mode.MEASURING and now >= self._clean_next:
            self._clean(b"", now)
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return NEVER

    def power_cycle(self, now: float) -> None:
        """Start anew, idle; only the cleaning interval is kept."""
        self.mode = Mode.IDLE
        self._received.clear()
        self._cleaning_ends = now
        self._clean_next = now + self.interval

    def stop(self) -> None:
        """Take no further reading."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a reading takes no time."""
        return self._stopped

    def _command(self, body: bytes, now: float) -> list[Frame]:
        if len(body) < 4 or body[0] != 0 or body[2] != len(body) - 4 or check(body[:-1]) != body[-1]:
            return []
        command, data = body[1], body[3:-1]
        flagged = 0x80 if self.faults.status & ERRORS else 0
        if self.mode is Mode.ASLEEP:
            if command != Command.WAKE_UP:
                return []
            self.mode = Mode.IDLE
            answer = Answer()
        else:
            obey = self._obey.get(command)
            answer = obey(data, now) if obey else Answer(2)
        reply = bytes((0, command, answer.state | flagged, len(answer.data))) + answer.data
        heard = partial(self._heard, answer.fields) if answer.fields else None
        return self.wire.send(framed(reply), heard)

    def _start(self, data: bytes, now: float) -> Answer:
        if data not in (b"\x01\x03", b"\x01\x05"):
            return Answer(1 if len(data) != 2 else 4)
        if self.mode is Mode.MEASURING:
            return Answer(NOT_ALLOWED)
        self.mode = Mode.MEASURING
        self.as_integers = data[1] == 5
        self._sampled = now
        return Answer()

    def _stop(self, _: bytes, __: float) -> Answer:
        if self.mode is not Mode.MEASURING:
            return Answer(NOT_ALLOWED)
        self.mode = Mode.IDLE
        return Answer()

    def _read(self, _: bytes, now: float) -> Answer:
        if self.mode is not Mode.MEASURING:
            return Answer(NOT_ALLOWED)
        if now - self._sampled < 1.0 or self._stopped:
            return Answer()
        self._sampled = now
        if not self._sample or now >= self._cleaning_ends:
            self._sample = self._breathe()
        if self.as_integers:
            whole = [round(value) for value in self._sample[:9]] + [round(self._sample[9] * 1000)]
            values = [*map(float, whole[:9]), whole[9] / 1000]
            return Answer(0, pack(">10H", *whole), dict(zip(_NAMES, values, strict=True)))
        data = pack(">10f", *self._sample)
        return Answer(0, data, dict(zip(_NAMES, unpack(">10f", data), strict=True)))

    def _breathe(self) -> tuple[float, ...]:
        self._dust = min(300.0, max(0.5, self._dust + self._air.gauss(0.02 * (12 - self._dust), 0.4)))
        dust = self._dust
        masses = (dust * 0.8, dust, dust * 1.12, dust * 1.2)
        numbers = (dust * 5.1, dust * 6.2, dust * 6.4, dust * 6.45, dust * 6.46)
        return *masses, *numbers, 0.4 + self._air.random() / 2

    def _sleep(self, _: bytes, now: float) -> Answer:
        if self.mode is not Mode.IDLE:
            return Answer(NOT_ALLOWED)
        self.mode = Mode.ASLEEP
        self._deaf_from = now
        return Answer()

    def _clean(self, _: bytes, now: float) -> Answer:
        if self.mode is not Mode.MEASURING:
            return Answer(NOT_ALLOWED)
        self.cleanings += 1
        self._cleaning_ends = now + CLEANING
        self._clean_next = now + (self.interval or WEEK)
        return Answer()

    def _cleaning_interval(self, data: bytes, now: float) -> Answer:
        if data == b"\0":
            return Answer(0, self.interval.to_bytes(4, "big"))
        if len(data) != 5 or data[0]:
            return Answer(1 if len(data) != 5 else 4)
        self.interval = int.from_bytes(data[1:], "big")
        self._clean_next = now + self.interval
        return Answer()

    def _information(self, data: bytes, _: float) -> Answer:
        known = {b"\x00": PRODUCT_TYPE, b"\x03": SERIAL}
        return Answer(0, known[data]) if data in known else Answer(4)

    def _status(self, data: bytes, _: float) -> Answer:
        if len(data) != 1:
            return Answer(1)
        said = int(self.faults.status).to_bytes(4, "big") + b"\0"
        if data == b"\x01":
            self.faults.status = NOTHING
        return Answer(0, said)

    def _reset(self, _: bytes, now: float) -> Answer:
        self.power_cycle(now)
        return Answer()

    def _heard(self, fields: dict[str, float], arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = Sps30
