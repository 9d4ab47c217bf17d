"""Twin of Adeunis' COMFORT CO2.

Source: the vendor's codec in The Things Network's device repository. Port 1, big endian::

    6A status, then 0.1 C (signed), %, ppm of each reading, the newest first; seconds since 2013 where bit 2 is set
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PERIOD = 600
EPOCH = 1_356_998_400
SECOND = 1_000_000_000


class ComfortCo2:
    """A room, three readings a message, each with its time."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {"period": "10min"}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        second = time // SECOND
        data, readings = b"\x6a\x24", []
        for ago in range(3):
            tenths, humid, ppm = random.randint(-200, 450), random.randint(5, 100), random.randint(400, 3000)
            data += pack(">hBH", tenths, humid, ppm)
            said: dict[str, Value] = {
                "temperature": tenths / 10,
                "relative_humidity": humid / 100,
                "co2": float(ppm),
            }
            readings.append(Meant("air_quality", said, {}, (second - PERIOD * ago) * SECOND))
        data += (second - EPOCH).to_bytes(4, "big")
        return Payload(1, data, (*readings, Meant("air_quality", {"battery_low": False})))


CODECS = {"adeunis_comfort_co2": (ComfortCo2,)}
