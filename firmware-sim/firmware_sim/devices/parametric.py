"""Twins of Parametric's radar counters: TCR for vehicles, PCR2 for people.

Sources: the maker's payload descriptions (TCR v1 and v2, PCR2 v3 and v4); PMX's codec for the second generation.
Big endian; counts since the last message::

    TCR   port 15   BE 02 01 bb    ww ww tt tt then for four classes of speed  ll ll aa rr rr aa
                    BE 02 02 bb bb ww ww tt tt ...      battery % (v1) or mV (v2), solar mW, 0.1 C;
                                                        counts to the left and right with their average km/h
          port 190  BE 02 vv dd f1 f2 f3 ...            firmware and settings, after a join
    PMX   port 13   A2 hh mm ll ll aa rr rr aa vv        all that was seen: clock, left to right, right to left, 0.1 V
          port 14..17   the same of categories 1 to 4    port 190  D2 type licence class firmware (2) charger (2)
    PCR2  port 14   BE 01 03 nn nn mm mm NN NN MM MM bb    ww ww tt tt
                    BE 01 04 ...                     bb bb       left to right, right to left, their sums, as above
                    0A nn nn 16 mm mm 01 tt tt           the short form
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value


def u16(*numbers: int) -> bytes:
    """Return numbers as 16 bits, big endian."""
    return b"".join((number & 0xFFFF).to_bytes(2, "big") for number in numbers)


class Tcr:
    """A street seen by radar, payload version 2; a battery and a panel on the mast."""

    version = 2

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._started = False

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        if not self._started:
            self._started = True
            settings = bytes.fromhex("00 00 00 0003 05A0 0000 64 00 00 0107 0819 1A31 3278")
            data = bytes((0xBE, 2, self.version, 0, 1, 2, 3)) + settings
            return Payload(190, data, (Meant("traffic", {"event": "configuration", "firmware_version": "1.2.3"}),))
        power, milliwatts, tenths = random.randint(1, 100), random.randrange(20_000), random.randint(-200, 600)
        battery, charge = bytes((power,)), ("battery_level", power / 100)
        if self.version == 2:
            battery, charge = u16(11_000 + power), ("battery_voltage", (11_000 + power) / 1000)
        data = bytes((0xBE, 2, self.version)) + battery + u16(milliwatts, tenths)
        own: dict[str, Value] = {"solar_power": milliwatts / 1000, "device_temperature": tenths / 10}
        own[charge[0]] = charge[1]
        seen: dict[str, list[tuple[int, int]]] = {"left": [], "right": []}
        for mean in (20, 40, 60, 80):
            for cars in seen.values():
                count = random.randrange(3)
                cars.append((count, mean if count else 0))
                data += u16(count) + bytes((cars[-1][1],))
        readings = [Meant("traffic", own)]
        readings += [Meant("traffic", self._direction(cars), {"direction": way}) for way, cars in seen.items()]
        return Payload(15, data, tuple(readings))

    def _direction(self, cars: list[tuple[int, int]]) -> dict[str, Value]:
        total = sum(count for count, _ in cars)
        fields: dict[str, Value] = {f"intensity_class_{n}": count for n, (count, _) in enumerate(cars)}
        if total:
            fields["average_vehicle_speed"] = sum(count * mean for count, mean in cars) / total
        return {"intensity": total, **fields}


class TcrV1(Tcr):
    """The older payload, with the battery in per cent."""

    version = 1


class TcrPmx:
    """The second generation: one category a message, and the device itself after a join."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._port = 190

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        port, self._port = self._port, self._port + 1 if 13 <= self._port < 17 else 13
        if port == 190:
            said: dict[str, Value] = {"event": "configuration", "firmware_version": "1.1.0"}
            return Payload(port, bytes.fromhex("D2 0A 02 02 11 00 42 00"), (Meant("traffic", said),))
        minutes, tenths = time // 60_000_000_000 % 1440, random.randint(48, 240)
        data = bytes((0xA2, minutes // 60, minutes % 60))
        readings = [Meant("traffic", {"battery_voltage": tenths / 10})]
        category = "all" if port == 13 else str(port - 13)
        for way in ("left_to_right", "right_to_left"):
            count, mean = random.choice((0, random.randrange(2000))), random.randint(5, 120)
            data += u16(count) + bytes((mean if count else 0,))
            fields: dict[str, Value] = {"intensity": count}
            if count:
                fields["average_vehicle_speed"] = float(mean)
            readings.append(Meant("traffic", fields, {"direction": way, "category": category}))
        return Payload(port, data + bytes((tenths,)), tuple(readings))


class Pcr2:
    """A path seen by radar, payload version 4."""

    version = 4

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._sums = [0, 0]

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        counted, tenths = [random.randrange(200), random.randrange(200)], random.randint(-200, 600)
        if random.random() < 0.2:
            data = b"\x0a" + u16(counted[0]) + b"\x16" + u16(counted[1]) + b"\x01" + u16(tenths)
            return self._said(data, {"device_temperature": tenths / 10}, [{"intensity": n} for n in counted])
        self._sums = [(total + n) & 0xFFFF for total, n in zip(self._sums, counted, strict=True)]
        power, milliwatts = random.randint(1, 100), random.randrange(9000)
        battery, charge = bytes((power,)), ("battery_level", power / 100)
        if self.version == 4:
            battery, charge = u16(7000 + power), ("battery_voltage", (7000 + power) / 1000)
        data = bytes((0xBE, 1, self.version)) + u16(*counted, *self._sums) + battery + u16(milliwatts, tenths)
        own: dict[str, Value] = {"solar_power": milliwatts / 1000, "device_temperature": tenths / 10}
        own[charge[0]] = charge[1]
        pairs = zip(counted, self._sums, strict=True)
        return self._said(data, own, [{"intensity": n, "total_count": total} for n, total in pairs])

    def _said(self, data: bytes, own: dict[str, Value], counts: list[dict[str, int]]) -> Payload:
        ways = zip(counts, ("left_to_right", "right_to_left"), strict=True)
        readings = [Meant("traffic", fields, {"direction": way}) for fields, way in ways]
        return Payload(14, data, (Meant("traffic", own), *readings))


class Pcr2V3(Pcr2):
    """The older payload, with the battery in per cent."""

    version = 3


CODECS = {"parametric_tcr": (Tcr, TcrV1, TcrPmx), "parametric_pcr2": (Pcr2, Pcr2V3)}
