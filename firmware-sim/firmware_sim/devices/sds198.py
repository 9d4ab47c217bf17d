"""Twin of the Nova SDS198, a laser sensor for all suspended particles on a serial line (9600 8N1).

Source: Nova Fitness SDS198 specification, and captured reports. It takes the commands of its sibling, the SDS011, and
reports once a second, low byte first; what x means is not said, and it follows the value::

    sensor  AA CF xl xh pml pmh idl idh sum AB      PM100 in ug/m3, sum over the six bytes before it
"""

from functools import partial
from random import Random

from firmware_sim.devices.sds011 import Sds011
from firmware_sim.parts.twin import Frame
from firmware_sim.parts.wire_faults import Walk, Wire
from firmware_sim.truth.ledger import Truth

DRIVER = "sds198"
REPORT = 0xCF


class Sds198(Sds011):
    """One sensor; see `parts.twin.SerialTwin`. What may happen to its reports is in `wire`."""

    def __init__(self, name: str, truth: Truth, seed: str, device_id: bytes | None = None) -> None:
        super().__init__(name, truth, seed, device_id)
        self.wire = Wire(seed)
        self._dust = Walk(seed, 5, 900, 7)
        self._unknown = Random(f"{seed}/unknown")

    def _measure(self) -> list[Frame]:
        if self._zeros is None:
            self._zeros = self.faults.zeros_at_start
        if self._zeros:
            self._zeros -= 1
            return [Frame(self._frame(REPORT, bytes(4)))]
        dust = self._dust.sample()
        unknown = round(dust * self._unknown.uniform(0.5, 0.9))
        data = self._frame(REPORT, unknown.to_bytes(2, "little") + dust.to_bytes(2, "little"))
        return self.wire.send(data, partial(self._took, {"pm100": float(dust)}))

    def _took(self, fields: dict[str, float], arrived: bool | None) -> None:
        if arrived is not False:
            self._truth.record(self.name, "air_quality", fields, certain=arrived is True)


TWIN = Sds198
