"""Twin of the Libelium Plug & Sense! Smart Parking node, firmware 2 or 3.

Source: Smart Parking technical guide. Eleven bytes, big endian, any port; the first two are in every frame::

    byte 0   bit 7 occupied, bit 6 battery to be changed; firmware 3: bit 5 configuration refused,
             bit 4 recalibrated; low four bits: frame type
    byte 1   frame counter
    type 0   info, the bay has changed      2: tt xx xx yy yy zz zz 00 bb   battery = 2800 + 4 * b mV
                                            3: ee tt, the rest undefined    e: bits of what is wrong with the sensor
    type 1   keep-alive                     2: hh mm tt xx xx yy yy zz zz
                                            3: ee tt, the rest undefined
    type 2   daily update                   mm mm ss ss ll ll rr cc 00      transmissions, r resets, c configuration
    type 3   error (2 alone)                ee tt xx xx yy yy zz zz bb
    type 4   start 1                        tt xx xx yy yy zz zz vv vv      battery in mV
    type 5   start 2                        ff nn .. (eight settings)       f firmware
"""

from random import Random
from typing import Literal

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT = 3
INFO, KEEPALIVE, DAILY, ERROR, START_1, START_2 = range(6)


class SmartParking:
    """One bay: two start frames, then changes, keep-alives and the daily update."""

    def __init__(self, firmware: Literal["v2", "v3"] = "v3") -> None:
        self.firmware = firmware
        self.options: dict[str, object] = {"firmware": firmware}
        self.occupied = False
        self._counter = 0

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        celsius, axes = random.randint(-15, 45), random.randbytes(6)
        temperature = celsius.to_bytes(1, "big", signed=True)
        said: dict[str, Value] = {}
        type_ = {0: START_1, 1: START_2}.get(self._counter) or random.choice((INFO, INFO, KEEPALIVE, DAILY))
        if type_ == START_1:
            millivolts = random.randint(3300, 3650)
            rest = temperature + axes + millivolts.to_bytes(2, "big")
            said = {"event": "start"}
            if self.firmware == "v2":
                said |= {"temperature": float(celsius), "battery_voltage": millivolts / 1000}
        elif type_ == START_2:
            rest = bytes((6, 22, 8, 1, 1, 1, 0, 1, 75))
            said = {"event": "start", "firmware_version": "6"} if self.firmware == "v2" else {"event": "start"}
        elif type_ == DAILY:
            rest = random.randbytes(6) + bytes((random.randrange(3), 0xFF, 0))
            said = {"event": "daily"}
        elif self.firmware == "v3":
            error = random.choice((0, 0, 0, 4))
            rest = bytes((error,)) + temperature + random.randbytes(7)
            said = {"temperature": float(celsius), "device_error": error}
        elif type_ == INFO:
            steps = random.randint(100, 210)
            rest = temperature + axes + bytes((0, steps))
            said = {"temperature": float(celsius), "battery_voltage": (2800 + 4 * steps) / 1000}
        else:
            rest = bytes((random.randrange(24), random.randrange(60))) + temperature + axes
            said = {"temperature": float(celsius)}
        if type_ == INFO:
            self.occupied = not self.occupied
        said.setdefault("event", "status" if type_ == INFO else "keepalive")
        said |= {"occupied": self.occupied, "battery_low": False}
        head = bytes((self.occupied << 7 | type_, self._counter & 0xFF))
        self._counter += 1
        return Payload(PORT, head + rest, (Meant("parking", said),))


class SmartParking2(SmartParking):
    """The same with firmware 2."""

    def __init__(self) -> None:
        super().__init__("v2")


CODECS = {"libelium_smart_parking": (SmartParking, SmartParking2)}
