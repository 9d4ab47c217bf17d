"""Twin of Terabee's People Counting L-XL over LoRaWAN.

Source: akenza's device library. Big endian: in, out (32 bits each), flags.
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload


class PeopleCounting:
    """A door seen from above."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._sums = {"in": 0, "out": 0}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        for way in self._sums:
            self._sums[way] += random.randrange(40)
        readings = [Meant("traffic", {"total_count": total}, {"direction": way}) for way, total in self._sums.items()]
        return Payload(1, pack(">IIB", *self._sums.values(), 8), tuple(readings))


CODECS = {"terabee_people_counting": (PeopleCounting,)}
