"""Twin of a Terabee people counter: two counts since midnight, a time in seconds as a text, and its credentials."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken

DRIVER = "terabee"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Push the counts of the day; ``name`` is the device's id."""
    seconds = time // 1_000_000_000
    entered = seconds % 86400 // 10
    left = max(0, entered - random.randint(0, 40))
    said = {
        "count_in": entered,
        "count_out": left,
        "timestamp": str(seconds),
        "device_id": name,
        "username": "people",
        "password": "secret",
    }
    when = seconds * 1_000_000_000
    readings = tuple(
        Meant("traffic", {"total_count": count}, when, {"direction": way})
        for way, count in (("in", entered), ("out", left))
    )
    return Spoken(f"terabee/{name}", json.dumps(said).encode(), readings)


TWIN = partial(Reporter, speak)
