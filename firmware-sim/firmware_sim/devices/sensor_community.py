"""Twin of an airrohr station of Sensor.Community: SDS011, DHT22, BMP180; values are texts, no time is said."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "sensor_community"


def speak(name: str, random: Random, _: int) -> Spoken:
    """Say what one interval of 145 s brought; ``name`` is the chip's number."""
    pm25 = round(random.uniform(2, 40), 2)
    pm10 = round(pm25 * 1.5 + random.uniform(0, 5), 2)
    temperature, humidity = round(random.uniform(-10, 35), 2), round(random.uniform(20, 95), 2)
    pascals, signal = random.randint(95000, 104000), random.randint(-90, -40)
    values = {
        "SDS_P1": f"{pm10:.2f}",
        "SDS_P2": f"{pm25:.2f}",
        "temperature": f"{temperature:.2f}",
        "humidity": f"{humidity:.2f}",
        "BMP_pressure": f"{pascals}.00",
        "BMP_temperature": f"{temperature + 3:.2f}",
        "samples": str(random.randint(400000, 900000)),
        "min_micro": "226",
        "max_micro": "33352",
        "signal": str(signal),
    }
    said = {
        "esp8266id": name,
        "software_version": "NRZ-2020-133",
        "sensordatavalues": [{"value_type": kind, "value": value} for kind, value in values.items()],
    }
    fields: dict[str, Value] = {
        "pm25": pm25,
        "pm10": pm10,
        "temperature": temperature,
        "relative_humidity": humidity / 100,
        "atmospheric_pressure": pascals / 100,
        "rssi": float(signal),
        "firmware_version": "NRZ-2020-133",
    }
    return Spoken(f"airrohr/{name}", json.dumps(said).encode(), (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
