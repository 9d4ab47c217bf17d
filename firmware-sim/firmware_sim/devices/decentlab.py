"""Twins of Decentlab's LoRaWAN stations for dust, gases, CO2 and distance.

Source: the vendor's decentlab-decoders. Port 1, words of 16 bits, big endian::

    02 id id gg gg w...    protocol 2, device id, a bit for each group of words that follows; bit 0 comes first

    DL-PM    battery mV | PM1, 2.5, 4, 10 in 0.1 ug/m3, size nm, counts of 0.5, 1, 2.5, 4, 10 um in 0.1/cm3
             | temperature, humidity | pressure / 2 Pa
    DL-AC    temperature, humidity | NO2 | NO | Ox | CO, each two voltages 3 V * (w / 32768 - 1) | battery mV
    DL-LP8P  temperature, humidity | barometer's temperature 5000 + 100 t, pressure / 2 Pa
             | CO2 32768 + ppm, the same smoothed, temperature, two capacitors mV, status, raw, raw | battery mV
    DL-LID   distance mm: average, least, greatest, median, four percentiles, mode; samples, time | battery mV
    DL-MBX   distance mm, valid samples | battery mV

    temperature (t + 46.85) * 65536 / 175.72, humidity (h + 6) * 65536 / 125
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT = 1
Group = tuple[list[int], dict[str, Value]]
"""The words of a group, and what they mean."""


def climate(random: Random) -> Group:
    """Return temperature and humidity as the SHT sensor gives them."""
    warm, moist = random.randrange(0x4000, 0x8000), random.randrange(0x2000, 0xC000)
    meant: dict[str, Value] = {
        "temperature": 175.72 * warm / 65536 - 46.85,
        "relative_humidity": (125 * moist / 65536 - 6) / 100,
    }
    return [warm, moist], meant


def battery(random: Random) -> Group:
    """Return the battery's voltage."""
    millivolts = random.randint(2400, 3600)
    return [millivolts], {"battery_voltage": millivolts / 1000}


class _Station:
    kind = "air_quality"
    power = -1
    """Where the battery stands among the groups: it alone is in every payload."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def groups(self, random: Random) -> list[Group]:
        """Measure."""
        raise AssertionError(random)

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        groups = self.groups(random)
        power = range(len(groups))[self.power]
        there = [at == power or random.random() < 0.8 for at in range(len(groups))]
        flags = sum(present << at for at, present in enumerate(there))
        words = [flags]
        said: dict[str, Value] = {"serial_number": "6992"}
        for present, (sent, meant) in zip(there, groups, strict=True):
            if present:
                words += sent
                said |= meant
        data = b"\x02\x1b\x50" + b"".join(word.to_bytes(2, "big") for word in words)
        return Payload(PORT, data, (Meant(self.kind, said),))


class DlPm(_Station):
    """Dust."""

    power = 0

    def groups(self, random: Random) -> list[Group]:
        """See `_Station`."""
        masses = sorted(random.randrange(3000) for _ in range(4))
        counts = sorted(random.randrange(9000) for _ in range(5))
        dust: dict[str, Value] = {
            name: mass / 10 for name, mass in zip(("pm1", "pm25", "pm4", "pm10"), masses, strict=True)
        }
        for size, count in zip(("05", "1", "25", "4", "10"), counts, strict=True):
            dust[f"particles_up_to_{size}"] = count / 10
        dust["typical_particle_size"] = 0.501
        pressure = random.randint(47_000, 52_500)
        barometer: Group = ([pressure], {"atmospheric_pressure": pressure * 2 / 100})
        return [battery(random), ([*masses, 501, *counts], dust), climate(random), barometer]


class DlAc(_Station):
    """Gases: what the cells say, in volts."""

    def groups(self, random: Random) -> list[Group]:
        """See `_Station`."""
        cells: list[Group] = []
        for gas in ("no2", "no", "ox", "co"):
            first, second = random.randrange(0x8000, 0x9000), random.randrange(0x7F00, 0x8900)
            meant: dict[str, Value] = {
                f"{gas}_electrode": 3 * (first / 32768 - 1),
                f"{gas}_electrode_difference": 3 * (second / 32768 - 1),
            }
            cells.append(([first, second], meant))
        return [climate(random), *cells, battery(random)]


class DlLp8p(_Station):
    """CO2."""

    def groups(self, random: Random) -> list[Group]:
        """See `_Station`."""
        pressure, co2 = random.randint(47_000, 52_500), random.randint(380, 2000)
        air: dict[str, Value] = {"device_temperature": 24.05, "atmospheric_pressure": pressure * 2 / 100}
        barometer: Group = ([7405, pressure], air)
        words = [32768 + co2, 32768 + 500, 35163, 3032, 2997, 0, 38296, 38201]
        cell: Group = (words, {"co2": float(co2), "device_error": 0})
        return [climate(random), barometer, cell, battery(random)]


class DlLid(_Station):
    """Distance by lidar; an option makes it a parking sensor."""

    kind = "parking"

    def __init__(self) -> None:
        super().__init__()
        self.options = {"threshold_mm": 2000}

    def groups(self, random: Random) -> list[Group]:
        """See `_Station`."""
        median = random.randint(500, 5000)
        words = [median - 3, median - 57, median + 13, median, *(median + n for n in (-20, -10, 10, 20, 1)), 100, 409]
        meant: dict[str, Value] = {"distance": float(median), "occupied": median < 2000, "sample_count": 100}
        return [(words, meant), battery(random)]


class DlMbx(_Station):
    """Distance by ultrasound."""

    kind = "parking"

    def groups(self, random: Random) -> list[Group]:
        """See `_Station`."""
        millimetres, samples = random.randint(300, 9000), random.randint(1, 10)
        meant: dict[str, Value] = {"distance": float(millimetres), "sample_count": samples}
        return [([millimetres, samples], meant), battery(random)]


CODECS = {
    "decentlab_dl_pm": (DlPm,),
    "decentlab_dl_ac": (DlAc,),
    "decentlab_dl_lp8p": (DlLp8p,),
    "decentlab_dl_lid": (DlLid,),
    "decentlab_dl_mbx": (DlMbx,),
}
