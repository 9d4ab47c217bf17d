"""Twin of an air sensor behind Zigbee2MQTT, which says when it last heard from it, as text or in milliseconds."""

import json
from datetime import UTC, datetime
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "zigbee2mqtt"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say what the sensor reported; one that knows no battery says null."""
    milliseconds = time // 1_000_000
    moment = f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"
    temperature, humidity = round(random.uniform(-10, 35), 2), round(random.uniform(20, 95), 2)
    pm25, quality, battery = random.randint(1, 60), random.randint(20, 255), random.choice((None, 87))
    said = {
        "temperature": temperature,
        "humidity": humidity,
        "pm25": pm25,
        "battery": battery,
        "linkquality": quality,
        "last_seen": random.choice((moment, milliseconds)),
        "update": {"state": "idle"},
    }
    fields: dict[str, Value] = {
        "temperature": temperature,
        "relative_humidity": humidity / 100,
        "pm25": float(pm25),
        "link_quality": quality,
    }
    if battery is not None:
        fields["battery_level"] = battery / 100
    readings = (Meant("air_quality", fields, milliseconds * 1_000_000),)
    return Spoken(f"zigbee2mqtt/{name}", json.dumps(said).encode(), readings)


TWIN = partial(Reporter, speak)
