"""Decentlab DL-LP8P: carbon dioxide, by a SenseAir LP8.

LoRaWAN, frame as in `drivers.codecs.common.decentlab`; the groups::

    0  temperature, humidity
    1  the barometer's own temperature, 5000 + 100 t; pressure, 2 Pa
    2  CO2, 32768 + ppm; the same smoothed; the cell's temperature, 32768 + 100 t; capacitor before and after, mV;
       status, 0 well; raw reading, and smoothed
    3  battery, mV

    02 0578 000F  67BD 618D  1CED BD10  81D9 81F4 895B 0BD8 0BB5 0000 9598 9539  0C25
        24.36 C, 41.6 %; 24.05 C, 968 hPa; 473 ppm, smoothed 500, 23.95 C; 3.109 V

``co2`` is the plain value; the cell's status is ``device_error``.

Source: as in `drivers.codecs.common.decentlab`.
"""

from collections.abc import Iterable

from drivers.codecs.common import decentlab
from drivers.codecs.common.decentlab import Fields, Words
from gateway.contract import Codec, Measurement, Options, Reject, Remark, field


def _pressure(words: Words) -> Fields:
    return {"device_temperature": (words[0] - 5000) / 100, "atmospheric_pressure": words[1] / 50}


def _cell(words: Words) -> Fields:
    return {"co2": float(words[0] - 32768), "device_error": words[5]}


GROUPS = ((2, decentlab.climate), (2, _pressure), (8, _cell), (1, decentlab.battery))


def decode(_: int, payload: bytes, __: Options) -> Iterable[Measurement | Reject | Remark]:
    """See `gateway.contract.Codec`."""
    return decentlab.decode(payload, GROUPS, "air_quality")


CODEC = Codec(
    name="decentlab_dl_lp8p",
    title="Decentlab DL-LP8P CO2 sensor",
    fields=(
        field("co2", 250, 10_000),
        field("temperature"),
        field("relative_humidity"),
        field("atmospheric_pressure"),
        field("device_temperature"),
        field("device_error"),
        field("battery_voltage"),
        field("serial_number"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
