"""Twin of IMBuildings' people counter.

Source: the vendor's codec 1.1 in The Things Network's device repository. Port 1, big endian::

    02 06 identity (8) state battery (0.01 V) a, b since the last message, beam, a, b in all, message
"""

from random import Random
from struct import pack

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class PeopleCounter:
    """A beam across a passage."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._sums = [0, 0]
        self._sent = 0

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        counted = [random.randrange(300), random.randrange(300)]
        self._sums = [(total + count) & 0xFFFF for total, count in zip(self._sums, counted, strict=True)]
        state, hundredths, beam = random.choice((0, 8)), random.randint(210, 300), random.choice((0, 0x20))
        self._sent = (self._sent + 1) & 0xFF
        data = bytes.fromhex("0206 0004A30B00F6B569") + pack(
            ">BHHHBHHB", state, hundredths, *counted, beam, *self._sums, self._sent
        )
        own: dict[str, Value] = {"battery_voltage": hundredths / 100}
        words = [word for there, word in ((state, "battery not full"), (beam, "receiver battery low")) if there]
        if words:
            own["event"] = ", ".join(words)
        ways = zip("ab", counted, self._sums, strict=True)
        readings = [
            Meant("traffic", {"intensity": count, "total_count": total}, {"direction": way})
            for way, count, total in ways
        ]
        return Payload(1, data, (Meant("traffic", own), *readings))


CODECS = {"imbuildings": (PeopleCounter,)}
