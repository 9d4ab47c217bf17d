"""What one line of an OmniPreSense radar says; the sheet is in `drivers.ops243`."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from drivers.common.passages import Direction
from gateway.contract import Reject

KMH = {
    **dict.fromkeys(("km-per-hr", "kmph", "km/h"), 1.0),
    **dict.fromkeys(("m-per-sec", "mps", "m/s"), 3.6),
    **dict.fromkeys(("cm-per-sec", "cmps", "cm/s"), 0.036),
    **dict.fromkeys(("ft-per-sec", "feet-per-sec", "fps", "ft/s"), 1.09728),
    **dict.fromkeys(("mph", "miles-per-hr"), 1.609344),
}
"""A unit's name, as any firmware writes it -> kilometres an hour."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]*)?|\.[0-9]+)")


class Report(NamedTuple):
    """One speed, signed: positive is inbound; ``unit`` where the line names it; ``sure`` in object mode."""

    speed: float
    magnitude: float | None = None
    time: float | None = None
    unit: str | None = None
    sure: bool = False

    @property
    def direction(self) -> Direction:
        """Where it goes."""
        return "outbound" if self.speed < 0 else "inbound"


class Answer(NamedTuple):
    """What the radar said about itself."""

    values: Mapping[str, Any]


def parse(line: bytes) -> Report | Answer | Reject:
    """Return what one line says, whatever it says."""
    text = line.strip()
    if text.startswith(b"{"):
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return Reject("length", line, f"broken JSON: {error}")
        return _from_json(message, line)
    words = text.decode("ascii", "replace").split(",")
    unit = words.pop(0).strip('"') if words[0].startswith('"') else None
    numbers = [_number(word.strip()) for word in words]
    match numbers:
        case [float(speed)]:
            return Report(speed, unit=unit)
        case [float(time), float(speed)]:
            return Report(speed, time=time, unit=unit)
        case [float(time), float(magnitude), float(speed)]:
            return Report(speed, magnitude, time, unit)
    return Reject("noise", line, "neither JSON nor numbers")


def _number(value: object) -> float | None:
    """Return a number that may have come as text, or as a list with the strongest first."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _from_json(message: Mapping[str, Any], line: bytes) -> Report | Answer | Reject:
    said = next((name for name in ("speed", "DetectedObjectVelocity") if name in message), None)
    if said is None:
        if next(iter(message), "")[:1].isupper():
            return Answer(message)
        return Reject("unsupported", line, "no speed in it")
    speed = _number(message[said])
    if speed is None:
        return Reject("range", line, f"{said} is no number")
    match message.get("direction"):
        case "inbound":
            speed = abs(speed)
        case "outbound":
            speed = -abs(speed)
    time, tick = _number(message.get("time")), _number(message.get("tick"))
    if time is not None and tick is not None:
        time += tick / 1000
    unit = message.get("unit", message.get("units"))
    named = unit if isinstance(unit, str) else None
    return Report(speed, _number(message.get("magnitude")), time, named, sure=said != "speed")
