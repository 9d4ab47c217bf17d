"""Twin of a Telraam S2 counter, as the service reports it: whole numbers of an interval, both directions, and v85."""

import json
from datetime import UTC, datetime
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken

DRIVER = "telraam"
NAME = "9000003890"
"""A segment is called by a number."""


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say one row; ``name`` is the number of the street's segment."""
    begun = time // 1_000_000_000 // 60 * 60
    row: dict[str, object] = {
        "segment_id": int(name),
        "date": f"{datetime.fromtimestamp(begun, UTC):%Y-%m-%dT%H:%M:%S}.000Z",
        "interval": "hourly",
        "uptime": round(random.uniform(0.5, 1.0), 2),
    }
    readings = []
    for kind in ("car", "heavy", "bike", "pedestrian"):
        left, right = random.randint(0, 200), random.randint(0, 200)
        row |= {kind: left + right, f"{kind}_lft": left, f"{kind}_rgt": right}
        for way, count in (("left", left), ("right", right)):
            fields = {"intensity": count, "period": 3600.0}
            tags = {"vehicle_type": kind, "direction": way}
            readings.append(Meant("traffic", fields, begun * 1_000_000_000, tags))
    row["v85"] = speed = random.randint(200, 600) / 10
    fields = {"speed_85th_percentile": speed, "period": 3600.0}
    readings.append(Meant("traffic", fields, begun * 1_000_000_000, {"vehicle_type": "car"}))
    answer = {"status_code": 200, "message": "ok", "report": [row]}
    return Spoken(f"telraam/{name}", json.dumps(answer).encode(), tuple(readings))


TWIN = partial(Reporter, speak)
