"""Twins of MClimate's CO2 Sensor, CO2 Display and CO2 PIR Lite.

Source: the vendor's codecs in the Actility device catalog. Big endian; 0.1 C above -40, humidity 1/256::

    Sensor    01 gg gg tt tt hh vv                     ppm, .., 8 mV above 1600
    Display   01 tt tt hh vv vv gl gh ll ll pp         .., mV, ppm in 8 and 5 bits, lux, movement
    PIR Lite  51 .t tt hh vv gl gh nn                  .., 1600 + 2200 v / 255 mV, ppm, movements
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class _Device:
    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def measure(self, random: Random) -> tuple[int, int, int, dict[str, Value]]:
        """Return ppm, temperature and humidity as they are sent, and what they mean."""
        ppm, raw, humid = random.randint(400, 5000), random.randint(200, 900), random.randrange(256)
        return ppm, raw, humid, {"co2": float(ppm), "temperature": (raw - 400) / 10, "relative_humidity": humid / 256}


class Co2Sensor(_Device):
    """On a wall, with a light."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        ppm, raw, humid, said = self.measure(random)
        said["battery_voltage"] = 3.496
        return Payload(2, pack(">BHHBB", 1, ppm, raw, humid, 0xED), (Meant("air_quality", said),))


class Co2Display(_Device):
    """With a display, light and movement."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        ppm, raw, humid, said = self.measure(random)
        lux, moved = random.randrange(2000), random.random() < 0.5
        data = pack(">BHBHBBHB", 1, raw, humid, 3300, ppm & 0xFF, ppm >> 8 << 3, lux, moved)
        said |= {"battery_voltage": 3.3, "illuminance": float(lux), "motion": int(moved)}
        return Payload(1, data, (Meant("air_quality", said),))


class Co2Pir(_Device):
    """With a count of movements."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        ppm, raw, humid, said = self.measure(random)
        moves = random.randrange(30)
        data = bytes((0x51, (moves > 0) << 2 | raw >> 8, raw & 0xFF, humid, 255, ppm & 0xFF, ppm >> 8 << 3, moves))
        said |= {"battery_voltage": 3.8, "motion": moves}
        return Payload(1, data, (Meant("air_quality", said),))


CODECS = {"mclimate_co2": (Co2Sensor, Co2Display, Co2Pir)}
