"""Twin of an AirGradient monitor, warm inside its case: it says its climate twice, and nothing of missing parts."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "airgradient"


def speak(name: str, random: Random, _: int) -> Spoken:
    """Say what one minute brought; ``name`` is the serial number."""
    temperature, humidity = round(random.uniform(-5, 30), 2), random.randint(30, 90)
    pm25, pm10, count = (float(random.randint(*between)) for between in ((2, 40), (45, 60), (100, 900)))
    fields: dict[str, Value] = {
        "pm1": 1.0,
        "pm25": pm25,
        "pm10": pm10,
        "particles_above_03": count / 100,
        "temperature": temperature,
        "relative_humidity": humidity / 100,
        "tvoc_index": 100.0,
        "nox_index": 1.0,
        "rssi": -46.0,
        "firmware_version": "3.1.3",
        "serial_number": name,
    }
    said = {
        "wifi": -46,
        "serialno": name,
        "pm01": 1,
        "pm02": pm25,
        "pm10": pm10,
        "pm003Count": count,
        "atmp": temperature + 1.5,
        "atmpCompensated": temperature,
        "rhum": humidity - 6,
        "rhumCompensated": humidity,
        "tvocIndex": 100,
        "tvocRaw": 33051,
        "noxIndex": 1,
        "noxRaw": 16307,
        "bootCount": 6,
        "firmware": "3.1.3",
        "model": "O-1PST",
    }
    if random.random() < 0.5:
        said["rco2"] = fields["co2"] = float(random.randint(400, 900))
    return Spoken(f"airgradient/readings/{name}", json.dumps(said).encode(), (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
