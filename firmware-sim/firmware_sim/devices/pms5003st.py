"""Twin of the Plantower PMS5003ST and PMS5003S, laser sensors for dust and formaldehyde (UART 9600 8N1).

Source: Plantower PMS5003ST and PMS5003S data manuals. Twelve words as from the PMS5003: masses by the factory's
calibration, masses outdoors, particles above 0.3, 0.5, 1, 2.5, 5 and 10 um in 0.1 l. Then formaldehyde in ug/m3, with
which the S ends; the ST goes on with temperature (signed) and humidity in tenths, a reserved word, and version and
error code, a byte each.
"""

from collections.abc import Sequence

from firmware_sim.parts.plantower import Plantower, Sample, masses, particles
from firmware_sim.parts.twin import Variant
from firmware_sim.truth.ledger import Truth

DRIVER = "pms5003st"
VERSION = 0x97


def pms5003st(name: str, truth: Truth, seed: str) -> Plantower:
    """Return one PMS5003ST."""
    return Plantower(name, truth, seed, _words, _fields)


def pms5003s(name: str, truth: Truth, seed: str) -> Plantower:
    """Return one PMS5003S."""
    return Plantower(name, truth, seed, lambda sample, _: _words_s(sample), _fields_s)


def _words_s(sample: Sample) -> Sequence[int]:
    return *sample.factory, *sample.outdoors, *sample.particles, sample.formaldehyde


def _words(sample: Sample, error: int) -> Sequence[int]:
    return *_words_s(sample), sample.temperature & 0xFFFF, sample.humidity, 0, VERSION << 8 | error


def _fields_s(sample: Sample) -> dict[str, float]:
    return masses(sample) | particles(sample, 6) | {"ch2o": float(sample.formaldehyde)}


def _fields(sample: Sample) -> dict[str, float]:
    weather = {"temperature": sample.temperature / 10, "relative_humidity": sample.humidity / 1000}
    return _fields_s(sample) | weather


TWIN = pms5003st
VARIANTS = {"pms5003s": Variant(pms5003s)}
