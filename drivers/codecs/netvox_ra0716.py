"""Netvox RA0716, R72616, R72716, R72616A: PM2.5 with temperature and humidity, outdoors.

LoRaWAN, port 6, eleven bytes, big endian::

    01 dd rr vv tt tt hh hh pp pp ..      d device: 35, 36, 37, 6A; r kind of report, 1; v battery, 0.1 V, bit 7 low;
                                          t int16, 0.01 C; h humidity, 0.01 %; p PM2.5, ug/m3
    01 dd 00 ss ww yy yy mm dd ..         s firmware, 0.1; w hardware; date of making
    port 7                                answers to settings

    01 35 01 24 09 E5 13 5F 00 0C 00      3.6 V, 25.33 C, 49.59 %, 12 ug/m3

Quirks: a battery of 0 says that there is none: it is powered from outside. FFFF for PM2.5 is none. The devices R72615
and RA0715, which have other numbers, send CO2 in the same place.

Source: the vendor's codec in The Things Network's device repository (RA0716).
"""

from collections.abc import Iterable
from struct import unpack_from

from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

REPORTS = 6
SIZE = 11
DEVICES = (0x35, 0x36, 0x37, 0x6A)
VERSIONS, READING = 0, 1
LOW = 0x80
NONE = 0xFFFF


def _reading(payload: bytes) -> dict[str, FieldValue]:
    volts, celsius, humid, dust = unpack_from(">BhHH", payload, 3)
    fields: dict[str, FieldValue] = {"temperature": celsius / 100, "relative_humidity": humid / 10_000}
    if dust != NONE:
        fields["pm25"] = float(dust)
    if volts & 0x7F:
        fields |= {"battery_voltage": (volts & 0x7F) / 10, "battery_low": bool(volts & LOW)}
    return fields


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port != REPORTS:
        return [Reject("unsupported", payload, f"port {port} carries no reading")]
    if len(payload) != SIZE:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    if payload[1] not in DEVICES:
        return [Reject("noise", payload, f"from a Netvox device of number {payload[1]}, which is none of these")]
    if payload[2] == VERSIONS:
        said: dict[str, FieldValue] = {"firmware_version": str(payload[3] / 10), "hardware_version": str(payload[4])}
        return [Measurement("air_quality", said)]
    if payload[2] != READING:
        return [Reject("unsupported", payload, f"report {payload[2]:02X}")]
    return [Measurement("air_quality", _reading(payload))]


CODEC = Codec(
    name="netvox_ra0716",
    title="Netvox RA0716, R72616, R72716 PM2.5 sensors",
    fields=(
        field("pm25"),
        field("temperature"),
        field("relative_humidity"),
        field("battery_voltage"),
        field("battery_low"),
        field("firmware_version"),
        field("hardware_version"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
