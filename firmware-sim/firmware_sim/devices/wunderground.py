"""Twin of a weather station that uploads a form in American units, as Weather Underground has it."""

from datetime import UTC, datetime
from functools import partial
from random import Random
from urllib.parse import urlencode

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "wunderground"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say what the sensors say; ``name`` is the station's id."""
    seconds = time // 1_000_000_000
    celsius, humidity, wind = random.randint(-10, 35), random.randint(20, 95), random.randint(0, 30)
    gust, direction, rain = wind + random.randint(0, 20), random.randint(0, 359), random.randint(0, 30)
    clocked = random.random() < 0.8
    said = {
        "ID": name,
        "PASSWORD": "secret",
        "dateutc": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}" if clocked else "now",
        "tempf": f"{celsius * 1.8 + 32:.1f}",
        "humidity": str(humidity),
        "windspeedmph": f"{wind / 0.44704:.12f}",
        "windgustmph": f"{gust / 0.44704:.12f}",
        "winddir": str(direction),
        "dailyrainin": f"{rain / 25.4:.12f}",
        "baromin": "29.921",
        "softwaretype": "EasyWeatherV1.6.4",
        "action": "updateraw",
    }
    fields: dict[str, Value] = {
        "temperature": float(celsius),
        "relative_humidity": humidity / 100,
        "wind_speed": float(wind),
        "gust_speed": float(gust),
        "wind_direction": float(direction),
        "precipitation_total": float(rain),
        "firmware_version": "EasyWeatherV1.6.4",
    }
    meant = Meant("air_quality", fields, seconds * 1_000_000_000 if clocked else None)
    return Spoken("weatherstation/updateweatherstation.php", urlencode(said).encode(), (meant,))


TWIN = partial(Reporter, speak)
