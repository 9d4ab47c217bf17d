"""Twin of Winsen's electrochemical gas modules ZE07, ZE08, ZE12, ZE15 and ZE25 on a serial line (9600 8N1).

Source: Winsen manuals of ZE07-CH2O, ZE07-CO and ZE08-CH2O; of ZE12, ZE15 and ZE25 no frame was ever recorded. As
delivered a module uploads once a second; 78 41 makes it speak only when asked, by 86, and 78 40 undoes that::

    upload     FF gas unit decimals hi lo full full sum      unit 03 ppm, 04 ppb; full scale in the same steps
    answer     FF 86 ug ug 00 00 ppb ppb sum                 ug/m3 and ppb
    of CO      FF 86 hi lo 00 00 00 00 sum                   tenths of a ppm, as in the upload

Gases: 04 CO, 17h CH2O, 2Ah O3, 2Bh SO2, 2Ch NO2. A ZE15 sets the highest bit of hi when its cell has failed.
"""

from functools import partial

from firmware_sim.parts.twin import NEVER, Frame, Variant
from firmware_sim.parts.winsen import Port, said
from firmware_sim.parts.wire_faults import Walk
from firmware_sim.truth.ledger import Truth

DRIVER = "winsen_ze"

CODES = {"co": 0x04, "ch2o": 0x17, "o3": 0x2A, "so2": 0x2B, "no2": 0x2C}
MOLAR_MASSES = {"co": 28.010, "ch2o": 30.026, "o3": 47.998, "so2": 64.066, "no2": 46.006}

SWITCH, READ, UPLOAD, ASKED = 0x78, 0x86, 0x40, 0x41


class WinsenZe:
    """One module; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, gas: str = "o3") -> None:
        self.name = name
        self.gas = gas
        self.asked_only = False
        self.fault = False
        """The cell has failed; only a ZE15 says so."""
        self.air = Walk(seed, 5, 180, 4)
        self._port = Port(self._obey, seed)
        self.faults = self._port.wire.faults
        self._truth = truth
        self._next = 1.0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Obey commands."""
        return self._port.receive(data, now)

    def tick(self, now: float) -> list[Frame]:
        """Upload once a second, unless it is asked only."""
        if now < self.due():
            return []
        self._next = now + 1.0
        raw = self.air.sample()
        full, unit, decimals = (5000, 0x03, 1) if self.gas == "co" else (10000, 0x04, 0)
        high = raw >> 8 | (0x80 if self.fault else 0)
        data = (unit, decimals, high, raw & 0xFF, *full.to_bytes(2, "big"))
        return self._port.wire.send(said(CODES[self.gas], *data), self._to_be_heard(raw))

    def due(self) -> float:
        """Return the time of the next upload."""
        return NEVER if self.asked_only or self._stopped or self.faults.silent else self._next

    def power_cycle(self, now: float) -> None:
        """Start anew, uploading."""
        self._port.forget()
        self.asked_only, self._next = False, now + 1.0

    def stop(self) -> None:
        """Measure no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _obey(self, command: int, data: bytes, now: float) -> list[Frame]:
        if command == SWITCH and data[0] in (UPLOAD, ASKED):
            self.asked_only = data[0] == ASKED
            self._next = max(self._next, now)
            return self._port.wire.send(said(SWITCH, 1))
        if command != READ or not self.asked_only or self._stopped:
            return []
        raw = self.air.sample()
        if self.gas == "co":
            return self._port.wire.send(said(READ, *raw.to_bytes(2, "big")), self._to_be_heard(raw))
        at_zero_degrees = round(raw * MOLAR_MASSES[self.gas] / 22.41)
        data = at_zero_degrees.to_bytes(2, "big") + bytes(2) + raw.to_bytes(2, "big")
        return self._port.wire.send(said(READ, *data), self._to_be_heard(raw))

    def _to_be_heard(self, raw: int) -> partial[None]:
        ppb = raw * 100 if self.gas == "co" else raw
        return partial(self._heard, ppb * MOLAR_MASSES[self.gas] / 24.055)

    def _heard(self, micrograms: float, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", {self.gas: round(micrograms, 3)}, certain=arrived is True)


TWIN = WinsenZe
VARIANTS = {
    "winsen_ze_no2": Variant(partial(WinsenZe, gas="no2")),
    "winsen_ze_asked": Variant(partial(WinsenZe, gas="o3"), {"mode": "asked", "model": "ze25", "gas": "o3"}),
}
