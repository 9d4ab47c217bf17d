"""Twins of the Nwave parking sensors NPS405 and NPS310, and of the vehicle counter NCC405.

Source: the vendor's codec in The Things Network's device repository. The port tells the message, big endian::

    NPS405  1  o.......            bit 7 occupied; how long the state before lasted, packed into seven bits:
                                   below 90 minutes; 90-119: 90 + 5 (n - 90); 120-126: 240 + 60 (n - 120); 127: longer
            2  o....... vv tt ...  bit 7 occupied, seven bits of health; battery 2500 + 4 v mV; 10 + t / 2 C
            3  ff ff ff rr oo      firmware, reset cause, occupied
            10 o....... [bb] tag   a permit was shown: the state, the permit's battery in 0.1 V, its id (4 bytes)
    NPS310  1  oo   2  oo   3  ff ff ff rr oo
    NCC405  1  nn nn  count        2  h....... vv mm  health, battery now and its mean of 24 h      3  ff ff ff rr
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

POWER_ON = 2
STARTED: dict[str, Value] = {"event": "startup", "firmware_version": "1.13.0", "reset_cause": POWER_ON}
FIRMWARE = bytes((1, 13, 0, POWER_ON))


def packed_minutes(minutes: int) -> tuple[int, int | None]:
    """Return the seven bits for a duration, and the minutes that somebody who reads them can know."""
    if minutes < 90:
        return minutes, minutes
    if minutes < 240:
        step = (minutes - 90) // 5
        return 90 + step, 90 + 5 * step
    if minutes < 660:
        step = (minutes - 240) // 60
        return 120 + step, 240 + 60 * step
    return 127, None


class Nps405:
    """One bay, magnetometer and radar."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self.occupied = False
        self._started = False

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        if not self._started:
            self._started = True
            return self._said(3, FIRMWARE + bytes((0,)), STARTED)
        port = random.choice((1, 1, 1, 2, 10))
        if port == 2:
            steps, halves = random.randint(110, 250), random.randint(-60, 80)
            data = bytes((self.occupied << 7, steps)) + halves.to_bytes(1, "big", signed=True) + b"\x00\x59\x0b"
            battery = (2500 + 4 * steps) / 1000
            said: dict[str, Value] = {"battery_voltage": battery, "temperature": 10 + halves / 2, "device_error": 0}
            return self._said(2, data, {**said, "event": "heartbeat"})
        self.occupied = port == 10 or not self.occupied
        bits, minutes = packed_minutes(round(random.expovariate(1 / 150)))
        said = (
            {"event": "status"} if minutes is None else {"event": "status", "previous_state_duration": minutes * 60.0}
        )
        data = bytes((self.occupied << 7 | bits,))
        if port == 10:
            tag = random.randbytes(4)
            data += bytes((random.randint(28, 33),)) + tag
            said |= {"event": "registration", "tag_id": tag.hex()}
        return self._said(port, data, said)

    def _said(self, port: int, data: bytes, said: dict[str, Value]) -> Payload:
        return Payload(port, data, (Meant("parking", {"occupied": self.occupied, **said}),))


class Nps310:
    """One bay, magnetometer alone."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self.occupied = False
        self._started = False

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        if not self._started:
            self._started = True
            return Payload(3, FIRMWARE + bytes((0,)), (Meant("parking", {"occupied": False, **STARTED}),))
        self.occupied = not self.occupied
        port, event = random.choice(((1, "status"), (2, "heartbeat")))
        return Payload(
            port, bytes((self.occupied,)), (Meant("parking", {"occupied": self.occupied, "event": event}),)
        )


class Ncc405:
    """One lane; the counter has 16 bits and begins again."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._count = 65_500
        self._started = False

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        if not self._started:
            self._started = True
            return Payload(3, FIRMWARE, (Meant("traffic", STARTED),))
        if random.random() < 0.2:
            now, mean, health = random.randint(100, 250), random.randint(100, 250), random.choice((0, 0, 21))
            fields: dict[str, Value] = {
                "device_error": health,
                "battery_voltage": (2500 + 4 * now) / 1000,
                "event": "heartbeat",
            }
            return Payload(2, bytes((health << 3 | random.getrandbits(3), now, mean)), (Meant("traffic", fields),))
        self._count = (self._count + random.randint(0, 20)) & 0xFFFF
        counted = Meant("traffic", {"total_count": self._count, "event": "count"})
        return Payload(1, self._count.to_bytes(2, "big"), (counted,))


CODECS = {"nwave_nps405": (Nps405,), "nwave_nps310": (Nps310,), "nwave_ncc405": (Ncc405,)}
