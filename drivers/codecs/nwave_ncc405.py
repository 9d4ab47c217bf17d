"""Nwave NCC405: vehicles counted across a lane.

LoRaWAN, the port tells the message, big endian::

    port 1  count       nn nn
    port 2  heartbeat   hh vv mm         upper five bits: what is wrong with it, 0 nothing; battery, its mean of 24 h
    port 3  start-up    ff ff ff rr      firmware, reset cause as in the NPS405

    06 AA               port 1: 1706

Quirks: the count goes on and begins again at 65536, so it is given as ``total_count``: what passed in between is the
difference. The lower three bits of h mean nothing here: A8 is 21. Older editions of the vendor's codec take the low
seven, as those of the NPS405: of an object the number is given as it came. Port 6 is for the maker's own use.

Source: the vendor's codec in The Things Network's device repository (as of 8934610), whose objects are read as well.
"""

from collections.abc import Iterable

from drivers.codecs.common.nwave import objects, startup, volts
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

COUNT, HEARTBEAT, STARTUP = 1, 2, 3
_SIZES = {COUNT: 2, HEARTBEAT: 3, STARTUP: 4}


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if (size := _SIZES.get(port)) is None:
        return [Reject("unsupported", payload, f"port {port} carries no count")]
    if len(payload) != size:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    fields: dict[str, FieldValue]
    if port == COUNT:
        fields = {"total_count": int.from_bytes(payload, "big"), "event": "count"}
    elif port == HEARTBEAT:
        fields = {"device_error": payload[0] >> 3, "battery_voltage": volts(payload[1]), "event": "heartbeat"}
    else:
        fields = startup(payload)
    return [Measurement("traffic", fields)]


CAUSES = {"rejoining_lorawan_network": 0, "watchdog": 1, "power_on": 2, "user_request": 3, "brownout": 6, "other": 7}
"""The vendor's words for reset causes."""

CODEC = Codec(
    name="nwave_ncc405",
    title="Nwave NCC405 vehicle counter",
    fields=(
        field("total_count", 0, 0xFFFF),
        field("battery_voltage", 2.5, 3.6),
        field("device_error"),
        field("firmware_version"),
        field("reset_cause"),
        field("event"),
    ),
    decode=decode,
    from_object=objects("traffic", CAUSES),
    kinds=("traffic",),
)
