"""Milesight VS121: a camera that counts people at desks and doors, and sends no picture.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, 16 bits little endian::

    04 C9 pp nn bb bb     people present, number of regions, a bit for each occupied region, BIG endian
    05 CC u u             came in and went out since the last message      0D CC u u   the same since ever
    06 CD pp              most people present since the last message
    07 D5, 08 D5 p (8)    people in each of the regions 1 to 8, 9 to 16
    09 DA .. 0C DA u (4)  ways from A, B, C, D to A, B, C, D
    0E E4 rr u u          region, average and longest stay in s
    10 F7 u u             across the line in and out                       0F 85 tttt  the device's time

    04 C9 03 08 00 A1     three people; of eight regions 1, 6 and 8 are occupied

A region is a seat, so its state is `parking`; everything else is `traffic`, with tags region, direction or line.
Quirks: the bitmap alone is big endian. The serial number (FF 08) has six bytes, in newer firmware eight.

Sources: as in `drivers.codecs.common.milesight`.
"""

from collections.abc import Iterable
from functools import partial
from struct import unpack

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Output, Part, Table, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import dotted, in_out, text
from gateway.contract import Codec, Options, field


def _present(value: bytes) -> Iterable[Part]:
    people, regions, occupied = unpack(">BBH", value)
    yield Part({"people_count": people})
    for region in range(min(regions, 16)):
        yield Part({"occupied": bool(occupied >> region & 1)}, "parking", {"region": str(region + 1)})


def _regions(first: int, value: bytes) -> Iterable[Part]:
    for region, people in enumerate(value, first):
        yield Part({"people_count": people}, "traffic", {"region": str(region)})


def _ways(origin: str, value: bytes) -> Iterable[Part]:
    for target, people in zip("abcd", unpack("<4H", value), strict=True):
        yield Part({"intensity": people}, "traffic", {"direction": f"{origin}_to_{target}"})


def _serial_length(rest: bytes) -> int:
    """Return eight where that ends with the payload or before the next entry of this kind, FF; six otherwise."""
    return 8 if len(rest) == 8 or (len(rest) > 8 and rest[8] == 0xFF and rest[6] != 0xFF) else 6


CHANNELS: Table = {
    **milesight.OF_ALL,
    0xFF08: (_serial_length, lambda value: (Part({"serial_number": value.hex()}),)),
    0xFF09: text("hardware_version", 2, dotted),
    0x04C9: (4, _present),
    0x05CC: in_out({}, "intensity"),
    0x06CD: (1, lambda value: (Part({"people_count_max": value[0]}),)),
    0x07D5: (8, partial(_regions, 1)),
    0x08D5: (8, partial(_regions, 9)),
    0x09DA: (8, partial(_ways, "a")),
    0x0ADA: (8, partial(_ways, "b")),
    0x0BDA: (8, partial(_ways, "c")),
    0x0CDA: (8, partial(_ways, "d")),
    0x0DCC: in_out({}, "total_count"),
    0x0EE4: (5, milesight.stay),
    0x0F85: unread(4),
    0x10F7: in_out({"line": "1"}, "intensity"),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "traffic")


CODEC = Codec(
    name="milesight_vs121",
    title="Milesight VS121 occupancy sensor",
    fields=(
        field("people_count", 0, 255),
        field("people_count_max", 0, 255),
        field("occupied"),
        field("intensity"),
        field("total_count"),
        field("average_dwell_time"),
        field("max_dwell_time"),
        *milesight.FIELDS,
    ),
    decode=decode,
    kinds=("traffic", "parking"),
)
