"""What a whole decoder, and the gateway behind it, say of bytes that are to be refused."""

from collections.abc import Mapping
from typing import Any

import drivers
from gateway.contract import Driver, Measurement, Reject

Names = Mapping[str, object]


def refused(name: str, data: bytes, options: Mapping[str, object] | None = None) -> list[Names | Reject]:
    """Return what the driver ``name`` says of ``data``; what the gateway marks as out of range is refused here."""
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
