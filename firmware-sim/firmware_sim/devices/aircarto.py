"""Twin of a ModuleAir with a NextPM, a BME280, an MH-Z19 and a CCS811; now and then one of them is not there."""

import json
from functools import partial
from random import Random

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "aircarto"


def speak(name: str, random: Random, _: int) -> Spoken:
    """Say what two minutes brought; ``name`` is the device's id."""
    said: dict[str, object] = {"device_id": name, "signal_quality": -61, "version": 1}
    said |= {"version_major": 1, "version_minor": 4, "version_patch": 2}
    fields: dict[str, Value] = {"rssi": -61.0, "firmware_version": "1.4.2"}

    def add(code: str, value: float, unit: str, field: str, scale: float = 1.0) -> None:
        said[f"ISO_{code}"] = value
        said[f"ISO_{code}_unit"] = f"{value} {unit}"
        fields[field] = value * scale

    dust = round(random.uniform(1, 30), 1)
    add("68", dust, "ugm3", "pm1")
    add("39", round(dust * 1.2, 1), "ugm3", "pm25")
    add("24", round(dust * 1.5, 1), "ugm3", "pm10")
    if climate := random.random() < 0.8:
        add("54", random.randint(100, 300) / 10, "°C", "temperature")
        add("55", random.randint(200, 900) / 10, "%", "relative_humidity", 0.01)
        add("53", random.randint(9500, 10400) / 10, "hPa", "atmospheric_pressure")
    if random.random() < 0.5:
        add("17", float(random.randint(400, 1500)), "ppm", "co2")
        add("100", float(random.randint(0, 300)), "ppb", "tvoc")
        add("101", float(random.randint(400, 900)), "ppm", "co2_equivalent")
    said["error_flags"] = fields["device_error"] = 0 if climate else 4
    said |= {"npm_status": 0, "device_status": 2}
    return Spoken(f"aircarto/{name}", json.dumps(said).encode(), (Meant("air_quality", fields),))


TWIN = partial(Reporter, speak)
