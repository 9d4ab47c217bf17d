"""Twin of a Shelly Plus H&T: it wakes, says all that it knows, and sleeps; now and then it is on USB power."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "shelly"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Say a whole status; ``name`` is the device's id."""
    milliseconds = time // 1_000_000
    celsius, humidity = random.randint(-100, 350) / 10, random.randint(200, 950) / 10
    powered, percent = random.random() < 0.3, random.randint(5, 100)
    parts = {
        "ts": milliseconds / 1000,
        "ble": {},
        "cloud": {"connected": False},
        "devicepower:0": {
            "id": 0,
            "battery": {"V": 0.43 if powered else 5.5, "percent": 0 if powered else percent},
            "external": {"present": powered},
        },
        "humidity:0": {"id": 0, "rh": humidity},
        "temperature:0": {"id": 0, "tC": celsius, "tF": celsius * 1.8 + 32},
        "wifi": {"sta_ip": "192.168.3.183", "status": "got ip", "rssi": -61},
        "sys": {"mac": "B8D61A0A0B0C", "time": None, "unixtime": None},
    }
    said = {"src": name, "dst": f"{name}/events", "method": "NotifyFullStatus", "params": parts}
    fields: dict[str, Value] = {"temperature": celsius, "relative_humidity": humidity / 100, "rssi": -61.0}
    if not powered:
        fields |= {"battery_level": percent / 100, "battery_voltage": 5.5}
    microseconds = round(milliseconds / 1000 * 1e6)
    meant = Meant("air_quality", fields, microseconds * 1000)
    return Spoken(f"{name}/events/rpc", json.dumps(said).encode(), (meant,))


TWIN = partial(Reporter, speak)
