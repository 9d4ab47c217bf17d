"""Twin of an Axis camera with two scenarios of object analytics: a line that counts on and on, and an area.

Every number is a text; a line's counts have ``total`` before the class, an area's have not.
"""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken

DRIVER = "axis"
KINDS = {"Human": "person", "Car": "car", "Bus": "bus", "Truck": "truck", "Bike": "bicycle"}


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say one event of one of the scenarios; ``name`` is the camera's serial number."""
    line = random.random() < 0.5
    milliseconds = time // 1_000_000
    scenario = "Gate" if line else "Square"
    number = 1 if line else 2
    counts = {kind: random.randint(0, 9) + (milliseconds // 1000 % 100_000 if line else 0) for kind in KINDS}
    total = sum(counts.values())
    data = {"scenario": scenario, "total": str(total)}
    if line:
        data |= {"reason": "car", "resetTime": "2026-01-01T00:00:00Z"}
        data |= {f"total{kind}": str(count) for kind, count in counts.items()}
    else:
        data |= {kind.lower(): str(count) for kind, count in counts.items()}
    event = f"CameraApplicationPlatform/ObjectAnalytics/Device1Scenario{number}"
    said = {
        "topic": f"axis:{event}",
        "timestamp": milliseconds,
        "serial": name,
        "message": {"source": {}, "key": {}, "data": data},
    }
    when, about = milliseconds * 1_000_000, {"scenario": scenario}
    readings = [Meant("traffic", {"total_count" if line else "object_count": total}, when, about)]
    for kind, count in counts.items():
        field = "total_count" if line else "people_count" if kind == "Human" else "vehicle_count"
        readings.append(Meant("traffic", {field: count}, when, {**about, "vehicle_type": KINDS[kind]}))
    return Spoken(f"axis/{name}/event/tns:axis/{event}", json.dumps(said).encode(), tuple(readings))


TWIN = partial(Reporter, speak)
