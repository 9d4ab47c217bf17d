"""Twin of the ISS RTMS G4, a radar beside a road of up to twelve lanes, on a serial line (here 9600 8N1).

Source: the protocol as the Minnesota DOT's traffic software speaks it. Numbers are big endian; the length counts id
and data, the sum is that of the bytes of id and data::

    FF AA code length id(2) data.. sum(2)

The host asks with 53 and one byte 00, and gets the last period: 80 header; 10 counts, 11 occupancy (0.1 %), 12 speed
(km/h or mph), 14 to 18 counts of the longer classes, 13 gap and 1E headway (0.1 s), 1F the speed that 85 % keep to,
two bytes a lane each, as far as the composition says; 81 with the message's number. A header::

    number page(2) flags second minute hour weekday day month year lanes composition period(2) volts health spare(5)

Time in BCD; flags bit 0 mph; composition bits 7 gap, 6 headway, 2 85 % speed, 5 4 3 1 0 the classes (3 alone: two of
them, 5 4 3: four, all: six); volts in tenths; health 10 is good. C0 without data asks who it is, answered with 40.
In event mode it says 5E for each vehicle by itself: ``lane class dm speed dwell(2) ms s m h wd d mo yy unit``, lanes
from 0, unit 1 for mph. What it does not know it refuses with 1A.
"""

from functools import partial
from random import Random

from firmware_sim.parts.twin import NEVER, Frame, Variant
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "rtms_g4"
SOURCE = {"options": {"address": 1, "events": True}}

POLL, INFORM, INFORMATION, REFUSED, EVENT, NORMAL = 0x53, 0xC0, 0x40, 0x1A, 0x5E, 0x5F
HEADER, FOOTER, COUNT, OCCUPANCY, SPEED, GAP, HEADWAY, SPEED_85 = 0x80, 0x81, 0x10, 0x11, 0x12, 0x13, 0x1E, 0x1F
HEALTHY = 0x10
STAMP = bytes.fromhex("30 15 08 02 23 11 26")  # seconds, minutes, hours, weekday, day, month, year

_SENTINEL = b"\xff\xaa"
_CLASSES = {0x08: 1, 0x38: 3, 0x3B: 5}
"""Bits of the composition: how many classes are counted beside the shortest."""
_OVERHEAD = 8


def words(*values: int) -> bytes:
    """Return numbers of two bytes each."""
    return b"".join(value.to_bytes(2, "big") for value in values)


def frame(code: int, sensor: int, data: bytes) -> bytes:
    """Return what goes over the line."""
    body = words(sensor) + data
    return _SENTINEL + bytes((code, len(body))) + body + words(sum(body))


class RtmsG4:
    """One sensor; see `parts.twin.SerialTwin`. Its ledger holds each lane of each period, or each vehicle."""

    def __init__(self, name: str, truth: Truth, seed: str, address: int = 1, *, events: bool = False) -> None:
        self.name = name
        self.address = address
        self.lanes = 3
        self.mph = False
        self.composition = 0xC4 | 0x38
        self.period = 30
        self.volts = 24.1
        self.health = HEALTHY
        self.wire = Wire(seed)
        self.faults = self.wire.faults
        self._events = events
        self._truth = truth
        self._random = Random(f"{seed}/street")
        self._next = self._random.uniform(1, 5) if events else float(self.period)
        self._number = 0
        self._message: list[bytes] = []
        self._lanes_said: list[dict[str, float]] = []
        self._heard_frames = 0
        self._received = bytearray()
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer the questions in ``data`` that are for this sensor."""
        if self.faults.silent:
            return []
        self._turn(now)
        self._received += data
        frames: list[Frame] = []
        while (at := self._received.find(_SENTINEL)) >= 0:
            del self._received[:at]
            if len(self._received) < 4 or len(self._received) < (size := self._received[3] + 6):
                break
            asked = bytes(self._received[:size])
            if size >= _OVERHEAD and asked == frame(asked[2], self.address, asked[6:-2]):
                frames += self._asked(asked[2])
                del self._received[:size]
            else:
                del self._received[0]
        else:
            del self._received[: len(self._received) - self._received.endswith(_SENTINEL[:1])]
        return frames

    def tick(self, now: float) -> list[Frame]:
        """Say which vehicles pass, in event mode."""
        if not self._events:
            self._turn(now)
            return []
        frames: list[Frame] = []
        while self._next <= now:
            if not self._stopped:
                frames += self._vehicle()
            self._next += self._random.uniform(0.5, 5)
        return frames

    def due(self) -> float:
        """Return when the next vehicle comes, in event mode."""
        return self._next if self._events else NEVER

    def power_cycle(self, now: float) -> None:
        """Forget the last period; a new one begins, with the number 1."""
        self._message, self._lanes_said, self._number = [], [], 0
        self._received.clear()
        self._next = now + (1 if self._events else self.period)

    def stop(self) -> None:
        """Measure no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped."""
        return self._stopped

    def _turn(self, now: float) -> None:
        """Close the periods that end by ``now``; of several, the last is kept."""
        while not self._events and self._next <= now:
            self._next += self.period
            if not self._stopped:
                self._close()

    def _close(self) -> None:
        self._number = (self._number + 1) % 256
        classes = _CLASSES[self.composition & 0x3B]
        longer = [[self._random.randint(0, 3) for _ in range(self.lanes)] for _ in range(classes)]
        count = [sum(one) + self._random.randint(0, 12) for one in zip(*longer, strict=True)]
        occupancy = [number * self._random.randint(12, 30) for number in count]
        # A lane without vehicles has no speed, which is said with a number that none can have.
        speed = [self._random.randint(20, 120) if number else 0xFFFF for number in count]
        tables = {COUNT: count, OCCUPANCY: occupancy, SPEED: speed}
        tables |= {0x14 + index: one for index, one in enumerate(longer)}
        if self.composition & 0x80:
            tables[GAP] = [self._random.randint(10, 300) for _ in count]
        if self.composition & 0x40:
            tables[HEADWAY] = [self._random.randint(15, 400) for _ in count]
        if self.composition & 0x04:
            tables[SPEED_85] = [min(value + 8, 199) if value != 0xFFFF else value for value in speed]
        header = bytes((self._number, 0, 0, 0x80 | self.mph)) + STAMP + bytes((self.lanes, self.composition))
        header += words(self.period) + bytes((round(self.volts * 10), self.health)) + bytes(5)
        datas = [(HEADER, header), *((code, words(*values)) for code, values in tables.items())]
        self._message = [frame(code, self.address, data) for code, data in [*datas, (FOOTER, header[:1])]]
        self._lanes_said = [
            {"intensity": number, "occupancy": share / 1000} for number, share in zip(count, occupancy, strict=True)
        ]

    def _asked(self, code: int) -> list[Frame]:
        if code == INFORM:
            about = bytes((3, 17, 0, 0, 5, 4)) + words(12345, 0) + bytes((0, 2, 1, 0))
            return self.wire.send(frame(INFORMATION, self.address, about))
        if code != POLL:
            return self.wire.send(frame(REFUSED, self.address, b""))
        self._heard_frames = 0
        return [
            one for said in self._message for one in self.wire.send(said, partial(self._heard, len(self._message)))
        ]

    def _vehicle(self) -> list[Frame]:
        lane, speed = self._random.randrange(self.lanes), self._random.randint(20, 120)
        about = bytes((lane, 1, self._random.randint(35, 150), speed)) + words(self._random.randint(150, 900))
        kmh = speed * 1.609344 if self.mph else float(speed)
        said = frame(EVENT, self.address, about + b"\x12" + STAMP + bytes((self.mph,)))
        return self.wire.send(said, partial(self._passed, kmh, lane))

    def _heard(self, frames: int, arrived: bool | None) -> None:
        """Enter a period once its last frame has arrived with all the others, and only once."""
        self._heard_frames += bool(arrived)
        if self._heard_frames == frames:
            for lane, fields in enumerate(self._lanes_said, 1):
                self._truth.record(self.name, "traffic", fields, tags={"lane": str(lane)})
            self._lanes_said = []

    def _passed(self, kmh: float, lane: int, arrived: bool | None) -> None:
        if arrived is not False:
            tags = {"lane": str(lane + 1)}
            self._truth.record(self.name, "traffic", {"peak_speed": kmh}, tags=tags, certain=arrived is True)


TWIN = partial(RtmsG4, events=True)
VARIANTS = {"rtms_g4_periods": Variant(RtmsG4, {"address": 1})}
