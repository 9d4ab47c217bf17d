"""Twins of Dragino's later sensors: LHT65N, AQS01-L and AQS02-L, DS20L.

Source: the user manual of the LHT65N; the vendor's decoders of May to September 2025. Port 2, big endian::

    LHT65N  bb bb tt tt hh hh xx ee ee ee ee    battery mV, 0.01 C, 0.1 % RH; x 1 probe 0.01 C (7FFF: none), 8 a count
            ee ee tt tt hh hh 41 uu uu uu uu    kept: probe, .., Unix time
    AQS01   bb bb tt tt hh hh pp pp gg gg 10    0.01 C, 0.1 % RH, 0.1 hPa, CO2 or CO in ppm
            port 3: gg gg hh hh tt tt 01 uu uu uu uu
    DS20L   bb bb 40 dd dd 00 cc cc cc cc       mm (FFFF: none), count
"""

from random import Random

from firmware_sim.devices.dragino import KEPT, PORT, SECOND, i16
from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class _Device:
    def __init__(self, **options: object) -> None:
        self.options: dict[str, object] = options


class Lht65N(_Device):
    """Climate with a probe; once in a while two readings that it kept."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        if random.random() < 0.3:
            kept = []
            for ago in (2, 1):
                second = time // SECOND - 1200 * ago
                probe, climate, said = self._measured(random)
                data = i16(probe) + climate + b"\x41" + second.to_bytes(4, "big")
                kept.append((data, Meant("air_quality", said, {}, second * SECOND)))
            return Payload(PORT, b"".join(data for data, _ in kept), tuple(meant for _, meant in kept))
        millivolts = random.randint(2600, 3300)
        probe, climate, said = self._measured(random)
        data = i16(0xC000 | millivolts) + climate + b"\x01" + i16(probe, 0x7FFF)
        return Payload(PORT, data, (Meant("air_quality", {"battery_voltage": millivolts / 1000, **said}),))

    def _measured(self, random: Random) -> tuple[int, bytes, dict[str, Value]]:
        hundredths, humid = random.randint(-4000, 8000), random.randint(0, 1000)
        probe = random.choice((0x7FFF, random.randint(-3000, 6000)))
        said: dict[str, Value] = {"temperature": hundredths / 100, "relative_humidity": humid / 1000}
        if probe != 0x7FFF:
            said["external_temperature"] = probe / 100
        return probe, i16(hundredths, humid), said


class Lht65NCounter(_Device):
    """The same with a counting input."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        count, millivolts = random.getrandbits(31), random.randint(2600, 3300)
        data = i16(0xC000 | millivolts, -512, 431) + b"\x08" + count.to_bytes(4, "big")
        own: dict[str, Value] = {
            "battery_voltage": millivolts / 1000,
            "temperature": -5.12,
            "relative_humidity": 0.431,
        }
        return Payload(PORT, data, (Meant("air_quality", own), Meant("traffic", {"total_count": count})))


class Aqs01(_Device):
    """CO2 and climate, version 1.3."""

    gas, most, factor = "co2", 3000, 1.0

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        hundredths, humid, pressure = (
            random.randint(-1000, 5000),
            random.randint(0, 1000),
            random.randint(9500, 10500),
        )
        ppm = random.randint(1, self.most)
        said: dict[str, Value] = {
            "temperature": hundredths / 100,
            "relative_humidity": humid / 1000,
            self.gas: round(ppm * self.factor, 3),
        }
        if random.random() < 0.3:
            second = time // SECOND - 1200
            data = i16(ppm, humid, hundredths) + b"\x01" + second.to_bytes(4, "big")
            return Payload(KEPT, data, (Meant("air_quality", said, {}, second * SECOND),))
        data = i16(3600, hundredths, humid, pressure, ppm) + b"\x10"
        said |= {"atmospheric_pressure": pressure / 10, "battery_voltage": 3.6}
        return Payload(PORT, data, (Meant("air_quality", said),))


class Aqs02(Aqs01):
    """The same with carbon monoxide: 1 ppm is 1164.4 ug/m3 at 293 K."""

    gas, most, factor = "co", 100, 28_010 / 24.055

    def __init__(self) -> None:
        super().__init__(gas="co")


class Ds20l(_Device):
    """A laser above a bay, nearer than 300 mm is taken, which counts."""

    def __init__(self) -> None:
        super().__init__(threshold_mm=300)
        self._count = 0

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        self._count += random.randrange(5)
        millimetres = random.choice((0xFFFF, random.randint(30, 2000)))
        own: dict[str, Value] = {"battery_voltage": 3.5}
        if millimetres == 0xFFFF:
            own["event"] = "no distance"
        else:
            own |= {"distance": float(millimetres), "occupied": millimetres < 300}
        data = i16(3500) + b"\x40" + i16(millimetres) + b"\x00" + self._count.to_bytes(4, "big")
        return Payload(PORT, data, (Meant("parking", own), Meant("traffic", {"total_count": self._count})))


CODECS = {
    "dragino_lht65": (Lht65N, Lht65NCounter),
    "dragino_aqs01": (Aqs01, Aqs02),
    "dragino_ds20l": (Ds20l,),
}
