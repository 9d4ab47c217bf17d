"""Twin of Tektelic's BREEZE.

Source: the vendor's codec in The Things Network's device repository. Port 10, entries, big endian::

    0B E4 ppm   0E E4 ppm, raw   03 67 0.1 C   04 68 0.5 %   0C 73 0.1 hPa   0D 04 movements   00 D3 battery %
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class Breeze:
    """Air in a room."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        ppm, tenths, half, pressure, moves, battery = (
            random.randint(*pair) for pair in ((400, 5000), (-100, 450), (0, 200), (9500, 10500), (0, 99), (1, 100))
        )
        data = b"\x0b\xe4" + pack(">H", ppm) + b"\x0e\xe4" + pack(">H", ppm + 3) + b"\x03\x67" + pack(">h", tenths)
        data += bytes((0x04, 0x68, half)) + b"\x0c\x73" + pack(">H", pressure) + b"\x0d\x04" + pack(">H", moves)
        said: dict[str, Value] = {
            "co2": float(ppm),
            "temperature": tenths / 10,
            "relative_humidity": half / 200,
            "atmospheric_pressure": pressure / 10,
            "motion": moves,
            "battery_level": battery / 100,
        }
        raw = Meant("air_quality", {"co2": float(ppm + 3)}, {"filter": "raw"})
        return Payload(10, data + bytes((0x00, 0xD3, battery)), (Meant("air_quality", said), raw))


CODECS = {"tektelic_breeze": (Breeze,)}
