"""Twins of Dragino's distance, air and climate sensors.

Source: the user manuals. Port 2, big endian; battery in mV::

    LDDS75  bb bb dd dd ii tt tt ss     distance mm (14: too near, 0: no sensor), interrupt, probe 0.1 C, sensor there
    DDS75   the same with bit 4 of the first byte: distances from byte 8 on, then ii tt tt ss
    DDS75-3 bb bb tt tt d1 d1 d2 d2 d3 d3 10    probe 0.1 C, distances mm; port 3: d1 d1 d2 d2 d3 d3 ff uu uu uu uu
    LLDS12  bb bb tt tt dd dd ss ss ii ll 01    probe 0.1 C, distance 0.1 cm, signal, interrupt, lidar's temperature
    LDDS04  bb bb d1 d1 d2 d2 d3 d3 d4 d4 01    four distances 0.1 cm; bit 7 of the first byte: woken from outside
    LAQ4    bb bb 04 vv vv cc cc tt tt hh hh    mode 1, bit 0 alarm; tVOC ppb, CO2 ppm, 0.1 C, 0.1 % RH
    LHT52   tt tt hh hh pp pp 01 uu uu uu uu    0.01 C, 0.1 % RH, probe 0.01 C (7FFF: none), its kind, Unix time
            port 3: such records, kept while the network was away
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT, KEPT = 2, 3
SECOND = 1_000_000_000


def i16(*numbers: int) -> bytes:
    """Return numbers as 16 bits, big endian."""
    return b"".join((number & 0xFFFF).to_bytes(2, "big") for number in numbers)


def _battery(random: Random) -> tuple[int, dict[str, Value]]:
    millivolts = random.randint(2600, 3650)
    return millivolts, {"battery_voltage": millivolts / 1000}


class Ldds75:
    """Ultrasound above a bay; a probe in the ground."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {"threshold_mm": 1000, "probe": "tenths"}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        millivolts, said = _battery(random)
        millimetres, tenths = random.choice((random.randint(280, 7500), 0x14)), random.randint(-200, 400)
        data = i16(millivolts, millimetres) + b"\x00" + i16(tenths) + b"\x01"
        said["external_temperature"] = tenths / 10
        if millimetres == 0x14:
            said["event"] = "too near"
        else:
            said |= {"distance": float(millimetres), "occupied": millimetres < 1000}
        return Payload(PORT, data, (Meant("parking", said),))


class Dds753(Ldds75):
    """The -LB of three heads; once in a while what it kept."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {"threshold_mm": 1000, "heads": 3}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        heads = [random.randint(280, 7500) for _ in range(3)]
        said = [{"distance": float(far), "occupied": far < 1000} for far in heads]
        tags = [{"head": str(number)} for number in (1, 2, 3)]
        if random.random() < 0.3:
            second = time // SECOND - 1200
            readings = [Meant("parking", *one, second * SECOND) for one in zip(said, tags, strict=True)]
            return Payload(KEPT, i16(*heads) + b"\x00" + second.to_bytes(4, "big"), tuple(readings))
        millivolts, own = _battery(random)
        tenths = random.randint(1, 400)
        own["external_temperature"] = tenths / 10
        readings = [Meant("parking", own), *(Meant("parking", *one) for one in zip(said, tags, strict=True))]
        return Payload(PORT, i16(millivolts, tenths, *heads) + b"\x10", tuple(readings))


class Dds75Samples(Ldds75):
    """The -LB in the mode of several samples, set to one; firmware of July 2025."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        millivolts, said = _battery(random)
        sample, tenths = random.randint(280, 7500), random.randint(-200, 400)
        data = i16(millivolts | 0x1000, sample) + bytes(4) + i16(sample) + b"\x00" + i16(tenths) + b"\x01"
        said |= {"external_temperature": tenths / 10, "distance": float(sample), "occupied": sample < 1000}
        return Payload(PORT, data, (Meant("parking", said),))


class Llds12:
    """Lidar."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {"probe": "tenths"}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        millivolts, said = _battery(random)
        millimetres, signal, warm, tenths = (
            random.randint(*pair) for pair in ((200, 12000), (100, 6000), (0, 60), (0, 9))
        )
        data = i16(millivolts, tenths, millimetres, signal) + bytes((0, warm, 1))
        said |= {"distance": float(millimetres), "signal_strength": signal}
        said |= {"external_temperature": tenths / 10, "device_temperature": float(warm)}
        return Payload(PORT, data, (Meant("parking", said),))


class Ldds04:
    """Four ultrasonic heads on one box: four bays."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {"threshold_mm": 800}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        millivolts, said = _battery(random)
        heads = [random.randint(200, 4000) for _ in range(4)]
        readings = [Meant("parking", said)]
        for number, millimetres in enumerate(heads, 1):
            fields: dict[str, Value] = {"distance": float(millimetres), "occupied": millimetres < 800}
            readings.append(Meant("parking", fields, {"head": str(number)}))
        return Payload(PORT, i16(millivolts, *heads) + b"\x01", tuple(readings))


class Laq4:
    """CO2 and tVOC."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        millivolts, said = _battery(random)
        tvoc, co2, tenths, humid = (random.randint(*p) for p in ((0, 999), (400, 2000), (-200, 500), (0, 1000)))
        alarm = random.random() < 0.2
        data = i16(millivolts) + bytes((1 << 2 | alarm,)) + i16(tvoc, co2, tenths, humid)
        said |= {
            "tvoc": float(tvoc),
            "co2": float(co2),
            "temperature": tenths / 10,
            "relative_humidity": humid / 1000,
        }
        said["event"] = "alarm" if alarm else "status"
        return Payload(PORT, data, (Meant("air_quality", said),))


class Lht52:
    """Climate, with its own clock."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        second = time // SECOND
        if random.random() < 0.7:
            data, fields = self._record(random, second)
            return Payload(PORT, data, (Meant("air_quality", fields),))
        kept = [(self._record(random, second - 1200 * ago), second - 1200 * ago) for ago in (3, 2, 1)]
        readings = tuple(Meant("air_quality", fields, {}, then * SECOND) for (_, fields), then in kept)
        return Payload(KEPT, b"".join(data for (data, _), _ in kept), readings)

    def _record(self, random: Random, second: int) -> tuple[bytes, dict[str, Value]]:
        hundredths, humid, probe = random.randint(-4000, 8000), random.randint(0, 1000), random.choice((0x7FFF, -512))
        fields: dict[str, Value] = {"temperature": hundredths / 100, "relative_humidity": humid / 1000}
        if probe != 0x7FFF:
            fields["external_temperature"] = probe / 100
        return i16(hundredths, humid, probe) + b"\x01" + second.to_bytes(4, "big"), fields


CODECS = {
    "dragino_ldds75": (Ldds75, Dds753, Dds75Samples),
    "dragino_llds12": (Llds12,),
    "dragino_ldds04": (Ldds04,),
    "dragino_laq4": (Laq4,),
    "dragino_lht52": (Lht52,),
}
