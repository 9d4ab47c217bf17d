"""What the envelopes of LoRaWAN network servers have in common."""

import math

from gateway.contract import FieldValue


def loudest(receptions: object) -> dict[str, FieldValue]:
    """Return the levels at the gateway that heard it loudest; none where no gateway says how loud."""
    best: dict[str, FieldValue] = {}
    loudest = -math.inf
    for reception in receptions if isinstance(receptions, list) else ():
        rssi = reception.get("rssi") if isinstance(reception, dict) else None
        if isinstance(rssi, int | float) and rssi > loudest:
            loudest = rssi
            snr = reception.get("snr", reception.get("loRaSNR", 0))
            best = {"rssi": float(rssi), "snr": float(snr) if isinstance(snr, int | float) else 0.0}
    return best
