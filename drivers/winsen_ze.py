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

from drivers._winsen_ze import GASES, OTHERS, ZE03_ASKED, WinsenZeOptions, answered, uploaded
from drivers.common.winsen import ASKED, LENGTH, READ, SWITCH, UPLOAD, Frame, command, frames
from gateway.contract import Driver, Measurement, Quality, Reject, SerialLink, field


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
