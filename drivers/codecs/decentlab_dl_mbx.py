"""Decentlab DL-MBX: distance by ultrasound, with a MaxBotix head.

LoRaWAN, frame as in `drivers.codecs.common.decentlab`; the groups::

    0  distance, mm; number of valid samples
    1  battery, mV

    02 012F 0003  04D2 0001  0BB1      1234 mm from one sample; 2.993 V

Quirk: where no sample was valid there was no echo that could be trusted: no distance is given then.

Source: as in `drivers.codecs.common.decentlab`.
"""

from collections.abc import Iterable

from drivers.codecs.common import decentlab
from drivers.codecs.common.decentlab import Group, Words
from drivers.codecs.common.distance import DistanceOptions, surface
from gateway.contract import Codec, Measurement, Reject, Remark, field


def groups(options: DistanceOptions) -> tuple[Group, ...]:
    """Return the groups, their distance read with these options."""

    def distance(words: Words) -> decentlab.Fields:
        return {**(surface(words[0], options) if words[1] else {}), "sample_count": words[1]}

    return ((2, distance), (1, decentlab.battery))


def decode(_: int, payload: bytes, options: DistanceOptions) -> Iterable[Measurement | Reject | Remark]:
    """See `gateway.contract.Codec`."""
    return decentlab.decode(payload, groups(options), "parking")


CODEC = Codec(
    name="decentlab_dl_mbx",
    title="Decentlab DL-MBX ultrasonic distance meter",
    fields=(
        field("distance", 0, 10_000),
        field("occupied"),
        field("sample_count"),
        field("battery_voltage"),
        field("serial_number"),
    ),
    decode=decode,
    options=DistanceOptions,
    kinds=("parking",),
)
