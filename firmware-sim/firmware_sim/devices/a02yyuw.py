"""Twin of the DYP A02YYUW and A01NYUB, ultrasonic distance meters on a serial line (9600 8N1).

Source: DFRobot SEN0311 and SEN0313. It measures by itself, ten times a second at most, in mm, big endian::

    FF hi lo sum        sum = (FF + hi + lo) & FF; 0 mm where no echo came
"""

from firmware_sim.parts.ranging import Ranger
from firmware_sim.truth.ledger import Truth

DRIVER = "a02yyuw"
SOURCE = {"options": {"interval": "0s"}}


def frame(millimetres: int | None) -> bytes:
    """Return what it says."""
    body = b"\xff" + (millimetres or 0).to_bytes(2, "big")
    return body + bytes((sum(body) & 0xFF,))


class A02yyuw(Ranger):
    """One sensor; see `parts.twin.SerialTwin`. With its RX pin high it reports every 0.3 s."""

    def __init__(self, name: str, truth: Truth, seed: str) -> None:
        super().__init__(name, truth, seed, 0.3, frame)


TWIN = A02yyuw
