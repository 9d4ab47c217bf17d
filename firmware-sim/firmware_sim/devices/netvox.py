"""Twin of Netvox's RA0716.

Source: the vendor's codec in The Things Network's device repository. Port 6, big endian::

    01 35 01 vv tt tt hh hh pp pp 00     0.1 V with bit 7 low, 0.01 C, 0.01 %, ug/m3
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class Ra0716:
    """Dust outdoors."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        celsius, humid, dust = random.randint(-2000, 4500), random.randint(0, 10_000), random.randrange(300)
        low = random.random() < 0.1
        said: dict[str, Value] = {
            "temperature": celsius / 100,
            "relative_humidity": humid / 10_000,
            "pm25": float(dust),
            "battery_voltage": 3.3,
            "battery_low": low,
        }
        data = pack(">BBBBhHHB", 1, 0x35, 1, 33 | low << 7, celsius, humid, dust, 0)
        return Payload(6, data, (Meant("air_quality", said),))


CODECS = {"netvox_ra0716": (Ra0716,)}
