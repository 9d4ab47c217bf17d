"""Twin of the Nova SDS011, a laser sensor for PM2.5 and PM10 on a serial line (9600 8N1).

Source: Nova Fitness, Laser Dust Sensor Control Protocol V1.3 and SDS011 specification V1.3::

    host    AA B4 cmd set val 0 0 0 0 0 0 0 0 0 0 idl idh sum AB      19 bytes, sum over cmd..idh
    sensor  AA C0 pm25l pm25h pm10l pm10h         idl idh sum AB      a measurement, tenths of ug/m3
    sensor  AA C5 cmd set val 0                   idl idh sum AB      an answer to a setting

The report mode, the working period and the id outlast a power cut; sleep does not. Asleep it hears only the
sleep/work command. With a working period of n minutes it runs for 30 seconds of every n minutes.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from random import Random

from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

DRIVER = "sds011"
EVERYBODY = b"\xff\xff"
FIRMWARE = bytes((18, 11, 16))
JUNK = bytes.fromhex("ad50105edd")
"""Bytes that a real sensor sent in place of its answer to a wake-up."""

_COMMAND_LENGTH = 19
_RUN = 30.0


class Command(IntEnum):
    """The first byte of a command."""

    REPORT_MODE = 2
    READ = 4
    SET_ID = 5
    SLEEP_WORK = 6
    FIRMWARE = 7
    PERIOD = 8


@dataclass
class Faults:
    """What may go wrong; set at any time. The probabilities are per measurement frame."""

    junk_after_wake: int = 0
    """So many wake-ups are answered with junk and not obeyed."""
    zeros_at_start: int = 0
    """So many all-zero frames, with a good checksum, after each power-on and wake-up."""
    noise: float = 0.0
    """Random bytes before the frame."""
    corrupt: float = 0.0
    """A frame whose checksum is wrong."""
    torn: float = 0.0
    """A frame that breaks off."""
    inverted: float = 0.0
    """PM10 below PM2.5, as seen in the field: odd, and still a reading."""
    silent: bool = False
    """The sensor hangs: it says nothing and hears nothing."""


class Air:
    """PM2.5 and PM10 in tenths of ug/m3: a random walk in which no pair comes twice within a day."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pm25 = random.randint(60, 250)
        self._coarse = random.randint(20, 80)
        self._shown: dict[int, int] = {}

    def sample(self) -> tuple[int, int]:
        """Return the next pair, PM2.5 within 20..600 and PM10 above it."""
        towards_the_mean = (180 - self._pm25) / 600
        self._pm25 = min(600, max(20, self._pm25 + round(self._random.gauss(towards_the_mean, 6))))
        # The coarse part grows a tenth each time a PM2.5 value comes again: every pair is new, and smooth.
        again = self._shown.get(self._pm25, -1) + 1
        self._shown[self._pm25] = again
        return self._pm25, self._pm25 + self._coarse + again % 800


class Sds011:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, device_id: bytes | None = None) -> None:
        self.name = name
        self.faults = Faults()
        self.air = Air(Random(f"{seed}/air"))
        self._chance = Random(f"{seed}/faults")
        self.device_id = device_id or Random(f"{seed}/id").randbytes(2)
        self.query_mode = False
        self.period = 0
        """Minutes; 0 runs all the time."""
        self.asleep = False
        self._truth = truth
        self._received = bytearray()
        self._next = 1.0
        self._cycle = 0.0
        self._zeros: int | None = None
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the commands in ``data``; skip a byte at a time over what is none."""
        if self.faults.silent:
            return []
        buffer = self._received
        buffer += data
        answers: list[Frame] = []
        while (start := buffer.find(b"\xaa")) >= 0:
            del buffer[:start]
            if len(buffer) < _COMMAND_LENGTH:
                return answers
            if buffer[1] == 0xB4 and buffer[18] == 0xAB and sum(buffer[2:17]) & 0xFF == buffer[17]:
                answers += self._obey(bytes(buffer[2:17]), now)
                del buffer[:_COMMAND_LENGTH]
            else:
                del buffer[0]
        buffer.clear()
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Report once a second, when awake, in active mode and within the working period."""
        if now < self.due():
            return []
        self._next += 1.0
        if self._next <= now:  # a late tick is no reason to catch up
            self._next = now + 1.0
        return self._measure() if self._running(now) else []

    def due(self) -> float:
        """Return the time of the next report."""
        if self.asleep or self.query_mode or self.faults.silent or self._stopped:
            return NEVER
        return self._next

    def power_cycle(self, now: float) -> None:
        """Start anew, awake; mode, period and id are kept."""
        self.asleep = False
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
        self._cycle = now
        self._zeros = self.faults.zeros_at_start

    def _running(self, now: float) -> bool:
        return self.period == 0 or (now - self._cycle) % (self.period * 60) < _RUN

    def _obey(self, body: bytes, now: float) -> list[Frame]:
        command, writes, value = body[0], body[1], body[2]
        if body[13:15] not in (EVERYBODY, self.device_id) or (self.asleep and command != Command.SLEEP_WORK):
            return []
        answer: list[Frame] = []
        match command:
            case Command.REPORT_MODE:
                if writes:
                    self.query_mode = value == 1
                    self._next = max(self._next, now)
                answer = [self._answer(command, writes, self.query_mode)]
            case Command.READ if self.query_mode and self._running(now) and not self._stopped:
                answer = self._measure()
            case Command.SET_ID:
                self.device_id = body[11:13]
                answer = [self._answer(command)]
            case Command.SLEEP_WORK:
                answer = self._sleep_or_work(writes, value, now)
            case Command.FIRMWARE:
                answer = [self._answer(command, *FIRMWARE)]
            case Command.PERIOD:
                if writes and value <= 30:
                    self.period, self._cycle = value, now
                answer = [self._answer(command, writes, self.period)]
        return answer

    def _sleep_or_work(self, writes: int, value: int, now: float) -> list[Frame]:
        if writes and value == 1 and self.asleep:
            if self.faults.junk_after_wake:
                self.faults.junk_after_wake -= 1
                return [Frame(JUNK)]
            self.asleep = False
            self._start(now)
        elif writes and value == 0:
            self.asleep = True
        return [self._answer(Command.SLEEP_WORK, writes, not self.asleep)]

    def _answer(self, command: int, first: int = 0, second: int = 0, third: int = 0) -> Frame:
        return Frame(self._frame(0xC5, bytes((command, first, second, third))))

    def _frame(self, head: int, values: bytes) -> bytes:
        body = values + self.device_id
        return bytes((0xAA, head)) + body + bytes((sum(body) & 0xFF, 0xAB))

    def _measure(self) -> list[Frame]:
        faults, chance = self.faults, self._chance.random
        if self._zeros is None:
            self._zeros = faults.zeros_at_start
        if self._zeros:
            self._zeros -= 1
            return [Frame(self._frame(0xC0, bytes(4)))]
        pm25, pm10 = self.air.sample()
        if chance() < faults.inverted:
            pm25, pm10 = pm10, pm25
        data = self._frame(0xC0, pm25.to_bytes(2, "little") + pm10.to_bytes(2, "little"))
        frames = []
        if chance() < faults.noise:
            frames.append(Frame(self._chance.randbytes(self._chance.randint(1, 12))))
        if chance() < faults.corrupt:
            frames.append(Frame(data[:8] + bytes(((data[8] + self._chance.randint(1, 255)) & 0xFF,)) + data[9:]))
        elif chance() < faults.torn:
            frames.append(Frame(data[: self._chance.randint(1, 9)]))
        else:
            frames.append(Frame(data, partial(self._heard, pm25 / 10, pm10 / 10)))
        return frames

    def _heard(self, pm25: float, pm10: float, arrived: bool | None) -> None:
        if arrived is not False:
            fields = {"pm25": pm25, "pm10": pm10}
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = Sds011
