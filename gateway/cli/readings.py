"""What a decoder returned, for people and for machines: values with their units, verdicts and doubts in words."""

from collections.abc import Mapping
from typing import Any

from gateway.contract import (
    VOCABULARY,
    Codec,
    Driver,
    Field,
    FieldValue,
    Measurement,
    Quality,
    Reject,
    Remark,
    Uplink,
    Vocabulary,
)

DOUBTS = {
    Quality.OUT_OF_RANGE: "out of range",
    Quality.STUCK: "stuck",
    Quality.WARM_UP: "warming up",
    Quality.ESTIMATED_TIME: "time estimated",
    Quality.INCONSISTENT: "values contradict each other",
}

REASONS = {
    "noise": "belongs to no frame of this device",
    "length": "a frame of a wrong length",
    "checksum": "a damaged frame",
    "range": "a sound frame with an impossible value",
    "unsupported": "a sound frame that gives no reading",
}

MOST_BYTES = 32
"""Bytes of a reject that are shown."""


def known_fields(device: Driver | Codec, vocabulary: Vocabulary = VOCABULARY) -> dict[str, Field]:
    """Return all fields by name, with the device's own ranges where it has some."""
    return {**vocabulary, **{field.name: field for field in device.fields}}


def write(value: FieldValue) -> str:
    """Return a value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def unit(field: Field | None) -> str:
    """Return a field's unit, "" for counts and texts."""
    return "" if field is None or field.unit == "1" else field.unit


def bounds(field: Field) -> str:
    """Return a field's range: ``0 to 999.9``."""
    low, high = ("" if end is None else _end(end) for end in (field.low, field.high))
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if low else f"up to {high}" if high else ""


def _end(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def verdict(value: FieldValue, field: Field | None) -> str:
    """Return "ok", or what is wrong with the value."""
    if field is None:
        return "no such field"
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    wrong = {
        "float": number is None,
        "int": number is None or number != int(number),
        "bool": not isinstance(value, bool),
        "str": not isinstance(value, str),
    }[field.type]
    if wrong:
        return f"no {field.type}"
    if number is not None and field.low is not None and number < field.low:
        return f"below {_end(field.low)}"
    if number is not None and field.high is not None and number > field.high:
        return f"above {_end(field.high)}"
    return "ok"


def quality(doubts: Quality) -> str:
    """Return the doubts in words; "good" where there are none."""
    return ", ".join(words for doubt, words in DOUBTS.items() if doubt & doubts) or "good"


def rows(fields: Mapping[str, FieldValue], known: Mapping[str, Field]) -> list[tuple[str, str, str, str]]:
    """Return a row for each field: name, value, unit, verdict."""
    found = [(name, value, known.get(name)) for name, value in fields.items()]
    return [(name, write(value), unit(field), verdict(value, field)) for name, value, field in found]


def hexadecimal(raw: bytes) -> str:
    """Return bytes as ``AA C0 D4``, cut where they are many."""
    more = f" .. {len(raw) - MOST_BYTES} more" if len(raw) > MOST_BYTES else ""
    return raw[:MOST_BYTES].hex(" ").upper() + more


def to_json(said: Measurement | Reject | Remark | Uplink, known: Mapping[str, Field]) -> dict[str, Any]:
    """Return what machines are told of one thing that a decoder returned."""
    if isinstance(said, Reject):
        return {"reject": said.reason, "detail": said.detail, "bytes": said.raw.hex()}
    if isinstance(said, Remark):
        return {"remark": said.kind, "what": said.what, "detail": said.detail}
    if isinstance(said, Uplink):
        return {
            "uplink": said.sensor,
            "port": said.port,
            "payload": said.payload.hex(),
            "object": said.object,
            "time": said.time,
            "fields": dict(said.fields),
        }
    return {
        "kind": said.kind,
        "sensor": said.sensor,
        "time": said.time,
        "tags": dict(said.tags),
        "quality": [words for doubt, words in DOUBTS.items() if doubt & said.quality],
        "fields": [
            {"name": name, "value": value, "unit": unit_, "verdict": says}
            for (name, value), (_, _, unit_, says) in zip(said.fields.items(), rows(said.fields, known), strict=True)
        ],
    }
