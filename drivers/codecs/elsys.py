"""ELSYS sensors (ERS, EMS, ELT, ESM, ERD): one payload for all; what is built in is in it.

LoRaWAN, port 5 as delivered, any port is taken; entries of type and value, big endian::

    01 t16  temperature, 0.1 C       0A n16  pulses since the last message     10 t16 t16  infrared: own, seen, 0.1 C
    02 hh   humidity, %              0B n32  all pulses                        11 oo       0 free, 1 changing, 2 taken
    03 x y z  acceleration           0C t16  outside temperature, 0.1 C        12 ww       water
    04 l16  light, lux               0D dd   digital input                     13 (65)     8 x 8 temperatures
    05 mm   movements                0E d16  distance, mm                      14 p32      pressure, 0.001 hPa
    06 c16  CO2, ppm                 0F mm   shocks                            15 pp aa    sound, dB: peak, average
    07 v16  battery, mV              08, 18 v16  analog inputs, mV             16, 17      as 0A, 0B, second input
    09 (6)  place                    19 t16  second outside temperature        1A dd  1B v32  1C v16 tVOC, ppb  3D (4)
    since 2024 (ERS Interact and Lite, EIAQd, ELT-2): 1D (1) 1E (1) 1F (1) 20 (2) 21 (1) 22 (2) 23 (1) 24 (1) 3C (4),
                                     3B n (n): air index, generic values, display, setpoint, fan, outside humidity

    01 00 E2  02 29  04 01 27  05 06  06 03 0D      22.6 C, 41 %, 295 lux, 6 movements, 781 ppm

Air is `air_quality`, occupancy and distance `parking`, pulses `traffic` with the tag input: 1 or 2; a second outside
temperature has the tag probe: 2.
Quirks: the two upper bits of a type are the number of bytes of a time offset behind the value: such an entry is an
older reading whose time cannot be told, and is left out. 3E (settings) takes the rest of the payload. Taken alone,
"changing" (1) is neither free nor taken. A widely copied decoder gives the pressure a thousand times too high. Where
a type is not known, reading ends, and what came before it holds.

Sources: ELSYS LoRa payload 1.11, and the types of the document of 2024; the vendor's decoder.
"""

from collections.abc import Iterable, Iterator
from functools import cache

from drivers.codecs.common.distance import DistanceOptions, surface
from drivers.codecs.common.entries import (
    Fixed,
    Output,
    Part,
    Said,
    joined,
    or_refused,
    unread,
    with_rest,
)
from gateway.contract import Codec, FieldValue, Reject, Remark, field

SETTINGS = 0x3E
OCCUPANCY: dict[int, dict[str, FieldValue]] = {
    0: {"occupied": False},
    1: {"event": "changing"},
    2: {"occupied": True},
}


def _air(name: str, size: int, divisor: float = 1.0) -> Fixed:
    return size, lambda value: (Part({name: int.from_bytes(value, "big") / divisor}, "air_quality"),)


def _tenths(name: str, size: int = 2) -> Fixed:
    return size, lambda value: (Part({name: int.from_bytes(value[-2:], "big", signed=True) / 10}, "air_quality"),)


def _pulses(source: str, name: str, size: int) -> Fixed:
    return size, lambda value: (Part({name: int.from_bytes(value, "big")}, "traffic", {"input": source}),)


def _sound(value: bytes) -> Iterable[Part]:
    return (Part({"sound_level_max": float(value[0]), "sound_level": float(value[1])}, "air_quality"),)


def _second_probe(value: bytes) -> Iterable[Part]:
    degrees = int.from_bytes(value, "big", signed=True) / 10
    return (Part({"external_temperature": degrees}, "air_quality", {"probe": "2"}),)


@cache
def table(options: DistanceOptions) -> dict[int, Fixed]:
    """Return size and meaning of each type, its distance read with these options."""
    return {
        0x01: _tenths("temperature"),
        0x02: _air("relative_humidity", 1, 100),
        0x03: unread(3),
        0x04: _air("illuminance", 2),
        0x05: (1, lambda value: (Part({"motion": value[0]}, "air_quality"),)),
        0x06: _air("co2", 2),
        0x07: (2, lambda value: (Part({"battery_voltage": int.from_bytes(value, "big") / 1000}),)),
        0x08: unread(2),
        0x09: unread(6),
        0x0A: _pulses("1", "intensity", 2),
        0x0B: _pulses("1", "total_count", 4),
        0x0C: _tenths("external_temperature"),
        0x0D: unread(1),
        0x0E: (2, lambda value: (Part(surface(int.from_bytes(value, "big"), options), "parking"),)),
        0x0F: unread(1),
        0x10: _tenths("surface_temperature", 4),
        0x11: (1, lambda value: (Part(OCCUPANCY.get(value[0], {}), "parking"),)),
        0x12: unread(1),
        0x13: unread(65),
        0x14: _air("atmospheric_pressure", 4, 1000),
        0x15: (2, _sound),
        0x16: _pulses("2", "intensity", 2),
        0x17: _pulses("2", "total_count", 4),
        0x18: unread(2),
        0x19: (2, _second_probe),
        0x1A: unread(1),
        0x1B: unread(4),
        0x1C: _air("tvoc", 2),
        **{type_: unread(1) for type_ in (0x1D, 0x1E, 0x1F, 0x21, 0x23, 0x24)},
        0x20: unread(2),
        0x22: unread(2),
        0x3C: unread(4),
        0x3D: unread(4),
    }


BYTES = 0x3B
"""The one type whose value says how long it is."""
SIZES = {type_: size for type_, (size, _) in table(DistanceOptions()).items()}


def entries(payload: bytes) -> Iterator[tuple[int, bytes] | Reject | Remark]:
    """Return type and value of each entry; a remark in place of an older one, a `Reject` where reading ends early."""
    at = 0
    while at < len(payload):
        type_, offset = payload[at] & 0x3F, payload[at] >> 6
        size = SIZES.get(type_, 1 + sum(payload[at + 1 : at + 2]) if type_ == BYTES else None)
        if size is None:
            what = "settings" if type_ == SETTINGS else f"type {type_:02X} is not known"
            yield Reject("unsupported", payload[at:], what)
            return
        start, at = at + 1, at + 1 + size + offset
        if at > len(payload):
            yield Reject("length", payload, f"the value of type {type_:02X} is cut")
        elif offset:
            yield Remark("left out", "an older reading", f"type {type_:02X}")
        else:
            yield type_, payload[start : start + size]


def decode(_: int, payload: bytes, options: DistanceOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    types = table(options)
    parts: list[Said] = []
    rest: Reject | None = None
    for entry in entries(payload):
        if isinstance(entry, Remark):
            parts.append(entry)
        elif not isinstance(entry, Reject):
            if (known := types.get(entry[0])) is not None:
                parts += known[1](entry[1])
        elif entry.reason == "length":
            return [entry]
        else:
            rest = entry
    kind = next((part.kind for part in parts if isinstance(part, Part) and part.kind), "air_quality")
    said = joined(parts, kind)
    if rest is not None:
        return with_rest(said, rest.raw, rest.detail)
    return or_refused(said, payload)


_AIR = ("temperature", "relative_humidity", "illuminance", "motion", "co2", "tvoc", "atmospheric_pressure")
_MORE_AIR = ("external_temperature", "surface_temperature", "sound_level", "sound_level_max")
_OTHERS = ("distance", "occupied", "event", "intensity", "total_count", "battery_voltage")

CODEC = Codec(
    name="elsys",
    title="ELSYS ERS, EMS, ELT, ESM, ERD sensors",
    fields=tuple(map(field, (*_AIR, *_MORE_AIR, *_OTHERS))),
    decode=decode,
    options=DistanceOptions,
    kinds=("air_quality", "parking", "traffic"),
)
