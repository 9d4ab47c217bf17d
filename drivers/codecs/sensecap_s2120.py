"""SenseCAP S2120: weather station with eight sensors.

LoRaWAN, frames one after the other, big endian, each begun by its kind::

    01, 4A  tt tt hh l l l l uu ww ww       t temperature, int16, 0.1 C; h humidity, %; l light, lux; u UV index, 0.1;
                                            w wind, 0.1 m/s
    02, 4B  dd dd r r r r pp pp             d wind from, degrees; r rain, 0.001 mm/h; p pressure, 0.1 hPa
    4C      gg gg a a a a                   g gust, 0.1 m/s; a rain in all, 0.001 mm
    03      bb                              battery, %
    04      bb hh hh ff ff mm mm gg gg      battery, hardware, firmware (1.6 is 01 06), intervals in minutes
    05      mm mm gg gg                     intervals
    06      ee                              error of the sensor head, 0 none
    10      ss (8)                          identity of the sensor

    4A 00 BF 42 00 00 00 2B 00 00 00  4B 00 72 00 00 00 00 27 37  4C 00 00 00 00 00 FE
              19.1 C, 66 %, 43 lux, no wind, from 114 degrees, no rain, 1003.9 hPa; 0.254 mm in all

Quirks: the vendor's script takes every number for signed; only the temperature is. One whose bits are all 1 is more
than the sensor can say: it is left out, and so is the temperature beside such a humidity. Rain in all has 32 bits and
begins again after a reset.

Source: the vendor's SenseCAP-Decoder, S2120 (October 2024).
"""

from collections.abc import Callable, Iterable, Mapping
from struct import unpack

from drivers.codecs.common.entries import Output, Part, Said, joined, or_refused, with_rest
from gateway.contract import Codec, FieldValue, Options, Reject, Remark, field

SIZES = {
    **dict.fromkeys((0x01, 0x4A), 10),
    **dict.fromkeys((0x02, 0x4B), 8),
    0x03: 1,
    0x04: 9,
    0x05: 4,
    0x06: 1,
    0x10: 9,
    0x4C: 6,
    **dict.fromkeys((0x20, 0x21, 0x30, 0x31, 0x33, *range(0x40, 0x46)), 10),
    **dict.fromkeys((0x32, *range(0x35, 0x3A)), 9),
    0x34: 4,
}
"""Bytes behind the kind of a frame; the last three lines are of other devices of the maker, and no reading here."""

LONGEST = {
    "relative_humidity": 0xFF,
    "uv_index": 0xFF,
    "illuminance": 0xFFFF_FFFF,
    "precipitation_total": 0xFFFF_FFFF,
}
LONGEST["precipitation_rate"] = 0xFFFF_FFFF
"""All bits of a number; 16 where it is not here."""


def _measured(*values: tuple[str, int, float]) -> Iterable[Said]:
    fields = {name: raw / divisor for name, raw, divisor in values if raw != LONGEST.get(name, 0xFFFF)}
    yield Part(fields)
    for name, raw, _ in values:
        if name not in fields:
            yield Remark("left out", name, f"{raw:X}")


def _air(value: bytes) -> Iterable[Said]:
    tenths, humid, light, ultraviolet, wind = unpack(">hBIBH", value)
    if humid != LONGEST["relative_humidity"]:
        yield Part({"temperature": tenths / 10})
    yield from _measured(
        ("relative_humidity", humid, 100),
        ("illuminance", light, 1),
        ("uv_index", ultraviolet, 10),
        ("wind_speed", wind, 10),
    )


def _wind(value: bytes) -> Iterable[Said]:
    degrees, rain, pressure = unpack(">HIH", value)
    return _measured(
        ("wind_direction", degrees, 1),
        ("precipitation_rate", rain, 1000),
        ("atmospheric_pressure", pressure, 10),
    )


def _gust(value: bytes) -> Iterable[Said]:
    gust, rain = unpack(">HI", value)
    return _measured(("gust_speed", gust, 10), ("precipitation_total", rain, 1000))


def _own(value: bytes) -> Iterable[Said]:
    versions: dict[str, FieldValue] = {
        "hardware_version": f"{value[1]}.{value[2]}",
        "firmware_version": f"{value[3]}.{value[4]}",
    }
    return (Part({"battery_level": value[0] / 100, **versions}),)


def _error(value: bytes) -> Iterable[Said]:
    return (Part({"device_error": value[0], "event": "sensor error"} if value[0] else {}),)


READERS: Mapping[int, Callable[[bytes], Iterable[Said]]] = {
    **dict.fromkeys((0x01, 0x4A), _air),
    **dict.fromkeys((0x02, 0x4B), _wind),
    0x03: lambda value: (Part({"battery_level": value[0] / 100}),),
    0x04: _own,
    0x06: _error,
    0x4C: _gust,
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    parts: list[Said] = []
    at = 0
    while at < len(payload):
        kind, start = payload[at], at + 1
        if kind not in SIZES:
            return with_rest(
                joined(parts, "air_quality"), payload[at:], f"frame {kind:02X} is not known of this device"
            )
        if start + SIZES[kind] > len(payload):
            return [Reject("length", payload, f"frame {kind:02X} is cut")]
        at = start + SIZES[kind]
        parts += READERS[kind](payload[start:at]) if kind in READERS else ()
    return or_refused(joined(parts, "air_quality"), payload)


CODEC = Codec(
    name="sensecap_s2120",
    title="SenseCAP S2120 weather station",
    fields=(
        field("temperature", -40, 85),
        field("relative_humidity"),
        field("illuminance"),
        field("uv_index"),
        field("wind_speed"),
        field("wind_direction"),
        field("gust_speed"),
        field("precipitation_rate"),
        field("precipitation_total"),
        field("atmospheric_pressure"),
        field("battery_level"),
        field("hardware_version"),
        field("firmware_version"),
        field("device_error"),
        field("event"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
