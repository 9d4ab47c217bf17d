"""Twins of Milesight's air, distance and counting sensors.

Source: the user guides, and each README in the vendor's SensorDecoders. Port 85; entries of channel, type
and value, numbers little endian, and what a channel means depends on the device::

    all      01 75 battery %    FF 01 protocol  FF 09 hardware  FF 0A firmware  FF 16 serial number, eight bytes
    AM3xx    03 67 0.1 C   04 68 0.5 % RH   05 00 motion   06 CB light 0-5   07 7D CO2 ppm   08 7D tVOC
             09 73 0.1 hPa   0B 7D PM2.5   0C 7D PM10   0D 7D ozone in 0.01 ppm
    AM305L   05 9F movements   06 9D lux   21 CE time, valid, 0.1 C, valid, 0.5 % RH, .., movements, .., lux, .., CO2
    AM107    05 6A activity   06 65 lux, visible + infrared, infrared
    EM500-CO2  03 67   04 68   05 7D CO2   06 73 pressure;   20 CE time, CO2, pressure, temperature, humidity
    EM400    03 67   04 82 distance mm   05 00 tilted;   EM310 and EM500-UDL: 03 82 distance
    VS121    04 C9 people, regions, bitmap (big endian)   05 CC in, out   0D CC totals
    VS133    03 D2, 04 D2, 05 CC: line 1 total in, out, period in + out; lines 2 to 4 go on from 06, 09, 0C
             0F E3 people in four regions   10 E4 region, average and longest stay in s
    VS340    03 00 occupied
    VS350    03 67   04 CC total in, out   05 CC period in, out
             20 CE time, 00 or 01, period in, out[, total in, out]
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT = 85
SECOND = 1_000_000_000
QUARTER = 900
"""Seconds between two readings that a device kept while it had no network."""


def u16(*numbers: int) -> bytes:
    """Return numbers as 16 bits, little endian."""
    return b"".join((number & 0xFFFF).to_bytes(2, "little") for number in numbers)


def u32(number: int) -> bytes:
    """Return a number as 32 bits, little endian."""
    return number.to_bytes(4, "little")


class _Device:
    def __init__(self, **options: object) -> None:
        self.options: dict[str, object] = options


class Am319(_Device):
    """Air in a room or a hall, with ozone; older firmware, whose tVOC is in ppb."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        tenths, half, moved, light = random.randint(-150, 400), random.randrange(201), random.random() < 0.5, 2
        co2, tvoc, pressure = random.randint(400, 3000), random.randrange(600), random.randint(9500, 10500)
        fine, coarse = sorted((random.randrange(200), random.randrange(200)))
        data = b"\x03\x67" + u16(tenths) + bytes((0x04, 0x68, half, 0x05, 0x00, moved, 0x06, 0xCB, light))
        data += b"\x07\x7d" + u16(co2) + b"\x08\x7d" + u16(tvoc) + b"\x09\x73" + u16(pressure)
        data += b"\x0b\x7d" + u16(fine) + b"\x0c\x7d" + u16(coarse) + b"\x0d\x7d" + u16(3)
        fields: dict[str, Value] = {
            "temperature": tenths / 10,
            "relative_humidity": half / 200,
            "motion": int(moved),
            "light_level": light,
            "co2": float(co2),
            "tvoc": float(tvoc),
            "atmospheric_pressure": pressure / 10,
            "pm25": float(fine),
            "pm10": float(coarse),
            "o3": 59.86,  # 30 ppb at 293 K and 101.3 kPa
        }
        return Payload(PORT, data, (Meant("air_quality", fields),))


class Am305L(_Device):
    """Air in a room without lights or fans; once in a while what it kept."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        tenths, half, moves, lux, co2 = (
            random.randint(*p) for p in ((-150, 400), (0, 200), (0, 99), (0, 1500), (400, 3000))
        )
        said: dict[str, Value] = {"temperature": tenths / 10, "relative_humidity": half / 200, "motion": moves}
        said |= {"illuminance": float(lux), "co2": float(co2)}
        if random.random() < 0.3:
            second = time // SECOND - QUARTER
            data = b"\x21\xce" + u32(second) + b"\x01" + u16(tenths) + bytes((1, half, 0x41)) + u16(moves)
            data += b"\x01" + u16(lux) + b"\x01" + u16(co2)
            return Payload(PORT, data, (Meant("air_quality", said, {}, second * SECOND),))
        data = b"\x03\x67" + u16(tenths) + bytes((0x04, 0x68, half)) + b"\x05\x9f" + u16(moves | 0x8000)
        data += b"\x06\x9d" + u16(lux) + b"\x07\x7d" + u16(co2)
        return Payload(PORT, data, (Meant("air_quality", said),))


class Am107(_Device):
    """Air in a room, with light and activity."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        battery, active, lux = random.randint(1, 100), random.randrange(300), random.randrange(2000)
        data = bytes((0x01, 0x75, battery, 0x05, 0x6A)) + u16(active) + b"\x06\x65" + u16(lux, lux + 20, 20)
        fields: dict[str, Value] = {"battery_level": battery / 100, "motion": active, "illuminance": float(lux)}
        return Payload(PORT, data, (Meant("air_quality", fields),))


class Em500Co2(_Device):
    """CO2 outdoors; once in a while it sends two readings that it kept."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        if random.random() < 0.3:
            kept = [self._kept(random, time // SECOND - QUARTER * ago) for ago in (2, 1)]
            return Payload(PORT, b"".join(data for data, _ in kept), tuple(meant for _, meant in kept))
        battery = random.randint(1, 100)
        co2, pressure, tenths, half, said = self._measured(random)
        data = bytes((0x01, 0x75, battery)) + b"\x03\x67" + u16(tenths) + bytes((0x04, 0x68, half))
        data += b"\x05\x7d" + u16(co2) + b"\x06\x73" + u16(pressure)
        return Payload(PORT, data, (Meant("air_quality", {"battery_level": battery / 100, **said}),))

    def _kept(self, random: Random, second: int) -> tuple[bytes, Meant]:
        co2, pressure, tenths, half, said = self._measured(random)
        data = b"\x20\xce" + u32(second) + u16(co2, pressure, tenths) + bytes((half,))
        return data, Meant("air_quality", said, {}, second * SECOND)

    def _measured(self, random: Random) -> tuple[int, int, int, int, dict[str, Value]]:
        co2, pressure = random.randint(400, 2000), random.randint(9500, 10500)
        tenths, half = random.randint(-200, 450), random.randrange(201)
        return (
            co2,
            pressure,
            tenths,
            half,
            {
                "co2": float(co2),
                "atmospheric_pressure": pressure / 10,
                "temperature": tenths / 10,
                "relative_humidity": half / 200,
            },
        )


class Em400(_Device):
    """A distance meter above a bay: nearer than 1.2 m is a vehicle."""

    channel, tilt = 4, 5

    def __init__(self) -> None:
        super().__init__(threshold_mm=1200)

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        battery, millimetres, tilted = random.randint(1, 100), random.randint(300, 3000), random.random() < 0.1
        data = bytes((0x01, 0x75, battery, self.channel, 0x82)) + u16(millimetres) + bytes((self.tilt, 0x00, tilted))
        fields: dict[str, Value] = {
            "battery_level": battery / 100,
            "distance": float(millimetres),
            "occupied": millimetres < 1200,
            "tilted": tilted,
        }
        return Payload(PORT, data, (Meant("parking", fields),))


class Em310(Em400):
    """The same with the older channels."""

    channel, tilt = 3, 4


class Vs121(_Device):
    """A camera over desks that counts people and sends no picture."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        people, regions = random.randrange(9), random.getrandbits(4)
        came, went = random.randrange(50), random.randrange(50)
        data = bytes((0x04, 0xC9, people, 4, regions >> 8, regions & 0xFF, 0x05, 0xCC)) + u16(came, went)
        readings = [Meant("traffic", {"people_count": people})]
        readings += [Meant("parking", {"occupied": bool(regions >> n & 1)}, {"region": str(n + 1)}) for n in range(4)]
        readings += [Meant("traffic", {"intensity": came}, {"direction": "in"})]
        readings += [Meant("traffic", {"intensity": went}, {"direction": "out"})]
        return Payload(PORT, data, tuple(readings))


class Vs133(_Device):
    """People across four lines and in four regions."""

    def __init__(self) -> None:
        super().__init__()
        self._totals = {(line, way): 0 for line in range(4) for way in ("in", "out")}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        data, readings = b"", []
        for line in range(4):
            counted = {way: random.randrange(100) for way in ("in", "out")}
            for offset, way in enumerate(counted):
                self._totals[line, way] += counted[way]
                data += bytes((3 + 3 * line + offset, 0xD2)) + u32(self._totals[line, way])
                fields: dict[str, Value] = {"total_count": self._totals[line, way], "intensity": counted[way]}
                readings.append(Meant("traffic", fields, {"direction": way, "line": str(line + 1)}))
            data += bytes((5 + 3 * line, 0xCC)) + u16(counted["in"], counted["out"])
        people = [random.randrange(20) for _ in range(4)]
        data += b"\x0f\xe3" + bytes(people) + b"\x10\xe4\x02" + u16(31, 250)
        stays: dict[str, Value] = {"average_dwell_time": 31.0, "max_dwell_time": 250.0}
        for region, present in enumerate(people, 1):
            more = stays if region == 2 else {}
            readings.append(Meant("traffic", {"people_count": present, **more}, {"region": str(region)}))
        return Payload(PORT, data, tuple(readings))


class Vs340(_Device):
    """A seat."""

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        battery, taken = random.randint(1, 100), random.random() < 0.5
        fields: dict[str, Value] = {"battery_level": battery / 100, "occupied": taken}
        return Payload(PORT, bytes((0x01, 0x75, battery, 0x03, 0x00, taken)), (Meant("parking", fields),))


class Vs350(_Device):
    """People through a passage; once in a while a count that it kept."""

    def __init__(self) -> None:
        super().__init__()
        self._totals = [0, 0]

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        counted = [random.randrange(300), random.randrange(300)]
        if random.random() < 0.3:
            second = time // SECOND - QUARTER
            data = b"\x20\xce" + u32(second) + b"\x00" + u16(*counted)
            readings = self._readings(([{"intensity": n} for n in counted]), second * SECOND)
            return Payload(PORT, data, readings)
        self._totals = [(total + count) & 0xFFFF for total, count in zip(self._totals, counted, strict=True)]
        data = b"\x04\xcc" + u16(*self._totals) + b"\x05\xcc" + u16(*counted)
        said = [{"total_count": total, "intensity": n} for total, n in zip(self._totals, counted, strict=True)]
        return Payload(PORT, data, self._readings(said, None))

    def _readings(self, said: list[dict[str, int]], own_time: int | None) -> tuple[Meant, ...]:
        ways = zip(said, ("in", "out"), strict=True)
        return tuple(Meant("traffic", fields, {"direction": way}, own_time) for fields, way in ways)


CODECS = {
    "milesight_am": (Am319, Am107, Am305L),
    "milesight_em500_co2": (Em500Co2,),
    "milesight_udl": (Em400, Em310),
    "milesight_vs121": (Vs121,),
    "milesight_vs13x": (Vs133,),
    "milesight_vs340": (Vs340,),
    "milesight_vs350": (Vs350,),
}
