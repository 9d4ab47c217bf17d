"""Cayenne LPP: the payload of home-made nodes and of many makers' boards; each entry names its own type.

LoRaWAN, any port; entries of channel c, type and value, big endian::

    c 65 l16  light, lux              c 73 p16   pressure, 0.1 hPa         c 00, 01 (1)  digital in, out
    c 66 oo   presence, 0 none        c 7D c16   concentration, ppm        c 02, 03 (2)  analog in, out
    c 67 t16  temperature, 0.1 C      c 82 d32   distance, mm              c 71, 86 (6)  acceleration, rotation
    c 68 hh   humidity, 0.5 %         c 74 v16   voltage, 0.01 V           c 88 (9)      place
    and of known length: 64 (4)  75 (2)  76 (4)  78 (1)  79 (2)  80 (2)  83 (4)  84 (2)  85 (4)  87 (3)  8E (1)

    03 67 01 10  05 67 00 FF        channel 3 has 27.2 C, channel 5 has 25.5 C

Presence and distance are `parking`, the rest is `air_quality`; the concentration is taken for CO2, the voltage for
the battery. The first channel of a type gives the field; a further one gives a measurement of its own with the tag
channel. Types that stand for no field are skipped; where a type is not known, reading ends, and what came before it
holds. With a threshold a distance tells occupied.

Sources: Cayenne Low Power Payload 1.2; the other types are IPSO object ids less 3200.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from drivers.codecs.common.distance import DistanceOptions, surface
from drivers.codecs.common.entries import Output, Part, joined, or_refused, with_rest
from gateway.contract import Codec, FieldValue, Reject, field

LIGHT, PRESENCE, TEMPERATURE, HUMIDITY, PRESSURE = 0x65, 0x66, 0x67, 0x68, 0x73
VOLTAGE, CONCENTRATION, DISTANCE = 0x74, 0x7D, 0x82
_OF_SIZE = {
    1: (0x00, 0x01, PRESENCE, HUMIDITY, 0x78, 0x8E),
    2: (0x02, 0x03, LIGHT, TEMPERATURE, PRESSURE, VOLTAGE, 0x75, 0x79, CONCENTRATION, 0x80, 0x84),
    3: (0x87,),
    4: (0x64, 0x76, DISTANCE, 0x83, 0x85),
    6: (0x71, 0x86),
    9: (0x88,),
}
SIZES = {type_: size for size, types in _OF_SIZE.items() for type_ in types}
"""Bytes of a value, by type."""

AIR: Mapping[int, Callable[[int], dict[str, FieldValue]]] = {
    LIGHT: lambda raw: {"illuminance": float(raw)},
    TEMPERATURE: lambda raw: {"temperature": (raw - 0x10000 if raw & 0x8000 else raw) / 10},
    HUMIDITY: lambda raw: {"relative_humidity": raw / 200},
    PRESSURE: lambda raw: {"atmospheric_pressure": raw / 10},
    VOLTAGE: lambda raw: {"battery_voltage": raw / 100},
    CONCENTRATION: lambda raw: {"co2": float(raw)},
}


def entries(payload: bytes) -> Iterator[tuple[int, int, bytes] | Reject]:
    """Return channel, type and value of each entry; a `Reject` where reading ends before its time."""
    at = 0
    while at < len(payload):
        if at + 1 == len(payload):
            yield Reject("length", payload, "the last entry has no type")
            return
        channel, type_ = payload[at], payload[at + 1]
        size = SIZES.get(type_)
        if size is None:
            yield Reject("unsupported", payload[at:], f"type {type_:02X} is not known")
            return
        start, at = at + 2, at + 2 + size
        if at > len(payload):
            yield Reject("length", payload, f"type {type_:02X} is cut")
            return
        yield channel, type_, payload[start:at]


def _part(type_: int, value: bytes, tags: Mapping[str, str], options: DistanceOptions) -> Part | None:
    raw = int.from_bytes(value, "big")
    if type_ == PRESENCE:
        return Part({"occupied": raw > 0}, "parking", tags)
    if type_ == DISTANCE:
        return Part(surface(raw, options), "parking", tags)
    read = AIR.get(type_)
    return None if read is None else Part(read(raw), "air_quality", tags)


def decode(_: int, payload: bytes, options: DistanceOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    parts: list[Part] = []
    first: dict[int, int] = {}
    for entry in entries(payload):
        if isinstance(entry, Reject):
            if entry.reason == "length":
                return [entry]
            return with_rest(joined(parts, "air_quality"), entry.raw, entry.detail)
        channel, type_, value = entry
        tags = {} if first.setdefault(type_, channel) == channel else {"channel": str(channel)}
        if (part := _part(type_, value, tags, options)) is not None:
            parts.append(part)
    return or_refused(joined(parts, "air_quality"), payload)


CODEC = Codec(
    name="cayenne_lpp",
    title="Cayenne LPP",
    fields=(
        field("temperature"),
        field("relative_humidity"),
        field("atmospheric_pressure"),
        field("illuminance"),
        field("co2"),
        field("occupied"),
        field("distance"),
        field("battery_voltage"),
    ),
    decode=decode,
    options=DistanceOptions,
    kinds=("air_quality", "parking"),
)
