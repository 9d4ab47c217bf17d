"""Twin of the Plantower PMS5003T, a laser sensor for dust with temperature and humidity (UART 9600 8N1).

Source: Plantower PMS5003T data manual. Thirteen words: PM1, PM2.5, PM10 by the factory's calibration, the same
outdoors, particles above 0.3, 0.5, 1 and 2.5 um in 0.1 l, temperature (signed) and humidity in tenths, then version
and error code, a byte each.
"""

from collections.abc import Sequence

from firmware_sim.parts.plantower import Plantower, Sample, masses, particles
from firmware_sim.truth.ledger import Truth

DRIVER = "pms5003t"
VERSION = 0x9A


def pms5003t(name: str, truth: Truth, seed: str) -> Plantower:
    """Return one sensor."""
    return Plantower(name, truth, seed, _words, _fields)


def _words(sample: Sample, error: int) -> Sequence[int]:
    weather = sample.temperature & 0xFFFF, sample.humidity
    return *sample.factory, *sample.outdoors, *sample.particles[:4], *weather, VERSION << 8 | error


def _fields(sample: Sample) -> dict[str, float]:
    weather = {"temperature": sample.temperature / 10, "relative_humidity": sample.humidity / 1000}
    return masses(sample) | particles(sample, 4) | weather


TWIN = pms5003t
