"""Dragino LDDS75, LDDS20 and DDS75-LB: distance by ultrasound, 280 to 7500 mm.

LoRaWAN, big endian; b battery in mV, its upper bits flags::

    port 2   bb bb dd dd [ii [tt tt ss]]  d distance, mm; i woken from outside; t probe DS18B20; s sensor is there
             (bit 4 of the first byte)    DDS75-LB with several samples: from byte 8 on a distance each
    port 3   bb bb dd dd tt tt ff uu uu uu uu    one reading kept, with flags and Unix time; several in a row
    port 5   device information, see `drivers.codecs.common.dragino`

    0D 3B  0A EF  00  00 00  01      3.387 V, 2799 mm, nothing woke it, sensor there

Quirks: a distance of 0 says that no sensor answers, up to 20 (0014) that something is nearer than the sensor can
tell: neither is given as a distance, and the event says which. Whether the probe is in tenths or hundredths of a
degree depends on the firmware, and 0 stands for none: see the option ``probe``. Older firmware ends with the
distance; the decoder for it in The Things Network's repository gives the battery for the distance. Kept readings are
laid out as the vendor's script has them, which no capture confirms.

Sources: LDDS75 and DDS75-LB user manuals; the vendor's dragino-end-node-decoder.
"""

from collections.abc import Iterable

from drivers.codecs.common import dragino
from drivers.codecs.common.distance import surface
from drivers.codecs.common.dragino import DraginoOptions, number
from drivers.codecs.common.entries import Output, Part, joined, kept
from gateway.contract import Codec, FieldValue, Measurement, Quality, Reject, field

READING, KEPT, INFORMATION = 2, 3, 5
NEAREST = 20
RECORD = 11


def _distance(millimetres: int, options: DraginoOptions) -> tuple[dict[str, FieldValue], Quality]:
    if millimetres > NEAREST:
        return surface(millimetres, options), Quality.GOOD
    return {"event": "too near" if millimetres else "no sensor"}, Quality.OUT_OF_RANGE


def _reading(payload: bytes, options: DraginoOptions) -> Measurement | Reject:
    if payload[:1] and payload[0] & 0x10 and len(payload) > 8 and len(payload) % 2 == 0:
        last, doubt = _distance(number(payload, len(payload) - 2), options)
        volts = (number(payload, 0) & 0x0FFF) / 1000
        return Measurement("parking", {"battery_voltage": volts, **last}, quality=doubt)
    if len(payload) not in (4, 5, 8):
        return Reject("length", payload, f"{len(payload)} bytes on port {READING}")
    fields, doubt = _distance(number(payload, 2), options)
    fields |= dragino.battery(payload)
    if len(payload) == 8:
        fields |= dragino.probe(number(payload, 5, signed=True), options)
        if not payload[7]:
            fields["event"], doubt = "no sensor", Quality.OUT_OF_RANGE
    return Measurement("parking", fields, quality=doubt)


def _history(payload: bytes, options: DraginoOptions) -> Iterable[Output]:
    if not payload or len(payload) % RECORD:
        return [Reject("length", payload, f"{len(payload)} bytes on port {KEPT}")]
    parts: list[Part | Reject] = []
    for at in range(0, len(payload), RECORD):
        record = payload[at : at + RECORD]
        fields, _ = _distance(number(record, 2), options)
        fields |= dragino.battery(record) | dragino.probe(number(record, 4, signed=True), options)
        parts.append(kept(int.from_bytes(record[7:], "big"), fields))
    return joined(parts, "parking")


def decode(port: int, payload: bytes, options: DraginoOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port == READING:
        return [_reading(payload, options)]
    if port == KEPT:
        return _history(payload, options)
    if port == INFORMATION:
        return [dragino.information(payload, "parking")]
    return [Reject("unsupported", payload, f"port {port} carries no distance")]


CODEC = Codec(
    name="dragino_ldds75",
    title="Dragino LDDS75, LDDS20, DDS75-LB distance sensors",
    fields=(
        field("distance", NEAREST, 7500),
        field("occupied"),
        field("external_temperature"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    options=DraginoOptions,
    kinds=("parking",),
)
