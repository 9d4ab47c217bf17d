"""Shared parts of Nwave's devices: the start-up message, the battery in steps of 4 mV, and the vendor's objects.

Source: the vendor's codec in The Things Network's device repository.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drivers.codecs.common.objects import yes
from gateway.contract import FieldValue, Measurement, Options, Reject, Remark

_EVENTS = {
    "counter_update": "count",
    "heartbeat": "heartbeat",
    "parking_status": "status",
    "startup": "startup",
    "user_registration": "registration",
}
_NUMBERS = {
    "counter_value": ("total_count", 0, 0xFFFF),
    "hw_health_status": ("device_error", 0, 0x7F),
    "battery_voltage": ("battery_voltage", 0.0, 5.0),
    "temperature": ("temperature", -60.0, 80.0),
}
"""The vendor's name -> the field, and what it can be at all: whole numbers where the bounds are."""
LONGEST = 600
"""Minutes: a longer duration has no exact value."""


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


def _number(value: object, low: float, high: float) -> float | None:
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    return value if whole and isinstance(value, int | float) and low <= value <= high else None


def _state(said: Mapping[str, Any]) -> tuple[dict[str, FieldValue], list[Remark]]:
    """Return whether the bay is taken, and the numbers; and a remark for each that is none."""
    occupied = yes(said.get("occupied"))
    found: dict[str, tuple[str, FieldValue | None]] = {"occupied": ("occupied", occupied)}
    for theirs, (ours, low, high) in _NUMBERS.items():
        value = _number(said.get(theirs), low, high)
        found[theirs] = ours, None if value is None else type(low)(value)
    fields = {ours: value for ours, value in found.values() if value is not None}
    senseless = [name for name, (_, value) in found.items() if value is None and said.get(name) is not None]
    return fields, [
        Remark("left out", name, f"{str(said[name])[:64]} is none that it may have") for name in senseless
    ]


def objects(
    kind: str, causes: Mapping[str, int]
) -> Callable[[Mapping[str, Any], Options], Iterable[Measurement | Reject | Remark]]:
    """Return a reader of the vendor's objects; ``causes`` are its words for reset causes."""

    def from_object(said: Mapping[str, Any], _: Options) -> Iterable[Measurement | Reject | Remark]:
        event = _EVENTS.get(str(said.get("type")))
        if event is None:
            return [Reject("unsupported", b"", "type is none that Nwave's codec gives")]
        fields, remarks = _state(said)
        if (minutes := _number(said.get("previous_state_duration"), 0, LONGEST)) is not None:
            fields["previous_state_duration"] = minutes * 60.0
        for theirs, ours in (("firmware_version", "firmware_version"), ("tag_id", "tag_id")):
            if isinstance(text := said.get(theirs), str) and 0 < len(text) <= 16 and text.isascii():
                fields[ours] = text.lower()
        if (cause := causes.get(str(said.get("reset_cause")))) is not None:
            fields["reset_cause"] = cause
        if not fields:
            return [Reject("range", b"", f"nothing in {event}")]
        return [Measurement(kind, {**fields, "event": event}), *remarks]

    return from_object
