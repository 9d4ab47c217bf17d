"""TERA NextPM: the frames of its own protocol, and what both its protocols say: states, means, readings.

`drivers.nextpm` describes the frames.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from gateway.contract import Measurement, Quality, Reject, field

MEANS = {"10s": 0x11, "60s": 0x12, "15min": 0x13}
INSIDE, TOGGLE, STATE, FIRMWARE = 0x14, 0x15, 0x16, 0x17
LENGTHS = {0x11: 16, 0x12: 16, 0x13: 16, INSIDE: 8, TOGGLE: 4, STATE: 4, FIRMWARE: 6, 0x21: 4, 0x22: 4}

FLAGS = ("sleep", "degraded", "not_ready", "heater", "t_rh_error", "fan_error", "memory_error", "laser_error")
"""The names of the state's bits, the lowest first. The heater runs where it is damp, and is no error."""
ASLEEP, NOT_READY = 1, 4
ERRORS = 0xF2

Average = Literal["10s", "60s", "15min"]
"""Over how long a value is the mean: renewed each 1 s, 10 s and 60 s."""

MASSES = ("pm1", "pm25", "pm10")
PARTICLES = ("particles_up_to_1", "particles_up_to_25", "particles_up_to_10")
FIELDS = (*(field(name, 0, 1000) for name in MASSES), *(field(name) for name in PARTICLES), field("device_error"))


class Answer(NamedTuple):
    """One sound frame; ``data`` stands between state and sum."""

    command: int
    state: int
    data: bytes
    frame: bytes

    def numbers(self) -> list[int]:
        """Return the two-byte values."""
        return [int.from_bytes(self.data[at : at + 2], "big") for at in range(0, len(self.data), 2)]


def with_sum(body: bytes) -> bytes:
    """Return ``body`` as it goes over the line."""
    return body + bytes((-sum(body) & 0xFF,))


def question(command: int) -> bytes:
    """Return the frame that asks."""
    return with_sum(bytes((0x81, command)))


def parse(frame: bytes) -> Answer | Reject:
    """Return what one whole frame says."""
    if sum(frame) & 0xFF:
        return Reject("checksum", frame, f"all bytes add up to {sum(frame) & 0xFF:02X}")
    if frame[:1] != b"\x81" or LENGTHS.get(frame[1]) != len(frame):
        return Reject("length", frame, "no frame of this length")
    return Answer(frame[1], frame[2], frame[3:-1], frame)


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
