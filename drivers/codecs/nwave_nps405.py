"""Nwave NPS405: one bay, by magnetometer and radar; surface (SM) or flush mounted (FM).

LoRaWAN, the port tells the message; o is occupied::

    port 1   status        onnnnnnn                    n how long the bay was as it was before
    port 2   heartbeat     ohhhhhhh vv tt ..           h what is wrong with it, 0 nothing; v battery, 2500 + 4 v mV;
                                                       t int8, 10 + t / 2 degrees Celsius; the rest is internal
    port 3   start-up      ff ff ff rr oo              firmware, reset cause, o in bit 0
    port 10  registration  onnnnnnn [bb] ii ii ii ii   a permit was shown: its battery, 0.1 V, and its id

    CA                     occupied; it was free for 0x4A = 74 minutes
    00 D3 D8 00 59 0B      port 2: free, well, 3.344 V, -10 C

Quirks: n is in minutes below 90, then 90 + 5 (n - 90) up to 119, then 240 + 60 (n - 120) up to 126; 127 means eleven
hours or more and gives no duration. A registration whose o is 0 tells nothing of the bay. Older firmware leaves out
the permit's battery. Reset causes: 0 joined again, 1 watchdog, 2 power on, 3 asked, 6 brown-out, 7 other.
Port 6 is for the maker's own use.

Source: the vendor's codec in The Things Network's device repository (as of 8934610), whose objects are read as well.
"""

from collections.abc import Iterable

from drivers.codecs.common.nwave import objects, startup, volts
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

STATUS, HEARTBEAT, STARTUP, REGISTRATION = 1, 2, 3, 10
_SIZES = {STATUS: (1,), HEARTBEAT: range(3, 12), STARTUP: (5,), REGISTRATION: (5, 6)}


def minutes(packed: int) -> int | None:
    """Return how many minutes the seven bits stand for; None for eleven hours or more."""
    if packed < 90:
        return packed
    if packed < 120:
        return 90 + (packed - 90) * 5
    return 240 + (packed - 120) * 60 if packed < 127 else None


def _state(byte: int) -> dict[str, FieldValue]:
    fields: dict[str, FieldValue] = {"occupied": bool(byte & 0x80)}
    if (before := minutes(byte & 0x7F)) is not None:
        fields["previous_state_duration"] = before * 60.0
    return fields


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if (sizes := _SIZES.get(port)) is None:
        return [Reject("unsupported", payload, f"port {port} carries no parking state")]
    if len(payload) not in sizes:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    fields: dict[str, FieldValue]
    if port == STATUS:
        fields = {**_state(payload[0]), "event": "status"}
    elif port == HEARTBEAT:
        fields = {
            "occupied": bool(payload[0] & 0x80),
            "device_error": payload[0] & 0x7F,
            "battery_voltage": volts(payload[1]),
            "temperature": int.from_bytes(payload[2:3], signed=True) / 2 + 10,
            "event": "heartbeat",
        }
    elif port == STARTUP:
        fields = {"occupied": bool(payload[4] & 1), **startup(payload)}
    else:
        fields = _state(payload[0]) if payload[0] & 0x80 else {}
        fields |= {"tag_id": payload[-4:].hex(), "event": "registration"}
    return [Measurement("parking", fields)]


CAUSES = {"rejoining_lorawan_network": 0, "watchdog": 1, "power_on": 2, "user_request": 3, "brownout": 6, "other": 7}
"""The vendor's words for reset causes."""

CODEC = Codec(
    name="nwave_nps405",
    title="Nwave NPS405 parking sensor",
    fields=(
        field("occupied"),
        field("previous_state_duration", 0, 36_000),
        field("tag_id"),
        field("temperature"),
        field("battery_voltage", 2.5, 3.6),
        field("device_error"),
        field("firmware_version"),
        field("reset_cause"),
        field("event"),
    ),
    decode=decode,
    from_object=objects("parking", CAUSES),
    kinds=("parking",),
)
