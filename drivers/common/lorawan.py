"""Parts that the envelopes of LoRaWAN network servers have in common."""

import math
import re
from collections.abc import Mapping
from typing import Any

from gateway.contract import FieldValue, Remark

_EUI = re.compile("[0-9a-fA-F]{16}")


class Impossible(ValueError):
    """A part of an envelope has a type or value that its server does not write."""


def eui(value: object) -> str:
    """Return a device's identity in lower case; `Impossible` for what is none."""
    if type(value) is str and _EUI.fullmatch(value):
        return value.lower()
    raise Impossible("no device EUI of 16 hex digits")


def whole(message: Mapping[str, Any], name: str, highest: int) -> int:
    """Return a number from 0 on, which may be written as text; 0 where it is left out; else `Impossible`."""
    value = message.get(name, 0)
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) <= 10:
        value = int(value)
    if type(value) is not int or not 0 <= value <= highest:
        raise Impossible(f"{name} is no whole number from 0 to {highest}")
    return value


def frame_counter(message: Mapping[str, Any], name: str) -> tuple[dict[str, FieldValue], list[Remark]]:
    """Return the frame counter as a field, 0 where it is left out; and a remark in its place where it is none."""
    value = message.get(name)
    if type(value) is int and 0 <= value < 2**32:
        return {"frame_counter": value}, []
    try:
        return {"frame_counter": whole(message, name, 2**32 - 1)}, []
    except Impossible as error:
        return {}, [Remark("left out", name, str(error))]


def loudest(receptions: object) -> dict[str, FieldValue]:
    """Return the levels at the gateway that heard it loudest; none where no gateway states a level."""
    best: Mapping[str, Any] | None = None
    highest = -math.inf
    for reception in receptions if type(receptions) is list else ():
        rssi = reception.get("rssi") if type(reception) is dict else None
        if rssi is not None and isinstance(rssi, (int, float)) and rssi > highest:
            highest, best = rssi, reception
    if best is None:
        return {}
    snr = best.get("snr")
    if snr is None and "snr" not in best:
        snr = best.get("loRaSNR", 0)
    return {"rssi": float(highest), "snr": float(snr) if isinstance(snr, (int, float)) else 0.0}
