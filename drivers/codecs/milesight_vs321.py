"""Milesight VS321: people in a room and in up to ten regions, seen by a camera that sends no picture.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    05 FD u     people present                 03 67 i   temperature, 0.1 C      83 67 i aa   1 a bound was passed,
    06 FE u u   regions in use, and taken,     04 68 hh  humidity, 0.5 %         84 68 hh aa  0 that is over
                a bit each, region 1 first     07 FF ll  0 dim, 1 bright         0A EF tttt   the device's time
    08 F4 .. ss 1 the detection cannot see
    20 CE tttt 00 u        kept: Unix time, people
    20 CE tttt 01 u u      kept: Unix time, regions in use, and taken

    05 FD 03 00  06 FE 03 00 02 00      3 people; of the regions 1 and 2 the second is taken

People are `traffic`, regions `parking` (tag region: 1 to 10), the climate `air_quality`.
Quirks: FFFF for the temperature (it would be -0.1 C) and FF for the humidity say that the sensor could not be read.
A region that is not in use says nothing. Where the detection cannot see (too dark), what it counted is not given.

Sources: as in `drivers.codecs.common.milesight`; the decoder of November 2025.
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Fixed, Output, Part, Said, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import with_alarm
from gateway.contract import Codec, Measurement, Options, Reject, field

REGIONS = range(10)
BLIND = "detection unavailable"
COUNTED = ("people_count", "occupied")
PEOPLE, TAKEN = 0, 1
"""What a kept reading holds."""


def _climate(name: str, size: int, divisor: float, *, signed: bool = False) -> Fixed:
    def read(value: bytes) -> Iterable[Part]:
        if value == b"\xff" * size:
            return (Part({"event": f"{name.removeprefix('relative_')} sensor failure"}, "air_quality"),)
        return (Part({name: int.from_bytes(value, "little", signed=signed) / divisor}, "air_quality"),)

    return size, read


def _regions(value: bytes) -> Iterable[Part]:
    used, taken = unpack("<HH", value)
    for number in REGIONS:
        if used >> number & 1:
            yield Part({"occupied": bool(taken >> number & 1)}, "parking", {"region": str(number + 1)})


def _people(value: bytes) -> Iterable[Part]:
    return (Part({"people_count": int.from_bytes(value, "little")}),)


def _kept_length(rest: bytes) -> int:
    return 9 if len(rest) > 4 and rest[4] == TAKEN else 7


def _history(value: bytes) -> Iterable[Said]:
    seconds, what = int.from_bytes(value[:4], "little"), value[4]
    if what not in (PEOPLE, TAKEN):
        yield Reject("unsupported", value, f"a kept reading of type {what:02X}")
        return
    for part in (_people if what == PEOPLE else _regions)(value[5:]):
        yield kept(seconds, part.fields, part.kind, part.tags)


_TEMPERATURE = _climate("temperature", 2, 10, signed=True)
_HUMIDITY = _climate("relative_humidity", 1, 200)

CHANNELS: Table = {
    **milesight.OF_ALL,
    0x0367: _TEMPERATURE,
    0x0468: _HUMIDITY,
    0x05FD: (2, _people),
    0x06FE: (4, _regions),
    0x07FF: (1, lambda value: (Part({"light_level": value[0]}, "air_quality"),)),
    0x08F4: (2, lambda value: (Part({"event": BLIND} if value[1] else {}),)),
    0x0AEF: unread(4),
    0x20CE: (_kept_length, _history),
    0x8367: with_alarm(_TEMPERATURE, "temperature"),
    0x8468: with_alarm(_HUMIDITY, "humidity"),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    said = decode_entries(payload, CHANNELS, "traffic")
    blind = any(isinstance(one, Measurement) and BLIND in str(one.fields.get("event", "")) for one in said)
    for one in said:
        if not blind or not isinstance(one, Measurement) or one.time is not None:
            yield one
        elif fields := {name: value for name, value in one.fields.items() if name not in COUNTED}:
            yield one._replace(fields=fields)


CODEC = Codec(
    name="milesight_vs321",
    title="Milesight VS321 occupancy sensor",
    fields=(
        field("people_count"),
        field("occupied"),
        field("temperature"),
        field("relative_humidity"),
        field("light_level", 0, 1),
        *milesight.FIELDS,
    ),
    decode=decode,
    kinds=("traffic", "parking", "air_quality"),
)
