"""Twins of the PNI PlacePod: the parking sensor, and the same housing as a vehicle counter.

Source: PNI PlacePod Sensor, Communications Protocol. Any port; entries of channel, type and value, big endian::

    01 01 rr     answer to a recalibration     15 66 oo   parking status, 1 occupied
    02 67 tt tt  temperature in 0.1 C          21 00 nn   vehicle count, 80 and above: rebooted or recalibrated
    03 02 vv vv  battery in 0.01 V             37 66 oo   keep-alive with the status
    05 00 .., 06 00 ..  internal               37 00 nn   keep-alive with the count
    1C 01 dd     answer to a deactivation      3F 01 bb   answer to a reboot
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT = 2


class PlacePod:
    """One bay. It says temperature and battery with a keep-alive, and the status alone when it changes."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self.occupied = False
        self._started = False

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        if not self._started:
            self._started = True
            return Payload(PORT, bytes((0x3F, 0x01, 0x01)), (Meant("parking", {"event": "reboot"}),))
        if random.random() < 0.7:
            self.occupied = not self.occupied
            status = bytes((0x15, 0x66, self.occupied))
            return Payload(PORT, status, (Meant("parking", {"occupied": self.occupied, "event": "status"}),))
        tenths, hundredths = random.randint(-200, 600), random.randint(300, 368)
        data = b"\x03\x02" + hundredths.to_bytes(2, "big") + b"\x02\x67" + tenths.to_bytes(2, "big", signed=True)
        data += bytes((0x05, 0x00, random.randrange(256), 0x37, 0x66, self.occupied))
        fields: dict[str, Value] = {
            "battery_voltage": hundredths / 100,
            "temperature": tenths / 10,
            "occupied": self.occupied,
            "event": "keepalive",
        }
        return Payload(PORT, data, (Meant("parking", fields),))


class PlacePodCounter:
    """One lane: a count that goes on to 7F and begins again, and 80 once after power-on."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._count = -1

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        if self._count < 0:
            self._count = 0
            return Payload(PORT, bytes((0x21, 0x00, 0x80)), (Meant("traffic", {"event": "reboot or recalibration"}),))
        self._count = (self._count + random.randint(0, 9)) & 0x7F
        channel, event = random.choice(((0x21, "count"), (0x37, "keepalive")))
        fields: dict[str, Value] = {"total_count": self._count, "event": event}
        return Payload(PORT, bytes((channel, 0x00, self._count)), (Meant("traffic", fields),))


CODECS = {"pni_placepod": (PlacePod, PlacePodCounter)}
