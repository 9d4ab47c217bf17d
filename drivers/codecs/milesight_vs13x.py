"""Milesight VS132, VS133 and VS135: people counted by time of flight, across lines and in regions.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, 16 bits little endian, U 32 bits::

    03 D2 U   line 1, all who came in         05 CC u u   line 1, in and out since the last message
    04 D2 U   line 1, all who went out        06, 07, 08 are line 2; 09, 0A, 0B line 3; 0C, 0D, 0E line 4
    0F E3 p p p p  people in regions 1 to 4   10 E4 rr u u  region, average and longest stay in s
    11 .. 1E       the same for children, who are in the counts above as well: left out
    50 FC xx nn aa a camera is covered        20 CE tttt cc ..  kept: Unix time, a channel, its value
                                              (10: the average stay alone, 20: the longest alone)

    03 D2 48 00 00 00  04 D2 C8 00 00 00      72 in, 200 out

One measurement a line and direction (tags line, direction) and one a region. The VS132 has line 1 alone.
Totals begin again at 2**32, at a reset and where that is scheduled in the device.

Sources: as in `drivers.codecs.common.milesight`.
"""

from collections.abc import Iterable

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Fixed, Output, Part, Said, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import dotted, in_out, stay, text
from gateway.contract import Codec, Options, Reject, field

LINES = range(4)
LEFT_OUT = range(0x11, 0x1E)
_TYPES = (*(0xD2, 0xD2, 0xCC) * 4, 0xE3)
"""Of the channels from 3 on, and in the same order of those for children."""
STAYS = {0x10: "average_dwell_time", 0x20: "max_dwell_time"}


def _total(line: int, direction: str) -> Fixed:
    tags = {"direction": direction, "line": str(line + 1)}
    return 4, lambda value: (Part({"total_count": int.from_bytes(value, "little")}, "traffic", tags),)


def _regions(value: bytes) -> Iterable[Part]:
    for region, people in enumerate(value, 1):
        yield Part({"people_count": people}, "traffic", {"region": str(region)})


def _covered(value: bytes) -> Iterable[Part]:
    return (Part({"event": "covered" if value[2] == 1 else "covered no more"}),)


BY_CHANNEL: dict[int, Fixed] = {
    **{0x03 + 3 * line: _total(line, "in") for line in LINES},
    **{0x04 + 3 * line: _total(line, "out") for line in LINES},
    **{0x05 + 3 * line: in_out({"line": str(line + 1)}, "intensity") for line in LINES},
    0x0F: (4, _regions),
}


def _kept_length(rest: bytes) -> int:
    channel = rest[4] if len(rest) > 4 else 0
    return 8 if channel in (*STAYS, 0x1E, 0x3C) else 9


def _history(value: bytes) -> Iterable[Said]:
    seconds, channel, rest = int.from_bytes(value[:4], "little"), value[4], value[5:]
    if channel in STAYS:
        stayed = {STAYS[channel]: float(int.from_bytes(rest[1:], "little"))}
        yield kept(seconds, stayed, "traffic", {"region": str(rest[0])})
    elif channel in BY_CHANNEL:
        for part in BY_CHANNEL[channel][1](rest):
            yield kept(seconds, part.fields, part.kind, part.tags) if isinstance(part, Part) else part
    elif channel not in (*LEFT_OUT, 0x1E, 0x3C):
        yield Reject("unsupported", value, f"a kept reading of channel {channel:02X}")


CHANNELS: Table = {
    **milesight.OF_ALL,
    0xFF09: text("hardware_version", 2, dotted),
    **{channel << 8 | _TYPES[channel - 3]: entry for channel, entry in BY_CHANNEL.items()},
    **{channel << 8 | type_: unread(4) for channel, type_ in zip(LEFT_OUT, _TYPES, strict=True)},
    0x10E4: (5, stay),
    0x1EE4: unread(5),
    0x50FC: (3, _covered),
    0x20CE: (_kept_length, _history),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "traffic")


CODEC = Codec(
    name="milesight_vs13x",
    title="Milesight VS132, VS133, VS135 people counters",
    fields=(
        field("total_count"),
        field("intensity"),
        field("people_count", 0, 255),
        field("average_dwell_time"),
        field("max_dwell_time"),
        *milesight.FIELDS,
    ),
    decode=decode,
    kinds=("traffic",),
)
