"""Twin of a PurpleAir PA-II: two lasers side by side, a thermometer in its case, local names and American units."""

import json
from datetime import UTC, datetime
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "purpleair"
_SIZES = {"0_3": "03", "0_5": "05", "1_0": "1", "2_5": "25", "5_0": "5", "10_0": "10"}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say the mean of two minutes; ``name`` is the sensor's id."""
    seconds = time // 1_000_000_000
    celsius, humidity, pressure = random.randint(-10, 40), random.randint(10, 90), random.randint(9500, 10400) / 10
    said: dict[str, object] = {
        "SensorId": name,
        "DateTime": f"{datetime.fromtimestamp(seconds, UTC):%Y/%m/%dT%H:%M:%S}z",
        "Geo": "PurpleAir-1",
        "place": "outside",
        "version": "7.04",
        "rssi": -65,
        "hardwarediscovered": "3.0+OPENLOG+NO-DISK+RV3028+BME68X+PMSX003-A+PMSX003-B",
        "current_temp_f": celsius * 1.8 + 32,
        "current_humidity": humidity,
        "current_dewpoint_f": 35,
        "pressure": pressure,
        "pm2.5_aqi": 35,
    }
    fields: dict[str, Value] = {
        "device_temperature": float(celsius),
        "device_humidity": humidity / 100,
        "atmospheric_pressure": pressure,
        "rssi": -65.0,
        "firmware_version": "7.04",
    }
    dust = round(random.uniform(2, 40), 2)
    readings = []
    for ending, channel in (("", {}), ("_b", {"channel": "b"})):
        own = round(dust + random.uniform(-1, 1), 2)
        masses = {"pm1_0": own - 1, "pm2_5": own, "pm10_0": own + 2}
        counts = {size: float(random.randint(0, 3000)) for size in _SIZES}
        said |= {f"{size}_atm{ending}": round(mass, 2) for size, mass in masses.items()}
        said |= {f"{size}_cf_1{ending}": round(mass * 1.3, 2) for size, mass in masses.items()}
        said |= {f"p_{size}_um{ending}": count for size, count in counts.items()}
        values: dict[str, Value] = {
            ours: round(masses[theirs], 2)
            for theirs, ours in (("pm1_0", "pm1"), ("pm2_5", "pm25"), ("pm10_0", "pm10"))
        }
        values |= {f"particles_above_{_SIZES[size]}": count / 100 for size, count in counts.items()}
        readings.append(Meant("air_quality", {**values, **({} if channel else fields)}, seconds * 10**9, channel))
    return Spoken(f"purpleair/{name}", json.dumps(said).encode(), tuple(readings))


TWIN = partial(Reporter, speak)
