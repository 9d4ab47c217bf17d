"""Twin of the Wavetronix SmartSensor HD (model 125), a radar beside a road of up to ten lanes.

Source: the SmartSensor HD data protocol as IRIS of the Minnesota DOT (comm/ss125) speaks it, with bodies that its
authors got from a sensor in the field. Everything is big endian; both checks are CRC-8, polynomial 1C, from 0::

    5A 31  dest(1) dest(2)  source(1) source(2)  sequence  size  crc   then a body of that size, and its crc
    body   message  sub  type (0 read, 1 write, 2 result)  data

    00 general configuration   orientation 2, place 32, description 32, serial number 16 characters, 1 for metric
    03 data configuration      interval(2) in s, 23 more bytes
    04 version                 four of 4 bytes, as hexadecimal numbers
    67 active event            sub 1 for one; date and time(8) lane range(2) duration(3) ms speed(3) class length(2)
    6D clear events            written
    71 interval data           asked with an index(3); a packet a lane, numbered by sub: interval(3) date and time(8)
                               speed(3) volume(3) occupancy(2) four class counts(3) 85 % speed(3) headway(3) gap(3)
                               lanes approaches

An answer has the question's sequence and one more; each further packet one more again. The type "result" carries a
code: 15 no such interval. The sensor's clock is what it is: it can be wrong.

Events wait in a queue and are gone once read; what overflows is lost. Intervals are in memory only here.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from firmware_sim.parts.road import Road, Vehicle
from firmware_sim.parts.twin import NEVER, Frame, Heard, Variant
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "wavetronix_ss125"
GENERAL, DATA, VERSION, EVENT, CLEAR, INTERVAL = 0x00, 0x03, 0x04, 0x67, 0x6D, 0x71
BORN = datetime(2026, 3, 1, 12, tzinfo=UTC)

_HEADER, _MOST = 11, 244
_READ, _WRITE, _RESULT = 0, 1, 2
_MPH, _FOOT = 1.609344, 0.3048
_WAITING = 256
_CLASSES = (6.0, 9.0, 13.0)


def crc8(data: bytes | bytearray) -> int:
    """Return the check of ``data``."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register << 1 ^ (0x1C if register & 0x80 else 0)) & 0xFF
    return register


def fixed24(value: float | None) -> bytes:
    """Return a number as the sensor writes it; None is one that it does not know."""
    if value is None:
        return bytes(3)
    steps = round(abs(value) * 256)
    whole = steps // 256 if value >= 0 else -(steps // 256)
    return ((whole & 0x7FFF | 0x8000) << 8 | steps % 256).to_bytes(3, "big")


def stamp(at: datetime) -> bytes:
    """Return date and time as the sensor writes them."""
    date = at.year << 9 | at.month << 5 | at.day
    time = at.hour << 22 | at.minute << 16 | at.second << 10 | at.microsecond // 1000
    return date.to_bytes(4, "big") + time.to_bytes(4, "big")


def _of24(value: float) -> bytes:
    return round(value).to_bytes(3, "big")


@dataclass
class _Bin:
    """What one lane saw in one interval."""

    vehicles: list[Vehicle] = field(default_factory=list)
    told: bool = False


class WavetronixSs125:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, address: int = 1, interval: int = 30) -> None:
        self.name = name
        self.metric = False
        self.clock_error = 0.0
        """Seconds by which its clock is ahead."""
        self.approaches = 1
        self.lost_packets: set[int] = set()
        """Numbers of packets of the interval data that are lost once."""
        self.road = Road(seed, lanes=3)
        self._wire = Wire(seed)
        self.faults = self._wire.faults
        self._truth = truth
        self._address = address
        self._interval = interval
        self._received = bytearray()
        self._number = 0
        self._bins = self._empty()
        self._last: list[_Bin] = []
        self._events: deque[Vehicle] = deque(maxlen=_WAITING)
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer what is asked of its address; skip a byte at a time over what is no question."""
        if self.faults.silent:
            return []
        self.tick(now)
        buffer = self._received
        buffer += data
        answers: list[Frame] = []
        while buffer:
            size = _size(buffer)
            if not size:
                break
            if size < 0 or crc8(buffer[_HEADER : size - 1]) != buffer[size - 1]:
                del buffer[0]
                continue
            if int.from_bytes(buffer[3:5], "big") == self._address:
                answers += self._answer(bytes(buffer[:_HEADER]), bytes(buffer[_HEADER : size - 1]))
            del buffer[:size]
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Watch the road; say nothing."""
        for vehicle in self.road.left_until(now):
            self._close(vehicle.left_at)
            self._bins[vehicle.lane].vehicles.append(vehicle)
            self._events.append(vehicle)
        self._close(now)
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return NEVER

    def power_cycle(self, now: float) -> None:
        """Start anew: events and intervals are gone, settings and clock stay."""
        self.tick(now)
        self._received.clear()
        self._events.clear()
        self._bins, self._last = self._empty(), []

    def stop(self) -> None:
        """Let no further vehicle come, and end no further interval."""
        self.road.close()
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it never begins anything that takes time."""
        return True

    def _empty(self) -> list[_Bin]:
        return [_Bin() for _ in self.road.lanes]

    def _close(self, now: float) -> None:
        """End the interval that is over by ``now``."""
        number = int(now // self._interval)
        if number != self._number and not self._stopped:
            self._last = self._bins if number == self._number + 1 else self._empty()
            self._bins, self._number = self._empty(), number

    def _answer(self, header: bytes, body: bytes) -> list[Frame]:
        message, sub, kind = body[:3]
        if kind == _READ and message == INTERVAL:
            return self._tell_interval(header)
        if kind == _READ and message == EVENT:
            return self._tell_event(header)
        if kind == _WRITE and message == CLEAR:
            self._events.clear()
            return self._say(header, bytes((message, sub, _RESULT, 0, 0)))
        about = {
            GENERAL: f"{'NW':2}{'E6 north':32}{'mast 4':32}{'HD125-004711':16}".encode() + bytes((self.metric,)),
            DATA: self._interval.to_bytes(2, "big") + bytes(23),
            VERSION: bytes.fromhex("00020107 00010408 00000003 00000002"),
        }
        if kind != _READ or message not in about:
            return self._say(header, bytes((message, sub, _RESULT, 0, 24)))
        return self._say(header, bytes((message, sub, _READ)) + about[message])

    def _say(self, header: bytes, body: bytes, heard: Heard | None = None, packet: int = 0) -> list[Frame]:
        sequence = (header[8] + 1 + packet) & 0xFF
        head = b"Z1" + header[5:8] + b"\0" + self._address.to_bytes(2, "big") + bytes((sequence, len(body)))
        return self._wire.send(head + bytes((crc8(head),)) + body + bytes((crc8(body),)), heard)

    def _tell_event(self, header: bytes) -> list[Frame]:
        if not self._events:
            return self._say(header, bytes((EVENT, 0, _READ)) + bytes(20))
        vehicle = self._events.popleft()
        foot = 1.0 if self.metric else _FOOT
        length, distance = (round(metres / foot * 256) for metres in (vehicle.length, 6 + 3.5 * vehicle.lane))
        body = bytes((EVENT, 1, _READ)) + stamp(self._clock(vehicle.left_at)) + bytes((vehicle.lane,))
        body += distance.to_bytes(2, "big") + _of24(vehicle.presence * 1000) + fixed24(self._speed(vehicle.speed))
        body += bytes((_class(vehicle),)) + length.to_bytes(2, "big")
        return self._say(header, body, partial(self._heard_event, vehicle))

    def _tell_interval(self, header: bytes) -> list[Frame]:
        if not self._last:
            return self._say(header, bytes((INTERVAL, 0, _RESULT, 0, 15)))
        everybody = _Bin([vehicle for one in self._last for vehicle in one.vehicles])
        bins = [*self._last, *(everybody for _ in range(self.approaches))]
        frames = []
        for packet, one in enumerate(bins):
            if packet in self.lost_packets:
                self.lost_packets.discard(packet)
                continue
            body = (
                bytes((INTERVAL, packet, _READ))
                + _of24(self._number)
                + stamp(self._clock(self._number * self._interval))
            )
            body += self._counted(one.vehicles) + bytes((len(self._last), self.approaches))
            heard = partial(self._heard_lane, packet, one) if packet < len(self._last) else None
            frames += self._say(header, body, heard, packet)
        return frames

    def _counted(self, vehicles: list[Vehicle]) -> bytes:
        speeds = sorted(vehicle.speed for vehicle in vehicles)
        number = len(vehicles)
        mean = self._speed(sum(speeds) / number) if number else None
        fast = self._speed(speeds[int(0.85 * (number - 1))]) if number else None
        headway = sum(vehicle.headway for vehicle in vehicles) * 1000 / (number or 1)
        gap = headway - sum(vehicle.presence for vehicle in vehicles) * 1000 / (number or 1)
        classes = [sum(_class(vehicle) == one for vehicle in vehicles) for one in range(4)]
        occupied = _steps(vehicles, self._interval).to_bytes(2, "big")
        counts = b"".join(map(_of24, classes))
        return fixed24(mean) + _of24(number) + occupied + counts + fixed24(fast) + _of24(headway) + _of24(max(gap, 0))

    def _clock(self, at: float) -> datetime:
        return BORN + timedelta(seconds=at + self.clock_error)

    def _speed(self, kmh: float) -> float:
        return kmh if self.metric else kmh / _MPH

    def _heard_event(self, vehicle: Vehicle, arrived: bool | None) -> None:
        if arrived is not False:
            fields = {"intensity": 1, "presence_time": round(vehicle.presence, 3)}
            tags = {"lane": str(vehicle.lane + 1)}
            self._truth.record(self.name, "traffic", fields, tags=tags, certain=arrived is True)

    def _heard_lane(self, packet: int, one: _Bin, arrived: bool | None) -> None:
        if arrived is not False and not one.told:
            one.told = True
            fields = {"intensity": len(one.vehicles), "occupancy": _steps(one.vehicles, self._interval) / 25600}
            tags = {"lane": str(packet + 1)}
            self._truth.record(self.name, "traffic", fields, tags=tags, certain=arrived is True)


def _steps(vehicles: list[Vehicle], interval: int) -> int:
    """Return the occupancy as it is said: 100 % is 25600."""
    return min(round(sum(vehicle.presence for vehicle in vehicles) / interval * 25600), 25600)


def _class(vehicle: Vehicle) -> int:
    return sum(vehicle.length >= bound for bound in _CLASSES)


def _size(buffer: bytearray) -> int:
    """Return the bytes of the question that begins here, 0 where more are needed to tell, -1 for none."""
    if not b"Z1".startswith(buffer[:2]):
        return -1
    if len(buffer) < _HEADER:
        return 0
    size = buffer[9]
    if crc8(buffer[:10]) != buffer[10] or not 3 <= size <= _MOST:
        return -1
    whole = _HEADER + size + 1
    return whole if len(buffer) >= whole else 0


TWIN = WavetronixSs125
VARIANTS = {
    "wavetronix_ss125_7": Variant(partial(WavetronixSs125, address=7), {"address": 7}),
    "wavetronix_ss125_clock": Variant(WavetronixSs125, {"clock": "sensor"}),
    "wavetronix_ss125_events": Variant(WavetronixSs125, {"data": "events"}),
}
