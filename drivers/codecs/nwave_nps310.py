"""Nwave NPS310: one bay, by magnetometer.

LoRaWAN, the port tells the message; o is occupied in bit 0::

    port 1  status      oo
    port 2  heartbeat   oo
    port 3  start-up    ff ff ff rr oo      firmware, reset cause

    01 0D 00 02 00      port 3: firmware 1.13.0, power on, free

Reset causes: 1 watchdog, 2 power on, 3 asked, 4 brown-out, 5 other; the NPS405 numbers them in another way.
Port 6 is for the maker's own use.

Source: the vendor's codec in The Things Network's device repository (as of 8934610), whose objects are read as well.
"""

from collections.abc import Iterable

from drivers.codecs.common.nwave import objects, startup
from gateway.contract import Codec, Measurement, Options, Reject, field

STATUS, HEARTBEAT, STARTUP = 1, 2, 3
_SIZES = {STATUS: 1, HEARTBEAT: 1, STARTUP: 5}


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if (size := _SIZES.get(port)) is None:
        return [Reject("unsupported", payload, f"port {port} carries no parking state")]
    if len(payload) != size:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    occupied = bool(payload[-1] & 1)
    if port == STARTUP:
        return [Measurement("parking", {"occupied": occupied, **startup(payload)})]
    return [Measurement("parking", {"occupied": occupied, "event": "status" if port == STATUS else "heartbeat"})]


CAUSES = {"watchdog": 1, "power_on": 2, "user_request": 3, "brownout": 4, "other": 5}
"""The vendor's words for reset causes."""

CODEC = Codec(
    name="nwave_nps310",
    title="Nwave NPS310 parking sensor",
    fields=(field("occupied"), field("firmware_version"), field("reset_cause"), field("event")),
    decode=decode,
    from_object=objects("parking", CAUSES),
    kinds=("parking",),
)
