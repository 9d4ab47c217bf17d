"""Twin of a small device that publishes its memory as it is: a float, a word and a byte, little end first.

No maker's sheet stands behind it. Worked: 21.5 degrees, 812 ppm and a battery at one percent are 0000AC41 2C03 01.
"""

import struct
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "struct"
SOURCE = {
    "topics": ["raw/+"],
    "options": {
        "kind": "air_quality",
        "sensor": "topic:1",
        "layout": "<fHB",
        "names": ["t", "co2", "battery"],
        "fields": {"temperature": "t", "battery_level": {"path": "battery", "unit": "%"}},
    },
}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return one structure."""
    del time
    temperature, co2, percent = round(random.uniform(-15, 35), 1), random.randint(400, 2000), random.randint(1, 100)
    fields: dict[str, Value] = {
        "temperature": temperature,
        "co2": float(co2),
        "battery_level": percent / 100,
    }
    return Spoken(f"raw/{name}", struct.pack("<fHB", temperature, co2, percent), (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
