"""What every family of devices needs to read a vector: its bytes, and what a whole decoder says of those."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import drivers
from gateway.contract import Driver, Measurement, Reject

Vector = Mapping[str, Any]
"""One vector, as its line of JSON says it."""
Names = Mapping[str, object]
"""What was read of one frame, in the vectors' names."""
Said = list[Names | Reject]
Reader = Callable[[Vector], Said]
"""Says what the driver of a device reads in a vector."""


def bytes_of(vector: Vector) -> bytes:
    """Return the input of ``vector`` as it goes over a line or comes with a message."""
    if "input_hex" in vector:
        return bytes.fromhex(vector["input_hex"])
    if "input_text" in vector:
        return str(vector["input_text"]).encode()
    return json.dumps(vector["input_json"]).encode()


def refused(name: str, data: bytes, options: Mapping[str, object] | None = None) -> Said:
    """Return what the whole driver ``name`` says of ``data``; what the gateway marks as out of range is refused."""
    driver = drivers.load(name)
    decoder: Any = driver.decoder(driver.options.model_validate(options or {}))
    said = [*decoder.feed(data, 0), *decoder.finish()]
    return [one if isinstance(one, Reject) else _within(driver, one, data) for one in said]


def _within(driver: Driver, one: Measurement, data: bytes) -> Names | Reject:
    for field in driver.fields:
        value = one.fields.get(field.name)
        if not isinstance(value, int | float):
            continue
        if (field.low is not None and value < field.low) or (field.high is not None and value > field.high):
            return Reject("range", data, f"{field.name} {value}")
    return dict(one.fields)
