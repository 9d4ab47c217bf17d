"""Browan Tabs: TBHH100 climate, TBHV110 air, TBMS100 movement, TBAM100 light, TBSL100 sound.

LoRaWAN, the port tells the device; s status, v 0.1 V above 2.5 in its lower half, t degrees and 32, h %, 7 bits each;
numbers little endian::

    port 102   s. .v tt mm mm cc cc cc     TBMS100: s bit 0 movement; t of the board; m minutes since the last
                                           movement, c all of them
    port 103   s. .v tt hh                 TBHH100
               s. .v tt hh gg gg oo oo aa aa kk    TBHV110: t of the board; g CO2 equivalent, ppm; o organic
                                                   compounds, ppb; a air quality, its own scale; k of the air
    port 104   s. .v tt ll ll ll           TBAM100: t of the board; l light, 0.01 lux
    port 105   s. .v tt dd                 TBSL100: t of the board; d sound, dB

    01 7B 34 16 00 51 0C 00     movement, 3.6 V, 20 C; the last 22 minutes ago, 3153 in all
    00 0B 36 1D                 3.6 V, 22 C, 29 %

Quirks: battery and temperature lie in parts of a byte, whose other bits differ from firmware to firmware. More than
100 % for the humidity, and 127 for the temperature beside it, come from a sensor that failed. The sum of movements is
`traffic` and begins again; how long ago the last was is left out, as is the air quality. Zeros alone say nothing.

Sources: Browan's codecs in The Things Network's device repository; akenza's device library (0c405d3, of August
2026).
"""

from collections.abc import Iterable

from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

MOTION, CLIMATE, LIGHT, SOUND = 102, 103, 104, 105
SIZES = {MOTION: (8,), CLIMATE: (4, 11), LIGHT: (6,), SOUND: (4,)}
FAILED = 0x7F


def _celsius(byte: int) -> float:
    return float((byte & 0x7F) - 32)


def _little(payload: bytes, at: int, size: int = 2) -> int:
    return int.from_bytes(payload[at : at + size], "little")


def _climate(payload: bytes) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {}
    if payload[2] & 0x7F != FAILED:
        fields["temperature"] = _celsius(payload[2])
    if payload[3] & 0x7F <= 100:
        fields["relative_humidity"] = (payload[3] & 0x7F) / 100
    if len(fields) < 2:
        fields["event"] = "sensor failure"
    if len(payload) == SIZES[CLIMATE][0]:
        return fields
    fields |= {"co2_equivalent": float(_little(payload, 4)), "tvoc": float(_little(payload, 6))}
    return fields | {"device_temperature": _celsius(payload[2]), "temperature": _celsius(payload[10])}


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port not in SIZES:
        return [Reject("unsupported", payload, f"port {port} carries no reading")]
    if len(payload) not in SIZES[port]:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    if not any(payload):
        return [Reject("unsupported", payload, "zeros alone")]
    fields: dict[str, FieldValue] = {"battery_voltage": (25 + (payload[1] & 0x0F)) / 10}
    if port == CLIMATE:
        fields |= _climate(payload)
    else:
        fields["device_temperature"] = _celsius(payload[2])
    if port == LIGHT:
        fields["illuminance"] = _little(payload, 3, 3) / 100
    elif port == SOUND:
        fields["sound_level"] = float(payload[3])
    elif port == MOTION:
        fields["motion"] = payload[0] & 1
        return [
            Measurement("air_quality", fields),
            Measurement("traffic", {"total_count": _little(payload, 5, 3)}),
        ]
    return [Measurement("air_quality", fields)]


CODEC = Codec(
    name="browan_tabs",
    title="Browan Tabs TBHH100, TBHV110, TBMS100, TBAM100, TBSL100",
    fields=(
        field("temperature", -32, 94),
        field("relative_humidity"),
        field("co2_equivalent"),
        field("tvoc"),
        field("motion", 0, 1),
        field("illuminance"),
        field("sound_level"),
        field("total_count", 0, 0xFFFFFF),
        field("device_temperature"),
        field("battery_voltage"),
        field("event"),
    ),
    decode=decode,
    kinds=("air_quality", "traffic"),
)
