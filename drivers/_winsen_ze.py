"""Winsen's electrochemical modules: which there are, and what their frames say; `drivers.winsen_ze` draws them."""

from typing import Literal

from pydantic import Field, model_validator

from drivers.common.gases import micrograms
from drivers.common.winsen import Frame
from gateway.contract import Duration, Measurement, Options, Quality, Reject

GASES = {0x02: "nh3", 0x03: "h2s", 0x04: "co", 0x17: "ch2o", 0x2A: "o3", 0x2B: "so2", 0x2C: "no2"}
OTHERS = (0x2E, 0x31)
"""HCl and Cl2, for which there are no fields."""
PPB = {0x03: 1000, 0x04: 1}
"""Unit: how many ppb it is."""
ZE03_ASKED = 0x04
ZE03_STEPS = {"o3": 0.1, "no2": 0.1, "so2": 0.1, "h2s": 0.01, "co": 1.0, "nh3": 1.0}
"""ppm."""
FAILED, VALUE_BITS = 0x8000, 0x1FFF


class WinsenZeOptions(Options):
    """Which module it is and how it speaks.

    ``mode``        "upload": by itself, once a second; "asked": at each interval. A ZE03 has to be asked
    ``model``       needed to understand what a module answers, and to see a ZE15 fail
    ``gas``         needed for the same reason; of an uploading module, what it is expected to be
    ``resolution``  ppm a step, of a ZE03
    ``warm_up``     how long after the line opened values are marked doubtful
    """

    mode: Literal["upload", "asked"] = "upload"
    model: Literal["ze03", "ze07", "ze08", "ze12", "ze15", "ze25"] | None = None
    gas: Literal["o3", "no2", "so2", "co", "ch2o", "h2s", "nh3"] | None = None
    resolution: float | None = Field(default=None, gt=0)
    warm_up: Duration = 300.0

    @model_validator(mode="after")
    def _can_be_understood(self) -> "WinsenZeOptions":
        if self.mode == "asked" and (self.model is None or self.gas is None):
            raise ValueError("an answer names neither model nor gas: set both")
        if self.model == "ze03" and self.mode != "asked":
            raise ValueError('a ZE03 has to be asked: set mode = "asked"')
        if self.model == "ze03" and self.resolution is None and self.gas not in ZE03_STEPS:
            raise ValueError(f"the steps of a ZE03 for {self.gas} are not known: set its resolution")
        return self


def uploaded(frame: Frame, options: WinsenZeOptions) -> Measurement | Reject:
    """Return what a module says by itself."""
    gas = GASES.get(frame.code)
    if gas is None:
        return Reject("unsupported", frame.raw, "a gas without a field")
    if options.gas not in (None, gas):
        return Reject("unsupported", frame.raw, f"{gas} from a module for {options.gas}")
    unit, decimals = frame.data[:2]
    if unit not in PPB or decimals > 3:
        return Reject("range", frame.raw, f"unit {unit:02X} with {decimals} decimals")
    raw, full = frame.number(2), frame.number(4)
    return _reading(gas, raw, PPB[unit] / 10**decimals, options, full)


def answered(frame: Frame, options: WinsenZeOptions) -> Measurement | Reject:
    """Return what a module answers to `READ`."""
    gas = options.gas
    if options.mode != "asked" or gas is None:
        return Reject("unsupported", frame.raw, "an answer, and nobody asked")
    if options.model == "ze03":
        return _reading(gas, frame.number(0), (options.resolution or ZE03_STEPS[gas]) * 1000, options)
    if gas == "co":
        return _reading(gas, frame.number(0), 100, options)
    return _reading(gas, frame.number(4), 1, options)


def _reading(gas: str, raw: int, step: float, options: WinsenZeOptions, full: int = 0xFFFF) -> Measurement:
    """Return ``raw`` steps of so many ppb as a reading."""
    fields: dict[str, float | int] = {}
    quality = Quality.GOOD
    if options.model == "ze15":
        fields["device_error"] = int(bool(raw & FAILED))
        quality |= Quality.INCONSISTENT if raw & FAILED else Quality.GOOD
        raw &= VALUE_BITS
    if raw > full:
        quality |= Quality.OUT_OF_RANGE
    return Measurement("air_quality", {gas: micrograms(gas, raw * step), **fields}, quality=quality)
