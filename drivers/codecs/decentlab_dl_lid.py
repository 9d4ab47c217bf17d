"""Decentlab DL-LID: distance by laser.

LoRaWAN, frame as in `drivers.codecs.common.decentlab`; the groups::

    0  average, least, greatest, median, percentiles 10, 25, 75, 90 and most frequent distance, mm;
       number of samples; time they took
    1  battery, mV

    02 11C9 0003  119B 1176 11BC 119E 118A 1194 11A8 11A8 1194 0064 0199  0ABD
        average 4507, median 4510 mm of 100 samples; 2.749 V

``distance`` is the median, which a single outlier does not move. Without a sample there is none.

Source: as in `drivers.codecs.common.decentlab`.
"""

from collections.abc import Iterable

from drivers.codecs.common import decentlab
from drivers.codecs.common.decentlab import Group, Words
from drivers.codecs.common.distance import DistanceOptions, surface
from gateway.contract import Codec, Measurement, Reject, Remark, field

MEDIAN, SAMPLES = 3, 9


def groups(options: DistanceOptions) -> tuple[Group, ...]:
    """Return the groups, their distance read with these options."""

    def distances(words: Words) -> decentlab.Fields:
        return {**(surface(words[MEDIAN], options) if words[SAMPLES] else {}), "sample_count": words[SAMPLES]}

    return ((11, distances), (1, decentlab.battery))


def decode(_: int, payload: bytes, options: DistanceOptions) -> Iterable[Measurement | Reject | Remark]:
    """See `gateway.contract.Codec`."""
    return decentlab.decode(payload, groups(options), "parking")


CODEC = Codec(
    name="decentlab_dl_lid",
    title="Decentlab DL-LID laser distance meter",
    fields=(
        field("distance", 0, 40_000),
        field("occupied"),
        field("sample_count"),
        field("battery_voltage"),
        field("serial_number"),
    ),
    decode=decode,
    options=DistanceOptions,
    kinds=("parking",),
)
