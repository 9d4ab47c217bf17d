"""Milesight EM300 (TH, MCS, SLD, ZLD, DI) and EM320-TH: temperature and humidity, some with a contact or a counter.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    03 67 i   temperature, 0.1 C        05 00 cc, 06 00 cc   a contact: door, leak, input
    04 68 hh  humidity, 0.5 %           05 C8 nnnn           EM300-DI: pulses (32 bits)
    85 00 cc aa                         05 E1 (8), 85 E1 (9) EM300-DI: water
    20 CE tttt i hh                     EM320-TH, kept: Unix time, temperature, humidity
    20 CE tttt i hh cc                  EM300, kept: the same, the contact
    20 CE tttt i hh kk cc nnnn          EM300-DI, kept: k 1 input, 2 pulses
    21 CE tttt i hh aa kk cc (8)        EM300-DI, kept: with water

    01 75 5C  03 67 34 01  04 68 65     battery 92 %, 30.8 C, 50.5 %

Quirks: the models share 20 CE with records of different lengths; it is told by where the next one, or the payload,
ends. What a contact means differs from model to model, so it is left out, as water is. The EM300-MLD sends zeros for
the climate that it does not measure: this codec is not for it.

Sources: as in `drivers.codecs.common.milesight`; the decoders of November 2025.
"""

from collections.abc import Iterable
from struct import unpack_from

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Fixed, Output, Part, Said, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import number, record_length
from gateway.contract import Codec, Options, Reject, field

CLIMATE, CONTACT, COUNTER, WATER = 7, 8, 13, 18
"""Bytes of a kept reading."""
PULSES = 2


def _pulses() -> Fixed:
    return 4, lambda value: (Part({"total_count": int.from_bytes(value, "little")}, "traffic"),)


def _history(value: bytes) -> Iterable[Said]:
    if len(value) not in (CLIMATE, CONTACT, COUNTER, WATER):
        yield Reject("unsupported", value, f"kept readings of {len(value)} bytes: no model has such")
        return
    seconds, tenths, half = unpack_from("<IhB", value)
    yield kept(seconds, {"temperature": tenths / 10, "relative_humidity": half / 200})
    if len(value) == COUNTER and value[7] == PULSES:
        yield kept(seconds, {"total_count": int.from_bytes(value[9:], "little")}, "traffic")


CHANNELS: Table = {
    **milesight.OF_ALL,
    0x0367: number("temperature", 2, 10, signed=True),
    0x0468: number("relative_humidity", 1, 200),
    0x0500: unread(1),
    0x05C8: _pulses(),
    0x05E1: unread(8),
    0x0600: unread(1),
    0x20CE: (lambda rest: record_length(rest, (CLIMATE, CONTACT, COUNTER)), _history),
    0x21CE: (lambda rest: record_length(rest, (WATER,), (0x21,)), _history),
    0x8500: unread(2),
    0x85E1: unread(9),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "air_quality")


CODEC = Codec(
    name="milesight_em300",
    title="Milesight EM300 and EM320 temperature and humidity sensors",
    fields=(field("temperature"), field("relative_humidity"), field("total_count"), *milesight.FIELDS),
    decode=decode,
    kinds=("air_quality", "traffic"),
)
