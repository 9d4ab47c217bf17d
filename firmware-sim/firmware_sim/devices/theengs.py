"""Twin of OpenMQTTGateway that hears a RuuviTag: climate, pressure, and an acceleration that nobody asked for."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "theengs"


def speak(name: str, random: Random, _: int) -> Spoken:
    """Say one advertisement; ``name`` is the tag's address."""
    celsius, pressure = random.randint(-4000, 8000) / 200, random.randint(90000, 105000) / 100
    humidity, volts = random.randint(4000, 38000) / 400, random.randint(1600, 3600) / 1000
    said = {
        "id": name,
        "mac_type": 1,
        "name": "Ruuvi",
        "rssi": -68,
        "brand": "Ruuvi",
        "model": "RuuviTag",
        "model_id": "RuuviTag_RAWv2",
        "type": "ACEL",
        "track": True,
        "tempc": celsius,
        "tempf": celsius * 1.8 + 32,
        "hum": humidity,
        "pres": pressure,
        "accx": 0.0039,
        "volt": volts,
        "tx": 4,
        "mov": 66,
        "seq": random.randint(0, 65534),
    }
    fields: dict[str, Value] = {
        "temperature": celsius,
        "relative_humidity": humidity / 100,
        "atmospheric_pressure": pressure,
        "battery_voltage": volts,
        "rssi": -68.0,
    }
    payload = json.dumps(said).encode()
    return Spoken(f"home/gateway/BTtoMQTT/{name}", payload, (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
