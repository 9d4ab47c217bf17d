"""Twin of the SenseAir S8, a CO2 sensor on a serial line (9600 8N1), asked by Modbus RTU.

Source: SenseAir, Modbus on SenseAir S8. It answers at its own address and at FE, which means any sensor. Registers
are numbered from 1 in the document and from 0 on the line; it reads at most 8 at once::

    input     0 meter status  3 CO2 in ppm, signed  25 type(2)  27 memory map  28 firmware  29 id(2)
    holding   0 acknowledgement  1 special command  31 period of the automatic calibration in hours, 0 for none

Meter status: 1 fatal, 2 offset regulation, 4 algorithm, 8 output, 16 self diagnostics, 32 out of range, 64 memory.
It measures every 2 s; until the first measurement it says 0 ppm.
"""

from functools import partial

from firmware_sim.parts.modbus import (
    ILLEGAL_FUNCTION,
    ILLEGAL_REGISTER,
    ILLEGAL_VALUE,
    WRITE,
    Answer,
    Question,
    Slave,
    words,
)
from firmware_sim.parts.twin import Frame, Variant
from firmware_sim.parts.wire_faults import Walk
from firmware_sim.truth.ledger import Truth

DRIVER = "senseair_s8"
EVERYBODY = 0xFE
BACKGROUND_CALIBRATION = 0x7C06

_PERIOD = 2.0
_ABC = 31
_MOST = 8


class SenseairS8:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, address: int = EVERYBODY) -> None:
        self.name = name
        self.status = 0
        """The meter status; a test sets it to see a broken sensor."""
        self.abc_hours = 180
        self.calibrations = 0
        self.air = Walk(seed, 405, 1800, 12)
        self._slave = Slave({address, EVERYBODY}, self._asked, seed)
        self.faults = self._slave.wire.faults
        self._truth = truth
        self._acknowledged = 0
        self._powered = 0.0
        self._measured = -1
        self._co2 = 0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer questions."""
        return [] if self._stopped else self._slave.receive(data, now)

    def tick(self, now: float) -> list[Frame]:  # noqa: ARG002 -- it says nothing by itself
        """Say nothing."""
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return self._slave.due()

    def power_cycle(self, now: float) -> None:
        """Start anew; the calibration period is kept."""
        self._slave.forget()
        self._powered, self._measured, self._co2, self._acknowledged = now, -1, 0, 0

    def stop(self) -> None:
        """Answer no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _asked(self, question: Question, now: float) -> Answer | int:
        if question.function == WRITE:
            return self._write(question.register, question.number)
        if question.function not in (3, 4):
            return ILLEGAL_FUNCTION
        self._measure(now)
        table = self._input() if question.function == 4 else {0: self._acknowledged, 1: 0, _ABC: self.abc_hours}
        wanted = range(question.register, question.register + question.number)
        if not 1 <= question.number <= _MOST:
            return ILLEGAL_VALUE
        if any(register not in table for register in wanted):
            return ILLEGAL_REGISTER
        says_co2 = question.function == 4 and 3 in wanted and self._co2
        heard = partial(self._heard, self._co2) if says_co2 else None
        return Answer(words(*(table[register] for register in wanted)), heard)

    def _input(self) -> dict[int, int]:
        known = {0: self.status, 3: self._co2, 25: 1, 26: 0x0807, 27: 4, 28: 0x010A, 29: 0x0123, 30: 0x4567}
        return {register: known.get(register, 0) for register in range(32)}

    def _write(self, register: int, value: int) -> Answer | int:
        if register == _ABC and value <= 4800:
            self.abc_hours = value
        elif register == 1 and value == BACKGROUND_CALIBRATION:
            self.calibrations += 1
            self._acknowledged |= 0x20
        elif register == 0:
            self._acknowledged = value
        else:
            return ILLEGAL_VALUE if register == _ABC else ILLEGAL_REGISTER
        return Answer(b"")

    def _measure(self, now: float) -> None:
        measured = int((now - self._powered) // _PERIOD)
        if measured > max(self._measured, 0):
            self._measured, self._co2 = measured, self.air.sample()

    def _heard(self, co2: int, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", {"co2": float(co2)}, certain=arrived is True)


TWIN = SenseairS8
VARIANTS = {"senseair_s8_without_abc": Variant(SenseairS8, {"abc": "0h"})}
