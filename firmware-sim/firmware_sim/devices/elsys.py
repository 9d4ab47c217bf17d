"""Twins of the ELSYS sensors, which all speak one payload: what is built in is in it.

Source: ELSYS payload format and the vendor's decoder. Port 5; entries of type and value, big endian::

    01 tt tt  temperature 0.1 C     06 cc cc  CO2 ppm        0E dd dd  distance mm
    02 hh     humidity %            07 vv vv  battery mV     11 oo     occupancy: 0 free, 1 changing, 2 taken
    03 x y z  acceleration          0A nn nn  pulses         14 4 bytes  pressure 0.001 hPa
    04 ll ll  light lux             0B 4 bytes  their sum    15 pp aa  sound dB, peak and average
    05 mm     movements             0C tt tt  outside temperature 0.1 C
    16, 17    as 0A, 0B for the second input                 1C vv vv  tVOC ppb
"""

from random import Random

from firmware_sim.parts.lorawan_node import Meant, Payload
from firmware_sim.truth.points import Value

PORT = 5


class Ers:
    """A room sensor (ERS Sound, ERS CO2): climate, light, movements, sound."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        tenths, humid, lux = random.randint(-300, 500), random.randrange(101), random.randrange(60_000)
        moved, co2, millivolts = random.randrange(256), random.randint(400, 5000), random.randint(3000, 3680)
        hundredths, tvoc = random.randint(950_000, 1_050_000), random.randrange(2000)
        data = b"\x01" + tenths.to_bytes(2, "big", signed=True) + bytes((0x02, humid, 0x03, 0xFB, 0x00, 0xC1))
        data += b"\x04" + lux.to_bytes(2, "big") + bytes((0x05, moved)) + b"\x06" + co2.to_bytes(2, "big")
        data += b"\x07" + millivolts.to_bytes(2, "big") + b"\x14" + hundredths.to_bytes(4, "big")
        data += bytes((0x15, 60, 41)) + b"\x1c" + tvoc.to_bytes(2, "big")
        fields: dict[str, Value] = {
            "temperature": tenths / 10,
            "relative_humidity": humid / 100,
            "illuminance": float(lux),
            "motion": moved,
            "co2": float(co2),
            "battery_voltage": millivolts / 1000,
            "atmospheric_pressure": hundredths / 1000,
            "sound_level": 41.0,
            "sound_level_max": 60.0,
            "tvoc": float(tvoc),
        }
        return Payload(PORT, data, (Meant("air_quality", fields),))


class EltUltrasonic:
    """A distance meter above a bay, with a thermometer."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {"threshold_mm": 1500}

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        tenths, millimetres = random.randint(-300, 500), random.randint(300, 9000)
        data = b"\x01" + tenths.to_bytes(2, "big", signed=True) + b"\x0e" + millimetres.to_bytes(2, "big")
        spot: dict[str, Value] = {"distance": float(millimetres), "occupied": millimetres < 1500}
        return Payload(PORT, data, (Meant("air_quality", {"temperature": tenths / 10}), Meant("parking", spot)))


class EltPulse:
    """Two pulse inputs, as from loop detectors."""

    def __init__(self) -> None:
        self.options: dict[str, object] = {}
        self._sums = [0, 0]

    def payload(self, random: Random, time: int) -> Payload:
        """See `firmware_sim.parts.lorawan_node.Sensor`."""
        del time
        data, readings = b"", []
        for channel, (relative, absolute) in enumerate(((0x0A, 0x0B), (0x16, 0x17))):
            counted = random.randrange(500)
            self._sums[channel] += counted
            total = self._sums[channel]
            data += bytes((relative,)) + counted.to_bytes(2, "big") + bytes((absolute,)) + total.to_bytes(4, "big")
            fields: dict[str, Value] = {"intensity": counted, "total_count": total}
            readings.append(Meant("traffic", fields, {"input": str(channel + 1)}))
        return Payload(PORT, data, tuple(readings))


CODECS = {"elsys": (Ers, EltUltrasonic, EltPulse)}
