"""What Nwave's devices have in common: the start-up message, and the battery in steps of 4 mV.

Source: the vendor's codec in The Things Network's device repository.
"""

from gateway.contract import FieldValue


def startup(payload: bytes) -> dict[str, FieldValue]:
    """Return the fields of a start-up message: firmware in three bytes, then the reset cause."""
    return {
        "event": "startup",
        "firmware_version": ".".join(map(str, payload[:3])),
        "reset_cause": payload[3],
    }


def volts(steps: int) -> float:
    """Return the battery's voltage."""
    return (2500 + 4 * steps) / 1000
