"""Milesight VS373: a person in a room, who may have fallen, seen by radar.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; little endian, u has 16 bits, w 24::

    firmware 1.0.1                            since 1.0.2
    03 F8 dd mm u u    room, see below        07 B0 dd mm w w         room, see below
    04 F9 r r r r      regions, 0 taken       0A B3 nn bbbb           n regions, a bit each, 1 taken
    05 FA u u u u      time out of bed, s     0B B4 w w w, 0C B4 ..   time out of bed, s
                                              08 B1 ss u, 09 B2 (6)   breathing, types of regions
    06 FB u tt ss rr   an alarm: number, t 0 fall, 1 motionless, 2 dwell, 3 out of bed, 4 occupied, 5 vacant,
                       6, 7 breathing slow, fast, 8 lying down; s 1 begins, 2 over, 3 ignored; region
    20 CE tttt u tt ss rr    the same, kept: Unix time

    d  0 present, 1 vacant, 2 in bed, 3 out of bed, 4 fall      m  1 motionless, 2 abnormal, 3 lying down
    u, w of the room: how long it is in use now, and was today, s

    03 F8 04 01 2C 01 10 0E      a fall; motionless; in use for 300 s, 3600 s today

The room is `parking` (occupied), a region has the tag region: 1, 2 ..
Quirks: firmware 1.0.1 says 0 where a region is taken, later firmware 1, under another channel. Breathing, and the
times out of bed, are left out: they are a patient's.

Sources: as in `drivers.codecs.common.milesight`; the decoder of November 2025, whose numbers of alarms differ from
those of its README.
"""

from collections.abc import Iterable

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Fixed, Output, Part, Said, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from gateway.contract import Codec, FieldValue, Options, field

VACANT = 1
ROOM = {2: "in bed", 3: "out of bed", 4: "fall"}
TARGET = {1: "motionless", 2: "abnormal", 3: "lying down"}
ALARMS = (
    *("fall", "motionless", "dwell", "out of bed", "occupied", "vacant"),
    *("slow breathing", "fast breathing", "lying down"),
)
WORDS = {1: "alarm", 2: "alarm over", 3: "alarm ignored"}


def _room(value: bytes) -> Iterable[Part]:
    events = [word for word in (ROOM.get(value[0]), TARGET.get(value[1])) if word]
    fields: dict[str, FieldValue] = {"occupied": value[0] != VACANT}
    if events:
        fields["event"] = ", ".join(events)
    return (Part(fields),)


def _first_regions(value: bytes) -> Iterable[Part]:
    return [
        Part({"occupied": taken == 0}, "parking", {"region": str(number)}) for number, taken in enumerate(value, 1)
    ]


def _regions(value: bytes) -> Iterable[Part]:
    bits = int.from_bytes(value[1:], "little")
    for number in range(min(value[0], 32)):
        yield Part({"occupied": bool(bits >> number & 1)}, "parking", {"region": str(number + 1)})


def _event(value: bytes) -> str:
    what = ALARMS[value[2]] if value[2] < len(ALARMS) else f"type {value[2]}"
    return f"{what} {WORDS.get(value[3], f'alarm state {value[3]}')}"


def _history(value: bytes) -> Iterable[Said]:
    return (kept(int.from_bytes(value[:4], "little"), {"event": _event(value[4:])}),)


_OUT_OF_BED: Fixed = unread(9)

CHANNELS: Table = {
    **milesight.OF_ALL,
    0x03F8: (6, _room),
    0x04F9: (4, _first_regions),
    0x05FA: unread(8),
    0x06FB: (5, lambda value: (Part({"event": _event(value)}),)),
    0x07B0: (8, _room),
    0x08B1: unread(3),
    0x09B2: unread(6),
    0x0AB3: (5, _regions),
    0x0BB4: _OUT_OF_BED,
    0x0CB4: _OUT_OF_BED,
    0x20CE: (9, _history),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "parking")


CODEC = Codec(
    name="milesight_vs373",
    title="Milesight VS373 radar fall detection sensor",
    fields=(field("occupied"), *milesight.FIELDS),
    decode=decode,
    kinds=("parking",),
)
