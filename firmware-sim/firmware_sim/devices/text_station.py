"""Twin of a station that publishes lines of comma-separated values, as many loggers and sketches do.

No maker's sheet stands behind it::

    21.50,55.0,11.3       degrees, percent, and micrograms per cubic metre
"""

from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "text"
SOURCE = {
    "topics": ["csv/+"],
    "options": {
        "kind": "air_quality",
        "sensor": "topic:1",
        "columns": ["temperature", "relative_humidity:%", "pm25"],
    },
}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return one line."""
    del time
    temperature, percent, dust = (
        round(random.uniform(-15, 35), 1),
        random.randint(20, 98),
        random.randint(20, 600) / 10,
    )
    fields: dict[str, Value] = {"temperature": temperature, "relative_humidity": percent / 100, "pm25": dust}
    line = f"{temperature:.2f},{percent:.1f},{dust}\r\n"
    return Spoken(f"csv/{name}", line.encode(), (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
