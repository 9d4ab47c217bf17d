"""Twin of a Ruuvi Gateway that hears a RuuviTag and a Ruuvi Air, and relays them as they came over the air."""

import json
from functools import partial
from random import Random
from struct import pack

from firmware_sim.parts.station import Meant, Reporter, Spoken
from firmware_sim.truth.points import Value

DRIVER = "ruuvi"


def speak(name: str, random: Random, time: int) -> Spoken:
    """Relay one advertisement of the sensor; ``name`` is its address."""
    seconds = time // 1_000_000_000
    celsius, humidity, pressure = (
        random.randint(-4000, 8000),
        random.randint(4000, 38000),
        random.randint(90000, 105000),
    )
    fields: dict[str, Value] = {
        "temperature": celsius / 200,
        "relative_humidity": humidity / 40000,
        "atmospheric_pressure": pressure / 100,
        "rssi": -68.0,
    }
    climate = pack(">hHH", celsius, humidity, pressure - 50000)
    if random.random() < 0.5:
        millivolts = random.randint(1600, 3600)
        fields["battery_voltage"] = millivolts / 1000
        power = (millivolts - 1600) << 5 | 22
        said = b"\x05" + climate + pack(">hhhHBH", 4, -4, 1036, power, 66, random.randint(0, 65534)) + bytes(6)
    else:
        dust = [random.randint(0, 400) * step for step in (1, 2, 3, 4)]
        co2, voc, nox, light = (random.randint(*one) for one in ((400, 1500), (1, 500), (1, 500), (0, 10**6)))
        fields |= {name_: tenths / 10 for name_, tenths in zip(("pm1", "pm25", "pm4", "pm10"), dust, strict=True)}
        fields |= {"co2": float(co2), "tvoc_index": float(voc), "nox_index": float(nox), "illuminance": light / 100}
        flags = (voc & 1) << 6 | (nox & 1) << 7
        said = b"\xe1" + climate + pack(">4HHBB", *dust, co2, voc >> 1, nox >> 1) + light.to_bytes(3, "big")
        said += b"\xff" * 3 + random.randbytes(3) + bytes((flags,)) + b"\xff" * 5 + bytes(6)
    advertisement = bytes.fromhex("020106") + bytes((len(said) + 3, 0xFF, 0x99, 0x04)) + said
    message = {
        "gw_mac": "C8:25:2D:0A:0B:0C",
        "rssi": -68,
        "aoa": [],
        "gwts": str(seconds),
        "ts": str(seconds),
        "data": advertisement.hex().upper(),
        "coords": "",
    }
    meant = Meant("air_quality", fields, seconds * 1_000_000_000)
    return Spoken(f"ruuvi/C8:25:2D:0A:0B:0C/{name}", json.dumps(message).encode(), (meant,))


TWIN = partial(Reporter, speak)
