"""Twin of a station that speaks SenML: a base name and a base time once, then readings that lie seconds before it."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "senml"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say three readings, ten seconds apart; the base unit is the temperature's."""
    now = time // 1_000_000_000
    records: list[dict[str, object]] = [{"bn": f"{name}:", "bt": now, "bu": "Cel", "bver": 10}]
    readings = []
    for ago in (20, 10, 0):
        temperature, humidity = random.randint(-10, 35), random.randint(20, 95)
        records += [
            {"n": "temperature", "t": -ago, "v": temperature},
            {"n": "humidity", "t": -ago, "u": "%RH", "v": humidity},
        ]
        fields: dict[str, Value] = {"temperature": float(temperature), "relative_humidity": humidity / 100}
        readings.append(Meant("air_quality", fields, (now - ago) * 1_000_000_000))
    return Spoken(f"senml/{name}", json.dumps(records).encode(), tuple(readings))


TWIN = partial(Reporter, speak)
