"""Twins of Browan's Tabs: climate (TBHH100), air (TBHV110), movement (TBMS100).

Source: Browan's codecs in The Things Network's device repository. Numbers little endian; t degrees and 32::

    port 102   s. .v tt mm mm cc cc cc                  movement now, 0.1 V above 2.5, board; minutes, all movements
    port 103   s. .v tt hh                              air, %
               s. .v tt hh gg gg oo oo aa aa kk         board, %, CO2 equivalent, ppb, scale, air
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class _Device:
    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def head(self, random: Random) -> tuple[int, int, dict[str, Value]]:
        """Return the byte of the battery, degrees, and what the battery means."""
        tenths = random.randrange(12)
        return 0x70 | tenths, random.randint(-20, 60), {"battery_voltage": (25 + tenths) / 10}


class Tbhh100(_Device):
    """Temperature and humidity; now and then the sensor fails."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        battery, celsius, said = self.head(random)
        humid = random.choice((random.randint(5, 100), 0x7F))
        said["temperature"] = float(celsius)
        if humid == 0x7F:
            said["event"] = "sensor failure"
        else:
            said["relative_humidity"] = humid / 100
        return Payload(103, bytes((0, battery, celsius + 32, humid)), (Meant("air_quality", said),))


class Tbhv110(_Device):
    """The same with organic compounds."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        battery, celsius, said = self.head(random)
        humid, co2, tvoc = random.randint(5, 100), random.randint(400, 3000), random.randrange(600)
        said |= {"temperature": float(celsius - 1), "device_temperature": float(celsius)}
        said |= {"relative_humidity": humid / 100, "co2_equivalent": float(co2), "tvoc": float(tvoc)}
        data = bytes((0x30, battery, celsius + 32, humid)) + co2.to_bytes(2, "little") + tvoc.to_bytes(2, "little")
        return Payload(103, data + bytes((60, 0, celsius + 31)), (Meant("air_quality", said),))


class Tbms100(_Device):
    """Movement in a room."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        battery, celsius, said = self.head(random)
        moved = random.random() < 0.5
        self._count += moved
        said |= {"device_temperature": float(celsius), "motion": int(moved)}
        data = bytes((moved, battery, celsius + 32, 22, 0)) + self._count.to_bytes(3, "little")
        return Payload(102, data, (Meant("air_quality", said), Meant("traffic", {"total_count": self._count})))


CODECS = {"browan_tabs": (Tbhh100, Tbhv110, Tbms100)}
