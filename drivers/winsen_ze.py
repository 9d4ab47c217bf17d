"""Winsen ZE03, ZE07, ZE08, ZE12, ZE15, ZE25: O3, NO2, SO2, CO, CH2O, H2S or NH3 by an electrochemical cell.

UART, 9600 8N1, nine bytes, the sum as in all Winsen modules. By itself, once a second: g gas, u unit (03 ppm, 04
ppb), d decimals, v value, F full scale. Asked: M ug/m3 and P ppb; where it is for CO, v tenths of a ppm; a ZE03, v in
steps that depend on its gas::

    FF gg uu dd vv vv FF FF sum    gas 02 NH3, 03 H2S, 04 CO, 17 CH2O, 2A O3, 2B SO2, 2C NO2, 2E HCl, 31 Cl2
    FF 86 MM MM .. .. PP PP sum
    FF 86 vv vv .. .. .. .. sum

    FF 17 04 00 00 25 13 88 25     CH2O, 37 ppb of 5000: 46.184 ug/m3
    FF 86 00 2A 00 00 00 20 30     42 ug/m3 at 0 degrees, 32 ppb: 39.943 ug/m3 as the EU states it

Commands: 78 with 40 uploads, with 41 (a ZE03: 04) waits to be asked by 86. No frame was ever recorded, and only those
of ZE07 and ZE08 are in a manual. Of ZE12 and ZE25 sources disagree on where the uploaded value is; here it is where
the others have it. Of the ZE03 they disagree on the steps: see its manual, and set ``resolution`` if need be. A ZE15
sets the highest bit of v when its cell has failed; 13 bits are the value.

Cells need 5 min after power, and days after long storage; an NO2 cell sees O3 and the reverse; zero drifts with the
temperature: calibrate beside a reference station (this paragraph from memory, unchecked).
Quirk: the example in the ZE07-CO manual has the sum of that for CH2O.

Sources: manuals of ZE07-CH2O, ZE07-CO, ZE08-CH2O (Winsen); for ZE03 and ZE15 what others published.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, model_validator

from drivers.common.gases import micrograms
from drivers.common.winsen import ASKED, LENGTH, READ, SWITCH, UPLOAD, Frame, command, frames
from gateway.contract import Driver, Duration, Measurement, Options, Quality, Reject, SerialLink, field

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
    """Interpret a frame that a module uploads by itself."""
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
    """Interpret a module's answer to `READ`."""
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


class Decoder:
    """Listens to one module, or asks it."""

    def __init__(self, options: WinsenZeOptions) -> None:
        self._options = options
        self._frames = frames((*GASES, *OTHERS, READ, SWITCH))
        self._asks = options.mode == "asked"
        ask = ZE03_ASKED if options.model == "ze03" else ASKED
        self._switch = command(SWITCH, ask if self._asks else UPLOAD)
        self._heard = True
        self._warm_up = int(options.warm_up * 1e9)
        self._warm_at: int | None = None

    def start(self) -> Iterable[bytes]:
        """Set the mode."""
        return (self._switch,)

    def poll(self) -> bytes:
        """Set the mode again where nothing was heard in it; else ask, if it is to be asked."""
        heard, self._heard = self._heard, False
        if not heard:
            self._heard = self._asks
            return self._switch
        return command(READ) if self._asks else b""

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.SerialDecoder`."""
        if self._warm_at is None:
            self._warm_at = now + self._warm_up
        doubt = Quality.WARM_UP if now < self._warm_at else Quality.GOOD
        said = []
        for found in self._frames.feed(data):
            one = self._said(found) if isinstance(found, Frame) else found
            if one is not None:
                said.append(one._replace(quality=one.quality | doubt) if isinstance(one, Measurement) else one)
        return said

    def finish(self) -> Iterable[Reject]:
        """Return what is left of an unfinished frame."""
        return [found for found in self._frames.finish() if isinstance(found, Reject)]

    def _said(self, frame: Frame) -> Measurement | Reject | None:
        if frame.code == SWITCH:
            return None
        self._heard = (frame.code == READ) is self._asks
        if frame.code == READ:
            return answered(frame, self._options)
        if self._asks:
            return Reject("unsupported", frame.raw, "it uploads, and is to be asked")
        return uploaded(frame, self._options)


DRIVER = Driver(
    name="winsen_ze",
    title="Winsen ZE03, ZE07, ZE08, ZE12, ZE15, ZE25",
    link=SerialLink(baudrate=9600, interval=5.0),
    fields=(*map(field, GASES.values()), field("device_error", 0, 1)),
    max_frame=LENGTH,
    decoder=Decoder,
    options=WinsenZeOptions,
    kinds=("air_quality",),
    experimental=True,
)
