"""Milesight VS350, VS351 and VS360: people who pass, in and out.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    04 CC u u   all who came in, went out     84 CC u u aa   the same, and a bound was passed
    05 CC u u   since the last message        85 CC u u aa   the same
    03 67 i     temperature, 0.1 C            83 67 i aa     1, 3 beyond a bound, 0, 4 that is over
    02 75 pp    VS360: battery of the node    03 F4 ee ss    VS360: 0 counts cannot be right, 1 node does not answer,
                                                             2 beam misaligned; s 1 begins, 0 over
    0A EF tttt  the device's time             81 EE ss       sensitivity
    20 CE tttt 00 u u        kept: Unix time, in and out in that interval
    20 CE tttt 01 u u u u    the same, then all who came in, went out

    04 CC 12 00 16 00  05 CC 13 00 14 00      18 in and 22 out in all, 19 in and 20 out since the last message

One measurement a direction (tag direction). Totals have 16 bits and begin again. The VS360's second half has the tag
unit: node.
Quirk: a count that it kept while there was no network has the end of its interval as time, and is stored with it.

Sources: as in `drivers.codecs.common.milesight`.
"""

from collections.abc import Iterable
from struct import unpack_from

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Output, Part, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import in_out, number, with_alarm
from gateway.contract import Codec, FieldValue, Options, Reject, field

TROUBLES = {0: "counting anomaly", 1: "node does not answer", 2: "beam misaligned"}


def _kept_length(rest: bytes) -> int:
    return 13 if len(rest) > 4 and rest[4] == 1 else 9


def _history(value: bytes) -> Iterable[Part | Reject]:
    seconds = int.from_bytes(value[:4], "little")
    if value[4] > 1:
        yield Reject("unsupported", value, f"a kept reading of type {value[4]:02X}")
        return
    for at, direction in ((5, "in"), (7, "out")):
        fields: dict[str, FieldValue] = {"intensity": unpack_from("<H", value, at)[0]}
        if value[4] == 1:
            fields["total_count"] = unpack_from("<H", value, at + 4)[0]
        yield kept(seconds, fields, "traffic", {"direction": direction})


def _trouble(value: bytes) -> Iterable[Part]:
    what = TROUBLES.get(value[0], f"trouble {value[0]}")
    return (Part({"event": what if value[1] else f"{what} over"}),)


_TEMPERATURE = number("temperature", 2, 10, signed=True)

CHANNELS: Table = {
    **milesight.OF_ALL,
    0x0275: (1, lambda value: (Part({"battery_level": value[0] / 100}, "traffic", {"unit": "node"}),)),
    0x0367: _TEMPERATURE,
    0x03F4: (2, _trouble),
    0x04CC: in_out({}, "total_count"),
    0x05CC: in_out({}, "intensity"),
    0x0AEF: unread(4),
    0x20CE: (_kept_length, _history),
    0x81EE: unread(1),
    0x8367: with_alarm(_TEMPERATURE, "temperature"),
    0x84CC: with_alarm(in_out({}, "total_count"), "total"),
    0x85CC: with_alarm(in_out({}, "intensity"), "count"),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "traffic")


CODEC = Codec(
    name="milesight_vs350",
    title="Milesight VS350, VS351, VS360 passage people counters",
    fields=(field("total_count"), field("intensity"), field("temperature"), *milesight.FIELDS),
    decode=decode,
    kinds=("traffic",),
)
