"""Twin of a device that has a topic for each value, and publishes bare numbers: ``home/kitchen/temp`` with ``21.5``.

No maker's sheet stands behind it: relays, meters and many sketches publish so. Humidity is in percent.
"""

from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "value"
SOURCE = {
    "topics": ["home/+/+"],
    "options": {
        "kind": "air_quality",
        "sensor": "topic:1",
        "name": "topic:2",
        "fields": {"temperature": "temp", "relative_humidity": {"path": "hum", "unit": "%"}},
    },
}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return one value, now the temperature, now the humidity."""
    del time
    fields: dict[str, Value]
    if random.random() < 0.5:
        topic, number = "temp", round(random.uniform(-15, 35), 1)
        fields = {"temperature": number}
    else:
        topic, number = "hum", random.randint(20, 98)
        fields = {"relative_humidity": number / 100}
    return Spoken(f"home/{name}/{topic}", str(number).encode(), (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
