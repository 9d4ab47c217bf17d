"""Parametric TCR: vehicles counted by radar, in both directions and four classes of speed.

LoRaWAN, big endian; counts since the last message::

    port 15   BE 02 01 bb    ww ww tt tt then four times  ll ll aa rr rr aa
              BE 02 02 bb bb ww ww tt tt then the same    b battery of the solar charger, % (version 1) or mV (2);
                                         w solar power, mW; t temperature of the device, int16, 0.1 C;
                                         l, r counted to the left and to the right; a their average speed, km/h
    port 190  BE 02 vv dd f f f oo cc uu ii ii kk kk hh hh ss ll rr then from, to of four classes in km/h
              after a join: f firmware, i interval in min, k link check in min, h hold-off in s, s sensitivity in %

    BE 02 01 64 12C2 18B8  0000 00 0001 06  0000 00 0002 0B  0000 00 0001 1E  0000 00 0000 00
              100 %, 4.802 W; to the right 1 at 6 km/h, 2 at 11, 1 at 30: 4 vehicles, 14.5 km/h on average

One measurement a direction (tag direction: left, right) with the count of each class, the slowest first.
Quirk: a class without vehicles has the speed 0, which is none.

Source: TCR payload descriptions v1 and v2 (Parametric).
"""

from collections.abc import Iterable
from struct import unpack_from
from typing import NamedTuple

from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

COUNTS, CONFIGURATION = 15, 190
FAMILY = b"\xbe\x02"
CLASSES = range(4)
SIZES = {1: 32, 2: 33}


class Direction(NamedTuple):
    """Count and average speed in km/h of each class."""

    classes: tuple[tuple[int, int], ...]

    @property
    def vehicles(self) -> int:
        """How many there were in all classes."""
        return sum(count for count, _ in self.classes)

    @property
    def speed(self) -> float:
        """The average over all vehicles; 0 where there are none."""
        return sum(count * speed for count, speed in self.classes) / (self.vehicles or 1)


class Settings(NamedTuple):
    """The settings on port 190; minutes, seconds, per cent, km/h."""

    firmware: str
    interval: int
    link_check: int
    hold_off: int
    sensitivity: int
    classes: tuple[tuple[int, int], ...]


def directions(payload: bytes) -> dict[str, Direction]:
    """Parse the counts in a payload of port 15."""
    counted = [unpack_from(">HBHB", payload, len(payload) - 24 + 6 * number) for number in CLASSES]
    left = tuple((count, speed) for count, speed, _, _ in counted)
    right = tuple((count, speed) for _, _, count, speed in counted)
    return {"left": Direction(left), "right": Direction(right)}


def settings(payload: bytes) -> Settings:
    """Parse a payload of port 190."""
    interval, link_check, hold_off, sensitivity = unpack_from(">HHHB", payload, 10)
    classes = tuple((payload[at], payload[at + 1]) for at in range(19, 27, 2))
    return Settings(".".join(map(str, payload[4:7])), interval, link_check, hold_off, sensitivity, classes)


def own(payload: bytes) -> dict[str, FieldValue]:
    """Return the device's own state from port 15."""
    if payload[2] == 1:
        charge, power, tenths = unpack_from(">BHh", payload, 3)
        battery = {"battery_level": charge / 100}
    else:
        charge, power, tenths = unpack_from(">HHh", payload, 3)
        battery = {"battery_voltage": charge / 1000}
    return {**battery, "solar_power": power / 1000, "device_temperature": tenths / 10}


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if port not in (COUNTS, CONFIGURATION):
        return [Reject("unsupported", payload, f"port {port} carries no counts")]
    if payload[:2] != FAMILY:
        return [Reject("noise", payload, "not from a TCR")]
    if len(payload) != (27 if port == CONFIGURATION else SIZES.get(payload[2] if len(payload) > 2 else 0)):
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    if port == CONFIGURATION:
        said = {"event": "configuration", "firmware_version": settings(payload).firmware}
        return [Measurement("traffic", dict(said))]
    measured: list[Measurement | Reject] = [Measurement("traffic", own(payload))]
    for name, direction in directions(payload).items():
        fields: dict[str, FieldValue] = {"intensity": direction.vehicles}
        fields |= {f"intensity_class_{number}": direction.classes[number][0] for number in CLASSES}
        if direction.vehicles:
            fields["average_vehicle_speed"] = direction.speed
        measured.append(Measurement("traffic", fields, tags={"direction": name}))
    return measured


CODEC = Codec(
    name="parametric_tcr",
    title="Parametric TCR radar traffic counter",
    fields=(
        field("intensity"),
        *(field(f"intensity_class_{number}") for number in CLASSES),
        field("average_vehicle_speed", 0, 255),
        field("battery_level"),
        field("battery_voltage"),
        field("solar_power"),
        field("device_temperature"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    kinds=("traffic",),
)
