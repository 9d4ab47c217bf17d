"""Dragino DS20L: distance by laser to 2 m, and how often something came near.

LoRaWAN, big endian; b battery, mV; the upper two bits of x are the mode, bit 5 an alarm::

    port 2   bb bb xx dd dd ss cc cc cc cc         mode 1: d distance, mm; s its state; c how often it was passed;
                                                   bit 4 of x woken by it
             bb bb xx dd dd uu uu ll ll            modes 2, 3: upper and lower bound, mm; bit 2 of x which of the
                                                   bounds an alarm is for; bits 4, 3 an output
             bb bb xx cc cc cc cc uu uu ll ll      the same with counts, where bit 3 of x is set
    port 5   kk .f ff bb ss aa vv vv               k 21, firmware, band, sub-band, alarm, battery

    0E 10  41  01 C2  00  00 00 00 07      3.6 V, 450 mm, passed 7 times

Quirks: a distance of 0 or 65535 is none. How often something came near is `traffic` and begins again after a reset.

Source: the vendor's dragino-end-node-decoder, DS20L 1.0 (May 2025).
"""

from collections.abc import Iterable

from drivers.codecs.common.distance import DistanceOptions, surface
from drivers.codecs.common.dragino import number
from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Reject, field

READING, INFORMATION = 2, 5
MODE, COUNTING = 6, 1
ALARM, WOKEN, COUNTS = 0x20, 0x10, 0x08
SIZES = {"count": 10, "bounds": 9, "both": 11}
NONE = (0, 0xFFFF)


def _information(payload: bytes) -> Measurement | Reject:
    if len(payload) != 8:
        return Reject("length", payload, f"{len(payload)} bytes on port {INFORMATION}")
    firmware = f"{payload[1] & 0x0F}.{payload[2] >> 4}.{payload[2] & 0x0F}"
    volts = number(payload, 6) / 1000
    said: dict[str, FieldValue] = {"firmware_version": firmware, "battery_voltage": volts, "event": "information"}
    return Measurement("parking", said)


def _reading(payload: bytes, options: DistanceOptions) -> Iterable[Output]:
    if len(payload) < SIZES["bounds"]:
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING}")]
    state = payload[2]
    form = "count" if state >> MODE == COUNTING else "both" if state & COUNTS else "bounds"
    if len(payload) != SIZES[form]:
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING} in mode {state >> MODE}")]
    fields: dict[str, FieldValue] = {"battery_voltage": number(payload, 0) / 1000}
    events = ["alarm"] if state & ALARM else []
    if form == "count" and state & WOKEN:
        events.append("trigger")
    if form != "both":
        raw = number(payload, 3)
        fields |= {} if raw in NONE else surface(raw, options)
        events += ["no distance"] if raw in NONE else []
    if events:
        fields["event"] = ", ".join(events)
    said: list[Output] = [Measurement("parking", fields)]
    if form != "bounds":
        at = 6 if form == "count" else 3
        said.append(Measurement("traffic", {"total_count": int.from_bytes(payload[at : at + 4], "big")}))
    return said


def decode(port: int, payload: bytes, options: DistanceOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port == READING:
        return _reading(payload, options)
    if port == INFORMATION:
        return [_information(payload)]
    return [Reject("unsupported", payload, f"port {port} carries no distance")]


CODEC = Codec(
    name="dragino_ds20l",
    title="Dragino DS20L laser distance and passage sensor",
    fields=(
        field("distance", 20, 2500),
        field("occupied"),
        field("total_count"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    options=DistanceOptions,
    kinds=("parking", "traffic"),
)
