"""Twin of the Wavetronix SmartSensor (model 105), a radar beside a road of up to eight lanes.

Source: the SmartSensor's data protocol as IRIS of the Minnesota DOT (comm/ss105) speaks it. Text::

    Z00001XD        CR          the interval that ended last; XD0002 the one two intervals older
    Z00001XD  time  lanes  sum  ~  CR       time: 8 hex digits, seconds since 2000 UTC; sum: 4 hex digits

    each lane   number 1   count 8   speed 4 in mph   occupancy, small, medium, large 4 each, of 1024

The sum is that of the characters between the command and itself. `Z0`, four digits of the address, and the command
are repeated in the answer; ``Failure``, ``Invalid`` and ``Empty`` come without a sum.
"""

from collections import deque
from dataclasses import dataclass, field
from functools import partial

from firmware_sim.parts.road import Road, Vehicle
from firmware_sim.parts.twin import NEVER, Frame, Variant
from firmware_sim.parts.wire_faults import Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "wavetronix_ss105"
BORN = 826_070_400
"""The sensor's clock when the twin is built: 6 March 2026."""

_KEPT = 8
_LONGEST = 32
_MPH = 1.609344


def checksum(text: str) -> str:
    """Return the four hex digits that check ``text``."""
    return f"{sum(text.encode()) & 0xFFFF:04X}"


@dataclass
class _Interval:
    """One interval that is over, by lane."""

    number: int
    lanes: list[list[Vehicle]]
    told: bool = field(default=False)


class WavetronixSs105:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, address: int = 1, interval: int = 30) -> None:
        self.name = name
        self.road = Road(seed, lanes=2)
        self._wire = Wire(seed)
        self.faults = self._wire.faults
        self._truth = truth
        self._header = f"Z0{address:04}"
        self._interval = interval
        self._received = b""
        self._number = 0
        self._open: list[list[Vehicle]] = [[] for _ in self.road.lanes]
        self._over: deque[_Interval] = deque(maxlen=_KEPT)
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer each line that begins with its address."""
        if self.faults.silent:
            return []
        self.tick(now)
        *lines, rest = (self._received + data).split(b"\r")
        self._received = rest[-_LONGEST:]
        answers: list[Frame] = []
        for line in lines:
            text = line[-_LONGEST:].decode("ascii", "replace")
            header, _, command = text.partition(self._header)
            if command and not header:
                answers += self._answer(command)
        return answers

    def tick(self, now: float) -> list[Frame]:
        """Watch the road; say nothing."""
        for vehicle in self.road.left_until(now):
            self._close(vehicle.left_at)
            self._open[vehicle.lane].append(vehicle)
        self._close(now)
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return NEVER

    def power_cycle(self, now: float) -> None:
        """Start anew: what was counted is gone."""
        self.tick(now)
        self._received = b""
        self._over.clear()
        self._open = [[] for _ in self.road.lanes]

    def stop(self) -> None:
        """Let no further vehicle come, and end no further interval."""
        self.road.close()
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it never begins anything that takes time."""
        return True

    def _close(self, now: float) -> None:
        while self._number < int(now // self._interval) and not self._stopped:
            self._number += 1
            self._over.append(_Interval(self._number, self._open))
            self._open = [[] for _ in self.road.lanes]

    def _answer(self, command: str) -> list[Frame]:
        name, age = command[:2], command[2:] or "0000"
        if name == "S5":
            return self._wire.send(f"{self._header}S5SS105 V2.20~\r".encode())
        if name != "XD" or len(age) != 4 or not set(age) <= set("0123456789ABCDEF"):
            return self._wire.send(f"{self._header}{name}Invalid~\r".encode("ascii", "replace"))
        back = int(age, 16)
        if back >= len(self._over):
            return self._wire.send(f"{self._header}XDEmpty~\r".encode())
        one = self._over[-1 - back]
        text = f"{BORN + one.number * self._interval:08X}" + "".join(
            self._lane(number, vehicles) for number, vehicles in enumerate(one.lanes, 1)
        )
        return self._wire.send(f"{self._header}XD{text}{checksum(text)}~\r".encode(), partial(self._heard, one))

    def _lane(self, number: int, vehicles: list[Vehicle]) -> str:
        count = len(vehicles)
        speed = round(sum(vehicle.speed for vehicle in vehicles) / (count or 1) / _MPH)
        sizes = [sum(low <= vehicle.length < high for vehicle in vehicles) for low, high in ((0, 6), (6, 9), (9, 99))]
        shares = [round(1024 * size / (count or 1)) for size in sizes]
        return f"{number:X}{count:08X}{speed:04X}{_steps(vehicles, self._interval):04X}" + "".join(
            f"{share:04X}" for share in shares
        )

    def _heard(self, one: _Interval, arrived: bool | None) -> None:
        if arrived is False or one.told:
            return
        one.told = True
        for number, vehicles in enumerate(one.lanes, 1):
            fields = {"intensity": len(vehicles), "occupancy": _steps(vehicles, self._interval) / 1024}
            tags = {"lane": str(number)}
            self._truth.record(self.name, "traffic", fields, tags=tags, certain=arrived is True)


def _steps(vehicles: list[Vehicle], interval: int) -> int:
    return min(round(1024 * sum(vehicle.presence for vehicle in vehicles) / interval), 1024)


TWIN = WavetronixSs105
VARIANTS = {"wavetronix_ss105_clock": Variant(WavetronixSs105, {"clock": "sensor"})}
