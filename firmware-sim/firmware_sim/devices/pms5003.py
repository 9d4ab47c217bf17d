"""Twin of the Plantower PMS5003, PMS7003 and PMSA003, laser sensors for dust (UART 9600 8N1).

Source: Plantower PMS5003 data manual. Thirteen words: PM1, PM2.5, PM10 by the factory's calibration, the same
outdoors, particles above 0.3, 0.5, 1, 2.5, 5 and 10 um in 0.1 l, then version and error code, a byte each.
"""

from collections.abc import Sequence

from firmware_sim.parts.plantower import Plantower, Sample, masses, particles
from firmware_sim.truth.ledger import Truth

DRIVER = "pms5003"
VERSION = 0x97


def pms5003(name: str, truth: Truth, seed: str) -> Plantower:
    """Return one sensor."""
    return Plantower(name, truth, seed, _words, lambda sample: masses(sample) | particles(sample, 6))


def _words(sample: Sample, error: int) -> Sequence[int]:
    return *sample.factory, *sample.outdoors, *sample.particles, VERSION << 8 | error


TWIN = pms5003
