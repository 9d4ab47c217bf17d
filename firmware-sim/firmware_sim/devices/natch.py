"""Twin of an advanced traffic controller that speaks Natch, with a loop detector in each lane.

Source: the description of Natch by the Minnesota DOT (IRIS, docs/natch.md). Lines of text with commas, to their end
with a newline; polls in capitals, answers in small letters, with the poll's message id::

    CS,00AC                      cs,00AC,2021-04-01T12:34:59-05:00     clock; set where the poll has a time
    DC,00AD,0,39                 dc,00AD,0,39                          input pin of a detector, 0 for none
    PS,0250,70                   ps,0250,70,0                          state of a pin
    SA,0291                      sa,0291,1800,80,50,13,7               times in 0.1 s
    V.,A042                      v.,A042,0.1.0,2022-01-31T12:34:56-05:00
    SC,05c1,restart              sc,05c1,restart
                                 ds,01a5,3,323,4638,17:50:28           a vehicle: detector, ms there, headway in ms

A vehicle is kept until ``DS`` with its message id comes, and until those before it were; any other id is ignored. One
second after the last new vehicle or the last ``DS``, up to 16 of those kept are sent, the oldest first, again and
again. The buffer has a bound here of 200, which the description leaves open; what overflows it is the oldest.
Meters are not simulated.
"""

from collections import deque
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import NamedTuple

from firmware_sim.parts.road import Road, Vehicle
from firmware_sim.parts.twin import Frame, Variant
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "natch"
BORN = datetime(2026, 3, 1, 23, 58, tzinfo=timezone(timedelta(hours=1)))

_AT_ONCE = 16
_TIMER = 1.0
_BUFFER = 200
_LONGEST = 128
_RESTART = 5.0


class _Event(NamedTuple):
    number: int
    line: bytes
    vehicle: Vehicle


class Natch:
    """One controller; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, lanes: int = 3) -> None:
        self.name = name
        self.clock_error = 0.0
        """Seconds by which its clock is ahead."""
        self.pins = {lane: 39 + lane for lane in range(lanes)}
        """Input pin of each detector; a detector without one sees nothing."""
        self.road = Road(seed, lanes)
        self._wire = Wire(seed)
        self.faults = self._wire.faults
        self._truth = truth
        self._received = b""
        self._number = 0x01A4
        self._kept: deque[_Event] = deque(maxlen=_BUFFER)
        self._told: set[Vehicle] = set()
        self._timer = 0.0
        self._away_until = 0.0

    @property
    def waiting(self) -> int:
        """Vehicles that the host has not acknowledged yet."""
        return len(self._kept)

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer each line; what is no poll is ignored."""
        if self.faults.silent or now < self._away_until:
            return []
        *lines, rest = (self._received + data).split(b"\n")
        self._received = rest[-_LONGEST:]
        answers: list[Frame] = []
        for line in lines:
            words = line.decode("utf-8", "replace").strip().split(",")
            if len(words) >= 2:
                answers += self._obey(words, now)
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Keep who has passed; say who is kept when the timer has run out."""
        for vehicle in self.road.left_until(now):
            if vehicle.left_at >= self._away_until and self.pins.get(vehicle.lane):
                self._keep(vehicle)
        if self.faults.silent or not self._kept or now < self._timer:
            return []
        self._timer = now + _TIMER
        oldest = list(self._kept)[:_AT_ONCE]
        return [frame for event in oldest for frame in self._wire.send(event.line, partial(self._heard, event))]

    def due(self) -> float:
        """Return when the timer runs out, or when a vehicle passes."""
        return min(self._timer if self._kept else self.road.next_passage(), self.road.next_passage())

    def power_cycle(self, now: float) -> None:
        """Start anew: those kept are gone, the message ids begin again."""
        self._received, self._number, self._away_until = b"", 0, now + _RESTART
        self._kept.clear()

    def stop(self) -> None:
        """Let no further vehicle come."""
        self.road.close()

    def quiet(self) -> bool:
        """Tell that no vehicle is kept any more."""
        return not self._kept

    def _keep(self, vehicle: Vehicle) -> None:
        self._number = (self._number + 1) & 0xFFFF
        presence, headway = round(vehicle.presence * 1000), round(vehicle.headway * 1000)
        at = self._clock(vehicle.left_at)
        line = f"ds,{self._number:04x},{vehicle.lane},{presence},{headway},{at:%H:%M:%S}\n".encode()
        self._kept.append(_Event(self._number, line, vehicle))
        self._timer = vehicle.left_at + _TIMER

    def _obey(self, words: list[str], now: float) -> list[Frame]:
        code, message, *rest = words
        match code, rest:
            case "DS", []:
                self._acknowledged(message, now)
                return []
            case "CS", []:
                told = self._clock(now).isoformat(timespec="seconds")
            case "CS", [told] if (set_to := _moment(told)) is not None:
                self.clock_error += (set_to - self._clock(now)).total_seconds()
            case "DC", [detector, *pin] if detector.isdecimal() and all(one.isdecimal() for one in pin):
                if pin:
                    self.pins[int(detector)] = int(pin[0]) if int(pin[0]) <= 104 else 0
                told = f"{detector},{self.pins.get(int(detector), 0)}"
            case "PS", [pin_number]:
                told = f"{pin_number},0"
            case "SA", []:
                told = "1800,80,50,13,7"
            case "SC", ["restart"]:
                self.power_cycle(now)
                told = "restart"
            case "V.", []:
                told = "0.1.0,2022-01-31T12:34:56-05:00"
            case _:
                return []
        return self._wire.send(f"{code.lower()},{message},{told}\n".encode())

    def _acknowledged(self, message: str, now: float) -> None:
        if self._kept and message.lower() == f"{self._kept[0].number:04x}":
            self._kept.popleft()
        self._timer = now + _TIMER

    def _clock(self, at: float) -> datetime:
        return BORN + timedelta(seconds=at + self.clock_error)

    def _heard(self, event: _Event, arrived: bool | None) -> None:
        vehicle = event.vehicle
        if arrived is False or vehicle in self._told:
            return
        self._told.add(vehicle)
        milliseconds = round(vehicle.presence * 1000)
        fields = {"intensity": 1, "presence_time": milliseconds / 1000}
        tags = {"detector": str(vehicle.lane)}
        self._truth.record(self.name, "traffic", fields, tags=tags, certain=arrived is True)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


TWIN = Natch
VARIANTS = {"natch_clock": Variant(Natch, {"clock": "controller"})}
