"""Twin of the Plantower PMS3003, a laser sensor for dust (UART 9600 8N1).

Source: Plantower PMS3003 data manual, and a capture. Nine words: PM1, PM2.5, PM10 by the factory's calibration, the
same outdoors, two reserved ones, and 0051, which is what a real one sends there.
"""

from collections.abc import Sequence

from firmware_sim.parts.plantower import Plantower, Sample, masses
from firmware_sim.truth.ledger import Truth

DRIVER = "pms3003"


def pms3003(name: str, truth: Truth, seed: str) -> Plantower:
    """Return one sensor."""
    return Plantower(name, truth, seed, _words, masses)


def _words(sample: Sample, _: int) -> Sequence[int]:
    return *sample.factory, *sample.outdoors, 0, 0, 0x0051


TWIN = pms3003
