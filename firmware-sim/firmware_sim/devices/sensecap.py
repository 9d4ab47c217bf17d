"""Twins of SenseCAP's S2103 (CO2, temperature, humidity) and S2120 (weather).

Source: the vendor's SenseCAP-Decoder of March and October 2024::

    S2103  01 04 10 CO2  01 01 10 temperature  01 02 10 humidity, each times 1000, 32 bits little endian
           two bytes of sum last; 00 07 00 battery % (16 bits), interval
    S2120  4A 0.1 C, %, lux (32), 0.1 UV, 0.1 m/s   4B degrees, 0.001 mm/h (32), 0.1 hPa
           4C 0.1 m/s, 0.001 mm (32)   03 battery %; big endian
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT_S2103, PORT_S2120 = 2, 3
NO_ANSWER = 2_000_001


class S2103:
    """CO2 outdoors; now and then its sensor does not answer."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        co2, celsius, humid = random.randint(400, 3000), random.randint(-20_000, 45_000), random.randint(0, 100_000)
        said: dict[str, Value] = {"temperature": celsius / 1000, "relative_humidity": humid / 100_000}
        if random.random() < 0.1:
            co2 = NO_ANSWER
            said |= {"device_error": 1, "event": "no co2"}
        else:
            said["co2"] = float(co2)
        data = pack("<BHi", 1, 0x1004, co2 * 1000) + pack("<BHi", 1, 0x1001, celsius) + pack("<BHi", 1, 0x1002, humid)
        if random.random() < 0.2:
            said["battery_level"] = 0.93
            data += pack("<BHHH", 0, 7, 93, 60)
        return Payload(PORT_S2103, data + b"\x00\x00", (Meant("air_quality", said),))


class S2120:
    """Weather on a roof."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._rain = 0

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        fallen = random.choice((0, random.randrange(4000)))
        self._rain += fallen
        tenths, humid, lux, ultraviolet, wind = (
            random.randint(*pair) for pair in ((-300, 450), (5, 100), (0, 120_000), (0, 110), (0, 300))
        )
        degrees, pressure = random.randrange(360), random.randint(9500, 10500)
        data = b"\x4a" + pack(">hBIBH", tenths, humid, lux, ultraviolet, wind)
        data += b"\x4b" + pack(">HIH", degrees, fallen, pressure)
        data += b"\x4c" + pack(">HI", wind + 20, self._rain) + b"\x03\x5a"
        said: dict[str, Value] = {
            "temperature": tenths / 10,
            "relative_humidity": humid / 100,
            "illuminance": float(lux),
            "uv_index": ultraviolet / 10,
            "wind_speed": wind / 10,
            "wind_direction": float(degrees),
            "precipitation_rate": fallen / 1000,
            "atmospheric_pressure": pressure / 10,
            "gust_speed": (wind + 20) / 10,
            "precipitation_total": self._rain / 1000,
            "battery_level": 0.9,
        }
        return Payload(PORT_S2120, data, (Meant("air_quality", said),))


CODECS = {"sensecap_s210x": (S2103,), "sensecap_s2120": (S2120,)}
