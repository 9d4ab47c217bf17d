"""Twin of the JSN-SR04T and AJ-SR04M, ultrasonic distance meters on a serial line (9600 8N1).

Source: data sheets of JSN-SR04T V3.0 and AJ-SR04M. In the mode that waits to be asked::

    host    55
    sensor  FF hi lo sum    mm, big endian; 0 where no echo came
                            sum over FF, hi and lo for the JSN-SR04T; over hi and lo for the AJ-SR04M
"""

from functools import partial

from firmware_sim.parts.ranging import Ranger
from firmware_sim.parts.twin import Frame, Variant
from firmware_sim.truth.ledger import Truth

DRIVER = "jsn_sr04t"
ASK = b"\x55"


def frame(header: bool, millimetres: int | None) -> bytes:
    """Return what it says; ``header`` tells whether FF is in the sum."""
    data = (millimetres or 0).to_bytes(2, "big")
    return b"\xff" + data + bytes((sum(data) + 0xFF * header & 0xFF,))


class JsnSr04t(Ranger):
    """One sensor; see `parts.twin.SerialTwin`."""

    def __init__(self, name: str, truth: Truth, seed: str, *, header: bool = True) -> None:
        super().__init__(name, truth, seed, 0.0, partial(frame, header))

    def receive(self, data: bytes, now: float) -> list[Frame]:  # noqa: ARG002 -- it has no clock
        """Measure once for each question."""
        return [frame for _ in range(data.count(ASK)) for frame in self.measure()]


TWIN = JsnSr04t
VARIANTS = {"aj_sr04m": Variant(partial(JsnSr04t, header=False), {"checksum": "without_header"})}
