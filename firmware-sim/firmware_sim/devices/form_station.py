"""Twin of a station that sends forms: ``station=roof&temp=21.5&hum=55&dateutc=1700000000``, percent-encoded.

No maker's sheet stands behind it: it is what uploads over HTTP look like. Humidity is in percent, time in seconds.
"""

from functools import partial
from random import Random
from urllib.parse import urlencode

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "form"
SOURCE = {
    "topics": ["form/upload"],
    "options": {
        "kind": "air_quality",
        "sensor": "station",
        "time": "dateutc",
        "time_format": "s",
        "fields": {"temperature": "temp", "relative_humidity": {"path": "hum", "unit": "%"}},
    },
}
_SECOND = 1_000_000_000


def speak(name: str, random: Random, time: int) -> Spoken:
    """Return one upload."""
    temperature, percent = round(random.uniform(-15, 35), 1), random.randint(20, 98)
    fields: dict[str, Value] = {"temperature": temperature, "relative_humidity": percent / 100}
    said = {"station": name, "model": "A & B", "temp": temperature, "hum": percent, "dateutc": time // _SECOND}
    meant = Meant("air_quality", fields, time // _SECOND * _SECOND)
    return Spoken("form/upload", urlencode(said).encode(), (meant,))


TWIN = partial(Reporter, speak)
