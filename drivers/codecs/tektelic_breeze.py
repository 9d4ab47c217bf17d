"""Tektelic BREEZE (Smart Room Sensor with CO2): air in rooms.

LoRaWAN, port 10, entries of channel, type and value, big endian::

    0B E4 gg gg  CO2, filtered, ppm      03 67 tt tt  temperature, int16, 0.1 C     00 BA vv vv  battery, mV
    0E E4 gg gg  CO2, raw, ppm           04 68 hh     humidity, 0.5 %               00 D3 bb     battery, %
    0C 73 pp pp  pressure, 0.1 hPa       0A 00 mm     movement now, FF yes          11 D3 bb     that of the display
                                         0D 04 nn nn  movements

    0B E4 02 71  03 67 00 E3  04 68 6C  0C 73 27 6E      625 ppm, 22.7 C, 54 %, 1009.4 hPa

Quirks: CO2 that was not filtered is a series of its own, with the tag filter: raw, and so is the display's battery,
with the tag unit: display. Port 100 carries settings, port 101 answers.

Source: the vendor's codec in The Things Network's device repository (Smart Room Sensor CO2).
"""

from collections.abc import Iterable, Mapping

from drivers.codecs.common.entries import Fixed, Output, Part, Table
from drivers.codecs.common.entries import decode as decode_entries
from gateway.contract import Codec, Options, Reject, field

READINGS = 10


def _number(name: str, size: int, divisor: float = 1.0, tags: Mapping[str, str] | None = None) -> Fixed:
    return size, lambda value: (Part({name: int.from_bytes(value, "big") / divisor}, "", tags or {}),)


def _whole(name: str, size: int) -> Fixed:
    return size, lambda value: (Part({name: int.from_bytes(value, "big")}),)


CHANNELS: Table = {
    0x00BA: _number("battery_voltage", 2, 1000),
    0x00D3: _number("battery_level", 1, 100),
    0x0367: (2, lambda value: (Part({"temperature": int.from_bytes(value, "big", signed=True) / 10}),)),
    0x0468: _number("relative_humidity", 1, 200),
    0x0A00: (1, lambda value: (Part({"event": "movement" if value[0] else "no movement"}),)),
    0x0BE4: _number("co2", 2),
    0x0C73: _number("atmospheric_pressure", 2, 10),
    0x0D04: _whole("motion", 2),
    0x0EE4: _number("co2", 2, 1.0, {"filter": "raw"}),
    0x11D3: _number("battery_level", 1, 100, {"unit": "display"}),
}


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port != READINGS:
        return [Reject("unsupported", payload, f"port {port} carries no reading")]
    return decode_entries(payload, CHANNELS, "air_quality")


CODEC = Codec(
    name="tektelic_breeze",
    title="Tektelic BREEZE room sensor with CO2",
    fields=(
        field("co2", 0, 10_000),
        field("temperature"),
        field("relative_humidity"),
        field("atmospheric_pressure"),
        field("motion"),
        field("battery_voltage"),
        field("battery_level"),
        field("event"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
