"""Twin of the Winsen MH-Z19B, a CO2 sensor on a serial line (9600 8N1).

Source: Winsen MH-Z19B manual v1.6, and what others found out about the bytes it leaves out::

    host    FF 01 86 00 00 00 00 00 79    read
    module  FF 86 hi lo t s u u sum       ppm; temperature inside + 40; status, 40h while settling; unknown

    79 A0 and 79 00 switch the automatic calibration on and off, 99 with the ppm in its last two bytes sets the range:
    both are answered by FF cmd 01 .. . 87 calibrates to 400 ppm at once, 88 sets the span, without an answer.

It heats up for 3 minutes. In the first one it says 400 or 410, then values far too high with status 40h.
"""

from functools import partial

from firmware_sim.parts.twin import NEVER, Frame, Variant
from firmware_sim.parts.winsen import Port, said
from firmware_sim.parts.wire_faults import Walk
from firmware_sim.truth.ledger import Truth

DRIVER = "mhz19"

READ, ABC, ZERO, SPAN, RANGE = 0x86, 0x79, 0x87, 0x88, 0x99

_PLACEHOLDER, _SETTLED = 60.0, 180.0


class MhZ19:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str) -> None:
        self.name = name
        self.abc = True
        self.range = 5000
        self.calibrations = 0
        """How often somebody calibrated it to the air of the moment: by mistake, if at all."""
        self.air = Walk(seed, 420, 1900, 15)
        self._port = Port(self._obey, seed)
        self.faults = self._port.wire.faults
        self._truth = truth
        self._powered = 0.0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Obey commands."""
        return self._port.receive(data, now)

    def tick(self, now: float) -> list[Frame]:  # noqa: ARG002 -- it says nothing by itself
        """Say nothing."""
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return NEVER

    def power_cycle(self, now: float) -> None:
        """Heat up anew; range and automatic calibration are kept."""
        self._port.forget()
        self._powered = now

    def stop(self) -> None:
        """Answer no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _obey(self, command: int, data: bytes, now: float) -> list[Frame]:
        if command == READ and not self._stopped:
            return self._read(now - self._powered)
        if command == ABC and data[0] in (0, 0xA0):
            self.abc = data[0] == 0xA0
        elif command == RANGE and (ppm := int.from_bytes(data[3:5], "big")) in (2000, 5000, 10000):
            self.range = ppm
        else:
            self.calibrations += command in (ZERO, SPAN)
            return []
        return self._port.wire.send(said(command, 1))

    def _read(self, age: float) -> list[Frame]:
        if age < _SETTLED:
            co2, *rest = (410, 61, 0, 0x42, 0xCF) if age < _PLACEHOLDER else (3557, 61, 0x40, 0x42, 0xCF)
        else:
            co2, *rest = min(self.air.sample(), self.range), 66
        return self._port.wire.send(said(READ, *co2.to_bytes(2, "big"), *rest), partial(self._heard, co2))

    def _heard(self, co2: int, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", {"co2": float(co2)}, certain=arrived is True)


TWIN = MhZ19
VARIANTS = {"mhz19_without_abc": Variant(MhZ19, {"abc": False, "range": 2000})}
