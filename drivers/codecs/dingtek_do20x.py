"""Dingtek DO200, DO201, DO202: one bay, by magnetometer, the first two by ultrasound as well.

LoRaWAN, frames as in `drivers.codecs.common.dingtek`, big endian; f are four flags of four bits::

    80 00 dd 01 15  ll ll  ff ff  vv vv  x x y y z z  nn nn ..  81              DO200: d 02
    80 00 dd 02 17  ll ll  ff ff  vv vv  x x y y z z  tt hh  nn nn ..  81       DO201, DO202: d 31, 32
    80 00 dd 03 ..  ff ff ..                                                    settings, firmware first

    l distance, mm; f taken, near, magnet, battery low; v battery, 0.01 V; x y z magnetic field; t int8, C;
    h humidity, %; n message

    80 00 31 02 17  06 B4  10 00  01 61  00 10 FF F6 FF F0  15 2D  00 01  00  81
              1716 mm, taken, 3.53 V, 21 C, 45 %

Quirks: the DO202 has no ultrasound, though its frame has the place for it; a distance of 0 is none. A magnet beside
it makes the bay doubtful. That the vendor's "park alarm" means a taken bay is its name's word alone.

Sources: the vendor's codecs in The Things Network's device repository (DO200, DO201, DO202).
"""

from collections.abc import Iterable

from drivers.codecs.common import dingtek
from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, Quality, Reject, field

SIZES = {0x02: 21, 0x31: 23, 0x32: 23}
"""Device -> bytes of a reading."""
NO_ULTRASOUND = 0x32
WITH_CLIMATE = 23


def _fields(payload: bytes) -> dict[str, FieldValue]:
    millimetres = int.from_bytes(payload[5:7], "big")
    fields: dict[str, FieldValue] = {
        "occupied": bool(payload[7] >> 4),
        "battery_low": bool(payload[8] & 0x0F),
        "battery_voltage": int.from_bytes(payload[9:11], "big") / 100,
    }
    if millimetres and payload[2] != NO_ULTRASOUND:
        fields["distance"] = float(millimetres)
    if len(payload) == WITH_CLIMATE:
        fields["temperature"] = float(int.from_bytes(payload[17:18], "big", signed=True))
        fields["relative_humidity"] = payload[18] / 100
    if payload[8] >> 4:
        fields["event"] = "strong magnet"
    return fields


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    size = SIZES.get(payload[2], 0) if len(payload) > 2 else 0
    if size == 0 and payload[:1] == bytes((dingtek.HEAD,)):
        return [Reject("noise", payload, "from another device than a DO200, DO201 or DO202")]
    if (wrong := dingtek.objection(port, payload, (size,))) is not None:
        return [wrong]
    if payload[3] == dingtek.SETTINGS:
        return [Measurement("parking", {"firmware_version": dingtek.firmware(payload), "event": "configuration"})]
    doubt = Quality.INCONSISTENT if payload[8] >> 4 else Quality.GOOD
    return [Measurement("parking", _fields(payload), quality=doubt)]


CODEC = Codec(
    name="dingtek_do20x",
    title="Dingtek DO200, DO201, DO202 parking sensors",
    fields=(
        field("occupied"),
        field("distance", 0, 5000),
        field("temperature"),
        field("relative_humidity"),
        field("battery_voltage"),
        field("battery_low"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    kinds=("parking",),
    experimental=True,
)
