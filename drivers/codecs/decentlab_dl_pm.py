"""Decentlab DL-PM: dust, by a Sensirion SPS30 in a weather-proof case.

LoRaWAN, frame as in `drivers.codecs.common.decentlab`; the groups::

    0  battery, mV
    1  PM1, PM2.5, PM4, PM10 in 0.1 ug/m3; typical size in nm; particles up to 0.5, 1, 2.5, 4, 10 um in 0.1 / cm3
    2  temperature, humidity
    3  pressure, 2 Pa

    02 1B50 000F  0C25  0025 0027 0027 0027 01F5 0107 012C 012D 012D 012D  67BD 618D  BD10
        3.109 V; PM1 3.7, the others 3.9 ug/m3, 501 nm; 24.36 C, 41.6 %, 968 hPa

Quirk: PM4 and PM10 are worked out from the smaller ones, as in every SPS30.

Source: as in `drivers.codecs.common.decentlab`.
"""

from collections.abc import Iterable

from drivers.codecs.common import decentlab
from drivers.codecs.common.decentlab import Fields, Words
from gateway.contract import Codec, Measurement, Options, Reject, Remark, field

MASSES = ("pm1", "pm25", "pm4", "pm10")
COUNTS = tuple(f"particles_up_to_{size}" for size in ("05", "1", "25", "4", "10"))


def _dust(words: Words) -> Fields:
    masses = {name: word / 10 for name, word in zip(MASSES, words[:4], strict=True)}
    counts = {name: word / 10 for name, word in zip(COUNTS, words[5:], strict=True)}
    return {**masses, "typical_particle_size": words[4] / 1000, **counts}


def _pressure(words: Words) -> Fields:
    return {"atmospheric_pressure": words[0] / 50}


GROUPS = ((1, decentlab.battery), (10, _dust), (2, decentlab.climate), (1, _pressure))


def decode(_: int, payload: bytes, __: Options) -> Iterable[Measurement | Reject | Remark]:
    """See `gateway.contract.Codec`."""
    return decentlab.decode(payload, GROUPS, "air_quality")


CODEC = Codec(
    name="decentlab_dl_pm",
    title="Decentlab DL-PM particulate matter sensor",
    fields=(
        *(field(name, 0, 1000) for name in MASSES),
        *(field(name, 0, 3000) for name in COUNTS),
        field("typical_particle_size"),
        field("temperature"),
        field("relative_humidity"),
        field("atmospheric_pressure"),
        field("battery_voltage"),
        field("serial_number"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
