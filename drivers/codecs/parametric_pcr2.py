"""Parametric PCR2: people counted by radar, in both directions.

LoRaWAN, big endian; counts since the last message, and their sums since power-on::

    port 14   BE 01 03 l16 r16 L16 R16 bb    w16 t16     l, r counted left to right and right to left; L, R their sums
              BE 01 04 l16 r16 L16 R16 bb bb w16 t16     b battery of the solar charger, % (version 3) or mV (4);
                                                         w solar power, mW; t temperature of the processor, 0.1 C
              0A l16 16 r16 01 t16                       the short form; 0A in place of 16 in firmware 3
    port 190  BE 01 vv dd f f f ..                       after a join: f firmware; version 3 and later
              dd f f f ..                                the same in firmware 2, 14 bytes

    BE 01 04  0001 0002 0003 0004  1C20  0CE4  0139      1 and 2 counted, 3 and 4 in all; 7.2 V, 3.3 W, 31.3 C

One measurement a direction (tag direction: left_to_right, right_to_left). Sums have 16 bits and begin again.
Quirk: the third form that can be chosen is Cayenne LPP with counts as presence: use another form.

Source: PCR2 payload descriptions v2 to v4 (Parametric).
"""

from collections.abc import Iterable
from struct import unpack, unpack_from

from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

COUNTS, CONFIGURATION = 14, 190
FAMILY = b"\xbe\x01"
SIZES = {3: 16, 4: 17}
SHORT = 9
WAYS = ("left_to_right", "right_to_left")


def _counted(own: dict[str, FieldValue], counts: Iterable[int], sums: Iterable[int]) -> list[Measurement | Reject]:
    totals = dict(zip(WAYS, sums, strict=False))
    said: list[Measurement | Reject] = [Measurement("traffic", own)]
    for way, count in zip(WAYS, counts, strict=True):
        fields: dict[str, FieldValue] = {"intensity": count}
        if way in totals:
            fields["total_count"] = totals[way]
        said.append(Measurement("traffic", fields, tags={"direction": way}))
    return said


def _extended(payload: bytes) -> list[Measurement | Reject]:
    left, right, left_sum, right_sum = unpack_from(">4H", payload, 3)
    power, tenths = unpack(">Hh", payload[-4:])
    own: dict[str, FieldValue] = {"solar_power": power / 1000, "device_temperature": tenths / 10}
    if payload[2] == 3:
        own["battery_level"] = payload[11] / 100
    else:
        own["battery_voltage"] = unpack_from(">H", payload, 11)[0] / 1000
    return _counted(own, (left, right), (left_sum, right_sum))


def _configuration(payload: bytes) -> Measurement | Reject:
    at = 4 if payload[:2] == FAMILY else 1
    if len(payload) < (20 if at == 4 else 14):
        return Reject("length", payload, f"{len(payload)} bytes on port {CONFIGURATION}")
    firmware = ".".join(map(str, payload[at : at + 3]))
    return Measurement("traffic", {"event": "configuration", "firmware_version": firmware})


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if port == CONFIGURATION:
        return [_configuration(payload)]
    if port != COUNTS:
        return [Reject("unsupported", payload, f"port {port} carries no counts")]
    if payload[:2] == FAMILY and len(payload) > 2 and len(payload) == SIZES.get(payload[2]):
        return _extended(payload)
    if payload[:2] != FAMILY and len(payload) == SHORT:
        first, left, second, right, third, tenths = unpack(">BHBHBh", payload)
        if (first, third) == (0x0A, 0x01) and second in (0x0A, 0x16):
            return _counted({"device_temperature": tenths / 10}, (left, right), ())
        return [Reject("noise", payload, "not from a PCR2")]
    return [Reject("length", payload, f"{len(payload)} bytes on port {COUNTS}")]


CODEC = Codec(
    name="parametric_pcr2",
    title="Parametric PCR2 radar people counter",
    fields=(
        field("intensity"),
        field("total_count", 0, 0xFFFF),
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
