"""Twin of an Ecowitt gateway: imperial units in texts, UTC to the second, its credential in each message."""

import json
from datetime import UTC, datetime
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "ecowitt"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say what one minute brought; firmware V3.1.0 prints spaces after the colons of its time."""
    celsius, humidity, knots = random.randint(-10, 35), random.randint(20, 95), random.randint(0, 30)
    pm25, seconds = round(random.uniform(1, 60), 1), time // 1_000_000_000
    said = {
        "PASSKEY": "0123456789ABCDEF0123456789ABCDEF",
        "stationtype": "GW2000A_V3.1.0",
        "dateutc": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H: %M: %S}",
        "tempinf": "69.44",
        "humidityin": "36",
        "baromrelin": "30.142",
        "baromabsin": "29.667",
        "tempf": str(round(celsius * 1.8 + 32, 2)),
        "humidity": str(humidity),
        "winddir": "293",
        "windspeedmph": str(knots * 2),
        "pm25_ch1": str(pm25),
        "pm25_avg_24h_ch1": "6.5",
        "model": "GW2000A",
    }
    fields: dict[str, Value] = {
        "temperature": float(celsius),
        "relative_humidity": humidity / 100,
        "atmospheric_pressure": 29.667 * 33.8638866667,
        "wind_speed": knots * 2 * 0.44704,
        "wind_direction": 293.0,
        "pm25": pm25,
        "firmware_version": "GW2000A_V3.1.0",
    }
    return Spoken(f"ecowitt/{name}", json.dumps(said).encode(), (Meant("air_quality", fields, seconds * 10**9),))


TWIN = partial(Reporter, speak)
