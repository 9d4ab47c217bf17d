"""Twin of the SenseAir K30, a CO2 sensor on a serial line (9600 8N1), asked in SenseAir's dialect of Modbus RTU.

Source: CO2Meter application note AN-102. Function 44h reads memory; the CO2 value, ppm and signed, is at 0008::

    host    FE 44 00 08 02 crc crc
    sensor  FE 44 02 hi lo crc crc

It answers at its own address, 68 hex as delivered, and at FE, which means any sensor. A new value comes every 2 s.
"""

from functools import partial

from firmware_sim.parts.modbus import ILLEGAL_FUNCTION, ILLEGAL_REGISTER, READ_MEMORY, Answer, Question, Slave, words
from firmware_sim.parts.twin import Frame
from firmware_sim.parts.wire_faults import Walk
from firmware_sim.truth.ledger import Truth

DRIVER = "senseair_k30"
ADDRESS, EVERYBODY = 0x68, 0xFE

_CO2 = 0x08
_PERIOD = 2.0


class SenseairK30:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, address: int = ADDRESS) -> None:
        self.name = name
        self.air = Walk(seed, 405, 4800, 25)
        self._slave = Slave({address, EVERYBODY}, self._asked, seed)
        self.faults = self._slave.wire.faults
        self._truth = truth
        self._powered = 0.0
        self._measured = 0
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
        """Start anew."""
        self._slave.forget()
        self._powered, self._measured, self._co2 = now, 0, 0

    def stop(self) -> None:
        """Answer no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _asked(self, question: Question, now: float) -> Answer | int:
        if question.function != READ_MEMORY:
            return ILLEGAL_FUNCTION
        if (question.register, question.number) != (_CO2, 2):
            return ILLEGAL_REGISTER
        measured = int((now - self._powered) // _PERIOD)
        if measured > self._measured:
            self._measured, self._co2 = measured, self.air.sample()
        heard = partial(self._heard, self._co2) if self._co2 else None
        return Answer(words(self._co2), heard)

    def _heard(self, co2: int, arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", {"co2": float(co2)}, certain=arrived is True)


TWIN = SenseairK30
