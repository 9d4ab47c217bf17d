"""Twin of a Tasmota station with a BME280 and an SDS011: local time without an offset; degrees may be Fahrenheit."""

import json
from datetime import UTC, datetime
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken

DRIVER = "tasmota"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say what a telemetry period brought; now and then as somebody set it who thinks in Fahrenheit and mmHg."""
    pm25 = round(random.uniform(2, 40), 1)
    pm10 = round(pm25 * 1.5 + random.uniform(0, 5), 1)
    temperature, humidity, pressure = random.randint(-10, 35), round(random.uniform(20, 95), 1), 1013.0
    american = random.random() < 0.3
    said = {
        "Time": f"{datetime.fromtimestamp(time // 10**9, UTC):%Y-%m-%dT%H:%M:%S}",
        "BME280": {
            "Temperature": temperature * 1.8 + 32 if american else temperature,
            "Humidity": humidity,
            "DewPoint": 10.6,
            "Pressure": pressure / 1.33322387415 if american else pressure,
        },
        "SDS0X1": {"PM2.5": pm25, "PM10": pm10},
        "PressureUnit": "mmHg" if american else "hPa",
        "TempUnit": "F" if american else "C",
    }
    fields = {
        "pm25": pm25,
        "pm10": pm10,
        "temperature": float(temperature),
        "relative_humidity": humidity / 100,
        "atmospheric_pressure": pressure,
    }
    return Spoken(f"tele/{name}/SENSOR", json.dumps(said).encode(), (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
