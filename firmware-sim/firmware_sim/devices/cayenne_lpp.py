"""Twin of a home-made station that speaks Cayenne LPP.

Source: Cayenne Low Power Payload. Any port; entries of channel, type and value, big endian::

    cc 66 oo  presence          cc 67 tt tt  temperature 0.1 C      cc 65 ll ll  light lux
    cc 68 hh  humidity 0.5 %    cc 73 pp pp  pressure 0.1 hPa       cc 02 vv vv  analog 0.01
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class LppStation:
    """Two thermometers, climate, light, and whether a bay is taken."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        first, second, half = random.randint(-200, 400), random.randint(-200, 400), random.randrange(201)
        pressure, lux, taken = random.randint(9500, 10500), random.randrange(40_000), random.random() < 0.5
        data = (
            b"\x03\x67" + first.to_bytes(2, "big", signed=True) + b"\x05\x67" + second.to_bytes(2, "big", signed=True)
        )
        data += bytes((1, 0x68, half)) + b"\x01\x73" + pressure.to_bytes(2, "big")
        data += b"\x02\x65" + lux.to_bytes(2, "big") + bytes((7, 0x66, taken))
        air: dict[str, Value] = {
            "temperature": first / 10,
            "relative_humidity": half / 200,
            "atmospheric_pressure": pressure / 10,
            "illuminance": float(lux),
        }
        other = Meant("air_quality", {"temperature": second / 10}, {"channel": "5"})
        return Payload(1, data, (Meant("air_quality", air), other, Meant("parking", {"occupied": taken})))


CODECS = {"cayenne_lpp": (LppStation,)}
