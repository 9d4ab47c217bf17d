"""Decentlab DL-AC: nitrogen oxides, ozone and carbon monoxide, by Alphasense cells with four electrodes.

LoRaWAN, frame as in `drivers.codecs.common.decentlab`; the groups::

    0  temperature, humidity        1 NO2   2 NO   3 Ox   4 CO, each two words        5  battery, mV
       a word w is 3 (w / 32768 - 1) V: the working electrode, and the working less the auxiliary one

    02 0FA0 003F  66B4 9B8C  8966 803C  8CF5 8023  8A68 804C  9037 83F4  158A
        23.6 C; NO2 220.3 mV and 5.5 mV; ... ; 5.514 V

A concentration needs the constants on the certificate of each cell: ppb = (difference - WE_0 + AUX_0) / S, all in mV.
They are options; the voltages are always given, so that what was stored without them can be worked out later.
Quirks: Ox is ozone and NO2 together, so no concentration is made of it. Near zero the result is negative: it is
given as it is, and the range check marks it.

Source: as in `drivers.codecs.common.decentlab`.
"""

from collections.abc import Iterable

from drivers.codecs.common import decentlab
from drivers.codecs.common.decentlab import Fields, Group, Words
from drivers.common.gases import micrograms
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, Remark, field

CELLS = ("no2", "no", "ox", "co")


class Calibration(Options):
    """What stands on a cell's certificate: both zero voltages in mV, and the sensitivity in mV/ppb."""

    we_0: float
    aux_0: float
    s: float

    def ppb(self, difference: float) -> float:
        """Return the concentration for a difference of the electrodes in mV."""
        return (difference - self.we_0 + self.aux_0) / self.s


class AcOptions(Options):
    """The calibration of each cell; without it that gas is given in volts alone."""

    no2: Calibration | None = None
    no: Calibration | None = None
    co: Calibration | None = None


def volts(word: int) -> float:
    """Return the voltage that a word stands for."""
    return 3 * (word / 32768 - 1)


def _cell(gas: str) -> Group:
    def read(words: Words) -> Fields:
        return {f"{gas}_electrode": volts(words[0]), f"{gas}_electrode_difference": volts(words[1])}

    return 2, read


GROUPS = ((2, decentlab.climate), *map(_cell, CELLS), (1, decentlab.battery))


def decode(_: int, payload: bytes, options: AcOptions) -> Iterable[Measurement | Reject | Remark]:
    """See `gateway.contract.Codec`."""
    for said in decentlab.decode(payload, GROUPS, "air_quality"):
        if not isinstance(said, Measurement):
            yield said
            continue
        fields: dict[str, FieldValue] = dict(said.fields)
        for gas, calibration in (("no2", options.no2), ("no", options.no), ("co", options.co)):
            difference = fields.get(f"{gas}_electrode_difference")
            if calibration is not None and isinstance(difference, float):
                fields[gas] = micrograms(gas, calibration.ppb(difference * 1000))
        yield said._replace(fields=fields)


CODEC = Codec(
    name="decentlab_dl_ac",
    title="Decentlab DL-AC air quality station",
    fields=(
        field("no2"),
        field("no"),
        field("co"),
        *(field(f"{gas}_electrode") for gas in CELLS),
        *(field(f"{gas}_electrode_difference") for gas in CELLS),
        field("temperature"),
        field("relative_humidity"),
        field("battery_voltage"),
        field("serial_number"),
    ),
    decode=decode,
    options=AcOptions,
    kinds=("air_quality",),
)
