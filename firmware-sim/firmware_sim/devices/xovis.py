"""Twin of a Xovis people counter with a line and a zone: a push of two records, each with its time."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken

DRIVER = "xovis"
_RECORD = 25_000
"""Milliseconds; two of them are less than the time between two pushes."""


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say what two intervals brought; ``name`` is the serial number."""
    now = time // 1_000_000
    line: list[dict[str, object]] = []
    zone: list[dict[str, object]] = []
    readings = []
    for begun in (now - 2 * _RECORD, now - _RECORD):
        about, when = {"from": begun, "to": begun + _RECORD}, begun * 1_000_000
        forward, backward, inside = (random.randint(0, 30) for _ in range(3))
        counts = [{"id": 2, "name": "fw", "value": forward}, {"id": 3, "name": "bw", "value": backward}]
        line.append({**about, "counts": counts})
        zone.append({**about, "counts": [{"id": 1, "name": "balance", "value": inside}]})
        for way, count in (("forward", forward), ("backward", backward)):
            tags = {"line": "Gate", "logic": "2", "direction": way, "vehicle_type": "person"}
            readings.append(Meant("traffic", {"intensity": count, "period": 25.0}, when, tags))
        tags = {"zone": "Hall", "logic": "1", "vehicle_type": "person"}
        readings.append(Meant("traffic", {"people_count": inside}, when, tags))
    logics = [
        {"id": 1, "name": "Hall", "info": "XLT_ZONE_OCCUPANCY_COUNT", "records": zone},
        {"id": 2, "name": "Gate", "info": "XLT_LINE_IN_OUT_COUNT", "records": line},
    ]
    said = {
        "logics_data": {
            "package_info": {"version": "5.0", "id": random.randint(1, 10**6), "agent_id": 1008},
            "sensor_info": {"serial_number": name, "type": "SINGLE_SENSOR", "timezone": "Europe/Ljubljana"},
            "logics": logics,
        }
    }
    return Spoken(f"xovis/{name}", json.dumps(said).encode(), tuple(readings))


TWIN = partial(Reporter, speak)
