"""Twin of a CO2 light that publishes InfluxDB line protocol: ``co2light,room=3 co2=812i,temperature=22.1``.

Written from the reference of line protocol alone. Humidity is in percent, and the light has no clock.
"""

from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "line_protocol"
SOURCE = {
    "topics": ["co2/+"],
    "options": {
        "kind": "air_quality",
        "sensor": "topic:1",
        "fields": {
            "co2": "co2",
            "temperature": "temperature",
            "relative_humidity": {"path": "humidity", "unit": "%"},
        },
    },
}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return one point."""
    del time
    co2, temperature, percent = random.randint(400, 2000), round(random.uniform(-15, 35), 1), random.randint(20, 98)
    fields: dict[str, Value] = {
        "co2": float(co2),
        "temperature": temperature,
        "relative_humidity": percent / 100,
    }
    line = f"co2light,room=class\\ 3 co2={co2}i,temperature={temperature},humidity={percent}"
    return Spoken(f"co2/{name}", line.encode(), (Meant("air_quality", fields, None, {"room": "class 3"}),))


TWIN = partial(Reporter, speak)
