"""Milesight VS330, VS340, VS341 and VS370: whether somebody is there, at a seat or in a cabin.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, 16 bits little endian::

    03 00 oo   1 occupied                    VS330: 02 82 u   distance, mm
    04 00 ll   light (VS370): left out              03 8E oo  1 occupied, 0 vacant, anything else: unknown

    01 75 64  03 00 00     battery 100 %, vacant

A seat is a spot that is taken or not: the kind is `parking`.
Quirk: of the VS330, 04, 08, 09, 06, 07 and 02 A5 are about learning and calibration: left out.

Sources: as in `drivers.codecs.common.milesight`.
"""

from collections.abc import Iterable

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Output, Part, Table, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import flag, number
from gateway.contract import Codec, Options, field

CHANNELS: Table = {
    **milesight.OF_ALL,
    0x0282: number("distance", 2),
    0x02A5: unread(8),
    0x0300: flag("occupied"),
    0x038E: (1, lambda value: (Part({"occupied": value[0] == 1}),) if value[0] < 2 else ()),
    0x0400: unread(1),
    0x048E: unread(1),
    0x04A8: unread(1),
    0x06A6: unread(4),
    0x07A7: unread(4),
    0x08A8: unread(1),
    0x09A9: unread(4),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "parking")


CODEC = Codec(
    name="milesight_vs340",
    title="Milesight VS330, VS340, VS341, VS370 occupancy sensors",
    fields=(field("occupied"), field("distance"), *milesight.FIELDS),
    decode=decode,
    kinds=("parking",),
)
