"""Twin of the TERA NextPM, a laser sensor for PM1, PM2.5 and PM10 on a serial line (115200 8E1), over Modbus RTU.

Source: TERA Sensor, NextPM User Guide v3.4. Function 3, address 1 as delivered. Values have 32 bits, the low word
first, in thousandths::

    1       firmware
    19      state: 1 asleep, 2 degraded, 4 not ready, 8 heater, 16 T/RH, 32 fan, 64 memory, 128 laser
    50..61  means over 10 s: particles up to 1, 2.5, 10 um a litre, then PM1, PM2.5, PM10 in ug/m3
    62..73  the same over 60 s
    74..85  the same over 15 min
"""

from functools import partial

from firmware_sim.parts.modbus import ILLEGAL_FUNCTION, ILLEGAL_REGISTER, Answer, Question, Slave, words
from firmware_sim.parts.twin import Frame, Variant
from firmware_sim.parts.wire_faults import Walk
from firmware_sim.truth.ledger import Truth

DRIVER = "nextpm_modbus"
FIRMWARE = 0x0034

_LAST = 85
_NOT_READY = 4
_WAKING = 15.0


def low_word_first(value: int) -> tuple[int, int]:
    """Return a 32-bit value as two registers."""
    return value & 0xFFFF, value >> 16


class NextPmModbus:
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, address: int = 1) -> None:
        self.name = name
        self.errors = 0
        """State bits; a test sets them to see a broken sensor."""
        self.air = Walk(seed, 3000, 90000, 800)
        self._slave = Slave({address}, self._asked, seed)
        self.faults = self._slave.wire.faults
        self._truth = truth
        self._ready = _WAKING
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:
        """Answer questions."""
        return self._slave.receive(data, now)

    def tick(self, now: float) -> list[Frame]:  # noqa: ARG002 -- it says nothing by itself
        """Say nothing."""
        return []

    def due(self) -> float:
        """Return that it says nothing by itself."""
        return self._slave.due()

    def power_cycle(self, now: float) -> None:
        """Start anew."""
        self._slave.forget()
        self._ready = now + _WAKING

    def stop(self) -> None:
        """Measure no more: what is asked is answered with zeros, which are no reading."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _asked(self, question: Question, now: float) -> Answer | int:
        if question.function != 3:
            return ILLEGAL_FUNCTION
        wanted = range(question.register, question.register + question.number)
        if not wanted or wanted[-1] > _LAST:
            return ILLEGAL_REGISTER
        ready = now >= self._ready and not self._stopped
        thousandths = self.air.sample() if ready else 0
        masses = (thousandths, thousandths + 731, thousandths + thousandths // 8 + 902) if ready else (0, 0, 0)
        particles = (2449999 if ready else 0,) * 3
        mean = [word for value in (*particles, *masses) for word in low_word_first(value)]
        table = {1: FIRMWARE, 19: self.errors | (0 if ready else _NOT_READY), **dict(enumerate(mean * 3, 50))}
        heard = partial(self._heard, masses) if ready and wanted[-1] >= 61 else None
        return Answer(words(*(table.get(register, 0) for register in wanted)), heard)

    def _heard(self, masses: tuple[int, int, int], arrived: bool | None) -> None:
        if arrived is not False:
            fields = dict(zip(("pm1", "pm25", "pm10"), (mass / 1000 for mass in masses), strict=True))
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = NextPmModbus
VARIANTS = {
    "nextpm_modbus_10s": Variant(NextPmModbus, {"average": "10s"}),
    "nextpm_by_address": Variant(partial(NextPmModbus, address=3), {"address": 3}, driver="nextpm"),
}
