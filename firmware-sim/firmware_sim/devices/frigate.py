"""Twin of a Frigate camera: each event begins and goes on before it ends, and some were nothing after all."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken

DRIVER = "frigate"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say a step of an event: only the end of a true one is a reading."""
    microseconds = time // 1000
    start = microseconds / 1_000_000
    step, label, false = (
        random.choice(("new", "update", "end")),
        random.choice(("car", "bicycle")),
        random.random() < 0.2,
    )
    after = {
        "id": f"{start:.6f}-{random.getrandbits(24):06x}",
        "camera": name,
        "label": label,
        "false_positive": false,
        "start_time": start,
        "end_time": start + 4.5 if step == "end" else None,
        "entered_zones": ["street"],
        "stationary": False,
    }
    meant = Meant("traffic", {"intensity": 1}, microseconds * 1000, {"vehicle_type": label})
    payload = json.dumps({"type": step, "before": after, "after": after}).encode()
    return Spoken("frigate/events", payload, (meant,) if step == "end" and not false else ())


TWIN = partial(Reporter, speak)
