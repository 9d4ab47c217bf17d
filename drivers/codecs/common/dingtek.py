"""Shared parts of Dingtek's devices: the frame.

LoRaWAN, port 3, big endian::

    80 00 dd kk ll ..  81      d device; k kind: 1, 2 a reading, 3 settings; l bytes of the frame

Source: the vendor's codecs in The Things Network's device repository.
"""

from gateway.contract import Reject

PORT = 3
HEAD, TAIL = 0x80, 0x81
SETTINGS = 3


def objection(port: int, payload: bytes, sizes: tuple[int, ...]) -> Reject | None:
    """Return why a payload is no reading of one of these sizes, nor settings; None where it is one."""
    if port != PORT:
        return Reject("unsupported", payload, f"port {port} carries no reading")
    if len(payload) < 12 or (payload[0], payload[-1]) != (HEAD, TAIL):
        return Reject("noise", payload, "no frame of 80 .. 81")
    if payload[4] != len(payload) or (payload[3] != SETTINGS and len(payload) not in sizes):
        return Reject("length", payload, f"{len(payload)} bytes, and it says {payload[4]}")
    return None if payload[3] in (1, 2, SETTINGS) else Reject("unsupported", payload, f"kind {payload[3]}")


def firmware(payload: bytes) -> str:
    """Return the version that stands first in the settings."""
    return f"{payload[5]}.{payload[6]}"
