"""Twins of Dingtek's DO201 (parking) and DC500 (people).

Source: the vendor's codecs in The Things Network's device repository. Port 3, big endian::

    80 00 31 02 17 mm (16) flags (4 x 4 bits) 0.01 V (16) magnetic field (3 x 16) C % message (16) 00 81
    80 00 02 01 15 count (16) flags (2 x 4 bits) 00 0.01 V (16) 00 (6) message (16) 00 81
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT = 3


class Do201:
    """A bay."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        taken, celsius, millimetres = random.random() < 0.5, random.randint(-20, 50), random.choice((0, 1716))
        said: dict[str, Value] = {
            "occupied": taken,
            "battery_low": False,
            "battery_voltage": 3.53,
            "temperature": float(celsius),
            "relative_humidity": 0.45,
        }
        if millimetres:
            said["distance"] = float(millimetres)
        data = bytes.fromhex("8000310217") + pack(
            ">HBBHhhhbBHB", millimetres, taken << 4, 0, 353, 16, -10, -16, celsius, 45, 1, 0
        )
        return Payload(PORT, data + b"\x81", (Meant("parking", said),))


class Dc500:
    """A door."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._count = 0

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        self._count = (self._count + random.randrange(90)) & 0xFFFF
        low = random.random() < 0.2
        data = bytes.fromhex("8000020115") + pack(">HBBH", self._count, low, 0, 367) + bytes(9) + b"\x81"
        said: dict[str, Value] = {"total_count": self._count, "battery_low": low, "battery_voltage": 3.67}
        return Payload(PORT, data, (Meant("traffic", said),))


CODECS = {"dingtek_do20x": (Do201,), "dingtek_dc5x0": (Dc500,)}
