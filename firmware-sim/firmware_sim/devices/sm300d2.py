"""Twin of the SmartMeasure SM300D2, seven air values from one module on a serial line (9600 8N1), in both dialects.

Source: the 17-byte frame as ESPHome reads it; the other as captured from a module. Once a second, by itself::

    3C 02 co2(2) ch2o(2) tvoc(2) pm25(2) pm10(2) t t. h h. sum         t with its highest bit set is below zero
    01 03 0E co2(2) ch2o(2) tvoc(2) pm25(2) pm10(2) t(2) h(2) crc(2)   an answer of Modbus RTU without a question

CO2 in ppm is worked out from tvoc; ch2o, tvoc, pm25, pm10 in ug/m3; temperature and humidity in tenths behind a whole
number, or in hundredths. In the first dialect the sum is sometimes 80 hex off.
"""

from functools import partial
from random import Random

from firmware_sim.parts.modbus import with_crc, words
from firmware_sim.parts.twin import NEVER, Frame, Variant
from firmware_sim.parts.wire_faults import Walk, Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "sm300d2"

_NAMES = ("co2_equivalent", "ch2o", "tvoc_mass", "pm25", "pm10")


class Sm300d2:
    """One module; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, *, modbus: bool = False) -> None:
        self.name = name
        self.modbus = modbus
        """Whether it speaks the second dialect."""
        self.tenths = 223
        """The temperature in tenths of a degree."""
        self.odd_sums = 0.0
        """How often, of 1, the sum is 80 hex off."""
        self.air = Walk(seed, 4, 300, 6)
        self._wire = Wire(seed)
        self.faults = self._wire.faults
        self._random = Random(f"{seed}/sums")
        self._truth = truth
        self._next = 1.0
        self._stopped = False

    def receive(self, data: bytes, now: float) -> list[Frame]:  # noqa: ARG002 -- it has no ears
        """Hear nothing."""
        return []

    def tick(self, now: float) -> list[Frame]:
        """Report once a second."""
        if now < self.due():
            return []
        self._next = now + 1.0
        pm25 = self.air.sample()
        values = (400 + pm25, pm25 // 8, pm25 // 2, pm25, pm25 + pm25 // 5 + 2)
        body = words(*values)
        if self.modbus:
            data = with_crc(b"\x01\x03\x0e" + body + words(self.tenths * 10, 3308))
        else:
            whole, tenth = divmod(abs(self.tenths), 10)
            body = b"\x3c\x02" + body + bytes((whole | (0x80 if self.tenths < 0 else 0), tenth, 33, 1))
            odd = 0x80 if self._random.random() < self.odd_sums else 0
            data = body + bytes((sum(body) + odd & 0xFF,))
        return self._wire.send(data, partial(self._heard, values))

    def due(self) -> float:
        """Return the time of the next report."""
        return NEVER if self._stopped or self.faults.silent else self._next

    def power_cycle(self, now: float) -> None:
        """Start anew."""
        self._next = now + 1.0

    def stop(self) -> None:
        """Measure no more."""
        self._stopped = True

    def quiet(self) -> bool:
        """Tell that it stopped; a measurement takes no time."""
        return self._stopped

    def _heard(self, values: tuple[int, ...], arrived: bool | None) -> None:
        if arrived is not False:
            fields = dict(zip(_NAMES, map(float, values), strict=True)) | {"temperature": self.tenths / 10}
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = Sm300d2
VARIANTS = {"sm300d2_modbus": Variant(partial(Sm300d2, modbus=True))}
