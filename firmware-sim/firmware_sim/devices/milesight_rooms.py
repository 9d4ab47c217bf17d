"""Twins of Milesight's sensors of climate, level and rooms: EM300, EM410-RDL, VS321, VS373.

Source: the decoders of November 2025 in the vendor's SensorDecoders. Port 85; entries as in
`firmware_sim.devices.milesight`, numbers little endian::

    EM300      03 67 0.1 C   04 68 0.5 % RH   06 00 contact   20 CE time, temperature, humidity, contact
    EM300-DI   05 C8 pulses; 20 CE time, temperature, humidity, kind 2, input, pulses
    EM410-RDL  03 67   04 82 mm (signed)   05 00 tilted   B4 82 mm, exception
               20 CE time, mm (FFFD: no target), 0.1 C, jump, events
    VS321      05 FD people   06 FE regions in use, taken   03 67   04 68 (FF: failed)   07 FF bright
               20 CE time, 00, people
    VS373      07 B0 state, target, use now and today (24 bits)   0A B3 number of regions, bits
               20 CE time, alarm, kind, state, region
"""

from random import Random

from firmware_sim.devices.milesight import PORT, QUARTER, SECOND, u16, u32
from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


class _Device:
    def __init__(self) -> None:
        self.options: dict[str, object] = {}


class Em300(_Device):
    """Temperature, humidity and a door; once in a while two readings that it kept."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        tenths, half, said = _climate(random)
        if random.random() < 0.3:
            second = time // SECOND - QUARTER
            data = b"\x20\xce" + u32(second) + u16(tenths) + bytes((half, 1))
            return Payload(PORT, data, (Meant("air_quality", said, {}, second * SECOND),))
        battery = random.randint(1, 100)
        data = bytes((0x01, 0x75, battery)) + b"\x03\x67" + u16(tenths) + bytes((0x04, 0x68, half, 0x06, 0x00, 1))
        return Payload(PORT, data, (Meant("air_quality", {"battery_level": battery / 100, **said}),))


class Em300Di(_Device):
    """The same with a counter."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        tenths, half, said = _climate(random)
        pulses: dict[str, Value] = {"total_count": random.getrandbits(31)}
        counted = u32(int(pulses["total_count"]))
        if random.random() < 0.7:
            data = b"\x03\x67" + u16(tenths) + bytes((0x04, 0x68, half)) + b"\x05\xc8" + counted
            return Payload(PORT, data, (Meant("air_quality", said), Meant("traffic", pulses)))
        second = time // SECOND - QUARTER
        data = b"\x20\xce" + u32(second) + u16(tenths) + bytes((half, 2, 0)) + counted
        readings = [
            Meant(kind, what, {}, second * SECOND) for kind, what in (("air_quality", said), ("traffic", pulses))
        ]
        return Payload(PORT, data, tuple(readings))


class Em410Rdl:
    """Radar above a bay; nearer than 1 m is a vehicle."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {"threshold_mm": 1000}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        tenths, millimetres = random.randint(-300, 600), random.choice((random.randint(200, 9000), -3))
        said: dict[str, Value] = {"temperature": tenths / 10}
        if millimetres < 0:
            said["event"] = "no target"
        else:
            said |= {"distance": float(millimetres), "occupied": millimetres < 1000}
        if random.random() < 0.3:
            second = time // SECOND - QUARTER
            data = b"\x20\xce" + u32(second) + u16(millimetres, tenths, 0) + b"\x00"
            return Payload(PORT, data, (Meant("parking", said, {}, second * SECOND),))
        data = b"\x03\x67" + u16(tenths) + b"\x04\x82" + u16(millimetres) + b"\x05\x00\x00"
        return Payload(PORT, data, (Meant("parking", {**said, "tilted": False}),))


class Vs321(_Device):
    """A camera in a room."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        people = random.randrange(12)
        if random.random() < 0.2:
            second = time // SECOND - QUARTER
            data = b"\x20\xce" + u32(second) + b"\x00" + u16(people)
            return Payload(PORT, data, (Meant("traffic", {"people_count": people}, {}, second * SECOND),))
        taken, bright = random.getrandbits(2), random.random() < 0.5
        tenths, half, said = _climate(random, coldest=150)
        if random.random() < 0.2:
            half = 0xFF
            del said["relative_humidity"]
            said["event"] = "humidity sensor failure"
        data = b"\x05\xfd" + u16(people) + b"\x06\xfe" + u16(0b11, taken) + bytes((0x07, 0xFF, bright))
        data += b"\x03\x67" + u16(tenths) + bytes((0x04, 0x68, half))
        readings = [Meant("traffic", {"people_count": people})]
        readings += [Meant("parking", {"occupied": bool(taken >> n & 1)}, {"region": str(n + 1)}) for n in range(2)]
        return Payload(PORT, data, (*readings, Meant("air_quality", {**said, "light_level": int(bright)})))


class Vs373(_Device):
    """A radar in a bedroom, firmware 1.0.2."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        if random.random() < 0.2:
            second = time // SECOND - QUARTER
            data = b"\x20\xce" + u32(second) + bytes((1, 0, 0, 1, 0))
            return Payload(PORT, data, (Meant("parking", {"event": "fall alarm"}, {}, second * SECOND),))
        state, taken = random.randrange(3), random.getrandbits(2)
        said: dict[str, Value] = {"occupied": state != 1}
        if state == 2:
            said["event"] = "in bed"
        data = bytes((0x07, 0xB0, state, 0)) + bytes(6) + bytes((0x0A, 0xB3, 2)) + u32(taken)
        readings = [Meant("parking", said)]
        readings += [Meant("parking", {"occupied": bool(taken >> n & 1)}, {"region": str(n + 1)}) for n in range(2)]
        return Payload(PORT, data, tuple(readings))


def _climate(random: Random, coldest: int = -300) -> tuple[int, int, dict[str, Value]]:
    tenths, half = random.randint(coldest, 600), random.randrange(201)
    return tenths, half, {"temperature": tenths / 10, "relative_humidity": half / 200}


CODECS = {
    "milesight_em300": (Em300, Em300Di),
    "milesight_rdl": (Em410Rdl,),
    "milesight_vs321": (Vs321,),
    "milesight_vs373": (Vs373,),
}
