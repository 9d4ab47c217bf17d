"""Dragino LAQ4: carbon dioxide (equivalent) and volatile compounds.

LoRaWAN, port 2, big endian::

    bb bb xx vv vv cc cc tt tt hh hh     b battery, mV; x bits 6 to 2 mode, bit 0 alarm; v tVOC, ppb; c CO2, ppm;
                                         t int16, 0.1 C; h humidity, 0.1 %

    0D 07  05  00 12  02 0B  00 FB  01 B3      3.335 V, mode 1 with alarm; 18 ppb, 523 ppm, 25.1 C, 43.5 %

Quirk: mode 31 lists the bounds of the alarm, and is no reading.

Source: the vendor's codec in The Things Network's device repository (as of 8934610).
"""

from collections.abc import Iterable

from drivers.codecs.common import dragino
from drivers.codecs.common.dragino import number
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

READING = 2
FRAME = 11
MEASURING = 1


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if port != READING:
        return [Reject("unsupported", payload, f"port {port} carries no reading")]
    if len(payload) != FRAME:
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING}")]
    if (mode := payload[2] >> 2 & 0x1F) != MEASURING:
        return [Reject("unsupported", payload, f"mode {mode} is no reading")]
    fields: dict[str, FieldValue] = {
        **dragino.battery(payload),
        "tvoc": float(number(payload, 3)),
        "co2": float(number(payload, 5)),
        "temperature": number(payload, 7, signed=True) / 10,
        "relative_humidity": number(payload, 9) / 1000,
        "event": "alarm" if payload[2] & 1 else "status",
    }
    return [Measurement("air_quality", fields)]


CODEC = Codec(
    name="dragino_laq4",
    title="Dragino LAQ4 air quality sensor",
    fields=(
        field("co2", 400, 8192),
        field("tvoc"),
        field("temperature"),
        field("relative_humidity"),
        field("battery_voltage"),
        field("event"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
