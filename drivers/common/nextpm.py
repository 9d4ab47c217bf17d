"""TERA NextPM: state bits and readings, which both of its protocols share."""

from collections.abc import Sequence
from typing import Literal

from gateway.contract import Measurement, Quality, field

FLAGS = ("sleep", "degraded", "not_ready", "heater", "t_rh_error", "fan_error", "memory_error", "laser_error")
"""The names of the state's bits, the lowest first. The heater runs where it is damp, and is no error."""
ASLEEP, NOT_READY = 1, 4
ERRORS = 0xF2

Average = Literal["10s", "60s", "15min"]
"""Over how long a value is the mean: renewed each 1 s, 10 s and 60 s."""

MASSES = ("pm1", "pm25", "pm10")
PARTICLES = ("particles_up_to_1", "particles_up_to_25", "particles_up_to_10")
FIELDS = (*(field(name, 0, 1000) for name in MASSES), *(field(name) for name in PARTICLES), field("device_error"))


def flags(state: int) -> list[str]:
    """Return the names of the bits that are set."""
    return [name for bit, name in enumerate(FLAGS) if state >> bit & 1]


def reading(particles: Sequence[float], masses: Sequence[float], state: int, *, warm: bool = True) -> Measurement:
    """Return a mean as a reading: particles a litre, masses in ug/m3, each for PM1, PM2.5 and PM10.

    It is marked where the state or the masses themselves are doubtful.
    """
    quality = Quality.GOOD
    if state & (ASLEEP | NOT_READY) or not warm:
        quality |= Quality.WARM_UP
    if state & ERRORS or not masses[0] <= masses[1] <= masses[2]:
        quality |= Quality.INCONSISTENT
    numbers = (round(number / 1000, 6) for number in particles)  # in a cubic centimetre
    fields = dict(zip((*MASSES, *PARTICLES), (*masses, *numbers), strict=True))
    return Measurement("air_quality", {**fields, "device_error": state & ERRORS}, quality=quality)
