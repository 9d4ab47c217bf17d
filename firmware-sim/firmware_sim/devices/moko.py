"""Twin of MOKO's LW009-SM.

Source: MOKO's decoders for TagoIO and The Things Stack. Port 1, big endian: a head of twelve bytes (55, protocol,
Unix time, frame, bytes behind the head, command, 0), then entries of tag, length and value::

    02 why   24 battery, %   32 taken   0B C, signed   35 %
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class Lw009:
    """A bay."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        taken, battery, celsius, humid = random.random() < 0.5, random.randint(1, 100), random.randint(-20, 50), 45
        body = bytes(
            (2, 1, 0x0C if taken else 0x0B, 0x24, 1, battery, 0x32, 1, taken, 0x0B, 1, celsius & 0xFF, 0x35, 1, humid)
        )
        head = b"\x55\x01" + (time // 1_000_000_000).to_bytes(4, "big") + b"\x00\x01" + len(body).to_bytes(2, "big")
        said: dict[str, Value] = {
            "event": "taken" if taken else "free",
            "battery_level": battery / 100,
            "occupied": taken,
            "temperature": float(celsius),
            "relative_humidity": humid / 100,
        }
        return Payload(1, head + b"\x01\x00" + body, (Meant("parking", said),))


CODECS = {"moko_lw009": (Lw009,)}
