"""Dingtek DC500 and DC510: people who pass a beam of infrared.

LoRaWAN, frames as in `drivers.codecs.common.dingtek`, big endian::

    80 00 02 kk 15  cc cc  ab 00  vv vv  00 (6)  nn nn 00  81        DC500
    80 00 15 kk 12  cc cc  00 tt 00 00  a. .b  vv vv  nn nn  81      DC510
    80 00 .. 03 ..  ff ff ..                                         settings, firmware first

    c counted in all; a more than was set, b battery low; v battery, 0.01 V; t int8, C; n message

    80 00 02 01 15  01 01  01 00  01 6F  00 00 00 00 00 00  00 01 00  81      257 people, battery low, 3.67 V

Quirk: nothing tells a DC500 from a DO200, a parking sensor, whose frames are as long and begin alike. The sum has 16
bits, and can be set to 0.

Sources: the vendor's codecs in The Things Network's device repository (DC500, DC510).
"""

from collections.abc import Iterable

from drivers.codecs.common import dingtek
from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, field

DC500, DC510 = 21, 18
"""Bytes of a reading."""


def _fields(payload: bytes) -> dict[str, FieldValue]:
    if len(payload) == DC500:
        much, low, volts = payload[7] >> 4, payload[7] & 0x0F, payload[9:11]
        fields: dict[str, FieldValue] = {}
    else:
        much, low, volts = payload[11] >> 4, payload[12] & 0x0F, payload[13:15]
        fields = {"temperature": float(int.from_bytes(payload[8:9], "big", signed=True))}
    fields |= {"total_count": int.from_bytes(payload[5:7], "big"), "battery_low": bool(low)}
    fields["battery_voltage"] = int.from_bytes(volts, "big") / 100
    return {**fields, "event": "count alarm"} if much else fields


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if (wrong := dingtek.objection(port, payload, (DC500, DC510))) is not None:
        return [wrong]
    if payload[3] == dingtek.SETTINGS:
        return [Measurement("traffic", {"firmware_version": dingtek.firmware(payload), "event": "configuration"})]
    return [Measurement("traffic", _fields(payload))]


CODEC = Codec(
    name="dingtek_dc5x0",
    title="Dingtek DC500, DC510 people counters",
    fields=(
        field("total_count", 0, 0xFFFF),
        field("temperature"),
        field("battery_voltage"),
        field("battery_low"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    kinds=("traffic",),
)
