"""Twin of the Tekzitel TekziPark, a parking sensor with magnetometer, radar and a Bluetooth beacon scanner.

Source: the vendor's codec in The Things Network's device repository. Port 1, or 2 with what the detectors saw::

    o?goRnrk tt pp [rr bb bb ...]   bit 7 occupied, 5 battery good, 4 obstructed, 3 radar was used, 2 no beacon,
                                    1 reset, 0 keep-alive; temperature int8; number of the bay;
                                    the beacons' rssi int8 and their ids, two bytes each
    port 2: after pp three deflections, three baselines (int8), fault code, obstruction, reflection
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class TekziPark:
    """One bay."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self.occupied = False

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        keepalive, obstructed, good = random.random() < 0.3, random.random() < 0.1, random.random() < 0.9
        if not keepalive:
            self.occupied = not self.occupied
        celsius = random.randint(-15, 50)
        flags = self.occupied << 7 | good << 5 | obstructed << 4 | 1 << 3 | keepalive
        data = bytes((flags,)) + celsius.to_bytes(1, "big", signed=True) + bytes((random.randrange(256),))
        event = "obstructed" if obstructed else "keepalive" if keepalive else "status"
        said: dict[str, Value] = {
            "occupied": self.occupied,
            "temperature": float(celsius),
            "battery_low": not good,
            "event": event,
        }
        port = random.choice((1, 1, 2))
        if port == 2:
            fault = random.choice((0, 0, 3))
            data += random.randbytes(6) + bytes((fault, obstructed, random.randrange(256)))
            said["device_error"] = fault
        elif random.random() < 0.5:
            data += bytes((0xB0,)) + random.randbytes(2 * random.randint(0, 3))
        return Payload(port, data, (Meant("parking", said),))


CODECS = {"tekzitel_tekzipark": (TekziPark,)}
