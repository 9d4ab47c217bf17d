"""Parametric (now PMX) TCR: vehicles counted by radar, in both directions; two generations.

LoRaWAN, big endian; counts since the last message. The first generation, in four classes of speed::

    port 15   BE 02 01 bb    ww ww tt tt then four times  ll ll aa rr rr aa
              BE 02 02 bb bb ww ww tt tt then the same    b battery of the solar charger, % (version 1) or mV (2);
                                         w solar power, mW; t temperature of the device, int16, 0.1 C;
                                         l, r counted to the left and to the right; a their average speed, km/h
    port 190  BE 02 vv dd f f f oo cc uu ii ii kk kk hh hh ss ll rr then from, to of four classes in km/h
              after a join: f firmware, i interval in min, k link check in min, h hold-off in s, s sensitivity in %

    BE 02 01 64 12C2 18B8  0000 00 0001 06  0000 00 0002 0B  0000 00 0001 1E  0000 00 0000 00
              100 %, 4.802 W; to the right 1 at 6 km/h, 2 at 11, 1 at 30: 4 vehicles, 14.5 km/h on average

The second (2022), in up to four categories of size and speed, a message each, all of one interval::

    port 13 to 17  A2 hh mm  ll ll aa  rr rr aa  vv      port 13 all that was seen, 14 to 17 category 1 to 4; end of
                                                         the interval, hours and minutes; l left to right, r right
                                                         to left; v supply, 0.1 V
    port 190       D2 tt ff ss vv vv xx xx               t model, f licence, s class of speed, v firmware, x that of
                                                         the charger; 11 00 is 1.1.0
    port 1         C2 ..                                 an answer to a setting

    A2 14 0A  03E8 32  044C 34  33      until 20:10, 1000 at 50 km/h and 1100 at 52 km/h on average; 5.1 V

One measurement a direction; its tag is left or right, with the count of each class, the slowest first, or
left_to_right or right_to_left with the tag category: all, 1, 2, 3, 4. A vehicle may be in several categories.
Quirks: a class or category without vehicles has the speed 0, which is none. The generations share port 15, and the
first byte tells them apart. The interval's end has no date, so the network's time stands.

Sources: TCR payload descriptions v1 and v2 (Parametric); PMX's codec in the Actility device catalog (July 2026).
"""

from collections.abc import Iterable
from struct import unpack_from
from typing import NamedTuple

from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

COUNTS, CONFIGURATION = 15, 190
FAMILY = b"\xbe\x02"
COUNTED, IDENTITY = b"\xa2", b"\xd2"
CATEGORIES = {13: "all", 14: "1", 15: "2", 16: "3", 17: "4"}
"""Port of the second generation -> what it counts."""
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


def _second(port: int, payload: bytes) -> Iterable[Measurement | Reject]:
    if (port == CONFIGURATION) != (payload[:1] == IDENTITY):
        return [Reject("noise", payload, f"byte {payload[0]:02X} on port {port}")]
    if port == CONFIGURATION:
        return [_identity(payload)]
    category = CATEGORIES.get(port)
    if category is None:
        return [Reject("unsupported", payload, f"port {port} carries no counts")]
    if len(payload) != 10:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    _, _, _, *counted, tenths = unpack_from(">BBBHBHBB", payload)
    said: list[Measurement | Reject] = [Measurement("traffic", {"battery_voltage": tenths / 10})]
    for way, (count, speed) in zip(("left_to_right", "right_to_left"), (counted[:2], counted[2:]), strict=True):
        fields: dict[str, FieldValue] = {"intensity": count}
        if count:
            fields["average_vehicle_speed"] = float(speed)
        said.append(Measurement("traffic", fields, tags={"direction": way, "category": category}))
    return said


def _identity(payload: bytes) -> Measurement | Reject:
    if len(payload) != 8:
        return Reject("length", payload, f"{len(payload)} bytes on port {CONFIGURATION}")
    firmware = f"{payload[4] >> 4}.{payload[4] & 0x0F}.{payload[5]}"
    return Measurement("traffic", {"event": "configuration", "firmware_version": firmware})


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if payload[:1] in (COUNTED, IDENTITY):
        return _second(port, payload)
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
