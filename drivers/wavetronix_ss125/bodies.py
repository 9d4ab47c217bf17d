"""Bodies of the Wavetronix SmartSensor HD: intervals and vehicles; `drivers.wavetronix_ss125` has the sheet."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from gateway.contract import FieldValue

FOOT, MILE = 0.3048, 1.609344
OCCUPANCY_ERRORS = 0x7FFF
"""From here on an occupancy is an error code, which is not documented."""

_EPOCH = date(1970, 1, 1).toordinal()
_LAST_DAY = 106_000
"""Days since 1970; databases end a little later, in 2262."""


class Passage(NamedTuple):
    """One vehicle (67h), in the sensor's units; ``stamp`` ns UTC, ``lane`` from 0, ``duration`` ms."""

    is_event: bool
    stamp: int
    lane: int
    range: float
    duration: int
    speed: float | None
    vehicle_class: int
    length: float

    def fields(self, *, metric: bool | None) -> dict[str, FieldValue]:
        """Return it in vocabulary units; speed and length only where the sensor's units are known."""
        said: dict[str, FieldValue] = {"intensity": 1, "presence_time": self.duration / 1000}
        if metric is not None:
            said["average_vehicle_length"] = round(self.length * (1.0 if metric else FOOT), 2)
            said |= _speeds(metric, (("average_vehicle_speed", self.speed),))
        return said


class Interval(NamedTuple):
    """One lane's interval (71h), in the sensor's units; ``stamp`` of its end, ns UTC; occupancy per cent, times ms.

    Packets from ``lanes`` on are approaches: sums of lanes.
    """

    packet: int
    number: int
    stamp: int
    speed: float | None
    volume: int
    occupancy: float | None
    classes: tuple[int, ...]
    speed_85: float | None
    headway: int
    gap: int
    lanes: int
    approaches: int

    @property
    def packets(self) -> int:
        """How many there are of one interval."""
        return self.lanes + self.approaches

    def fields(self, *, metric: bool | None) -> dict[str, FieldValue]:
        """Return it in vocabulary units; speeds only where the sensor's units are known."""
        said: dict[str, FieldValue] = {"intensity": self.volume}
        said |= {f"intensity_class_{number}": count for number, count in enumerate(self.classes)}
        if self.occupancy is not None:
            said["occupancy"] = round(self.occupancy / 100, 6)
        if self.volume:
            said["average_headway_time"] = self.headway / 1000
            said["average_gap_time"] = self.gap / 1000
        if metric is not None:
            speeds = (("average_vehicle_speed", self.speed), ("speed_85th_percentile", self.speed_85))
            said |= _speeds(metric, speeds)
        return said


def _speeds(metric: bool, speeds: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    factor = 1.0 if metric else MILE
    return {name: round(speed * factor, 2) for name, speed in speeds if speed is not None}


def passage(sub: int, data: bytes) -> Passage | None:
    """Parse the 20 bytes of an active event; None where date or time are none."""
    stamp = moment(data)
    if sub != 1:
        return Passage(False, stamp or 0, 0, 0.0, 0, None, 0, 0.0)
    if stamp is None:
        return None
    duration = int.from_bytes(data[11:14], "big")
    distance, length = fixed16(data[9:]), fixed16(data[18:])
    return Passage(True, stamp, data[8], distance, duration, fixed24(data[14:17]), data[17], length)


def interval(sub: int, data: bytes) -> Interval | None:
    """Parse the 42 bytes of a packet of interval data; None where date or time are none."""
    stamp = moment(data[3:])
    if stamp is None:
        return None
    number, volume, *classes, headway, gap = (
        int.from_bytes(data[at : at + 3], "big") for at in (0, 14, 19, 22, 25, 28, 34, 37)
    )
    steps = int.from_bytes(data[17:19], "big")
    occupancy = steps / 256 if steps < OCCUPANCY_ERRORS else None
    fast = fixed24(data[31:34])
    return Interval(
        sub, number, stamp, fixed24(data[11:14]), volume, occupancy, tuple(classes), fast, headway, gap, *data[40:42]
    )


def fixed24(data: bytes) -> float | None:
    """Return a number of three bytes: bit 23 says that it is one; the fraction takes the sign of the integer."""
    word = int.from_bytes(data, "big")
    if not word & 0x800000:
        return None
    whole = (word >> 8 & 0x7FFF ^ 0x4000) - 0x4000
    part = (word & 0xFF) / 256
    return whole + part if whole >= 0 else whole - part


def fixed16(data: bytes) -> float:
    """Return a number of two bytes."""
    return data[0] + data[1] / 256


def moment(data: bytes) -> int | None:
    """Return date and time of eight bytes in nanoseconds UTC, None for what is none."""
    day, time = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    hour, minute, second, millisecond = time >> 22 & 0x1F, time >> 16 & 0x3F, time >> 10 & 0x3F, time & 0x3FF
    try:
        days = date(day >> 9 & 0xFFF, day >> 5 & 0xF, day & 0x1F).toordinal() - _EPOCH
    except ValueError:
        return None
    if hour > 23 or minute > 59 or second > 59 or millisecond > 999 or not 0 <= days < _LAST_DAY:
        return None
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * 10**9 + millisecond * 10**6
