"""Milesight EM500-CO2: carbon dioxide outdoors.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    03 67 i   temperature, 0.1 C        05 7D u   CO2, ppm
    04 68 hh  humidity, 0.5 %           06 73 u   pressure, 0.1 hPa
    83 D7 i i aa            temperature, its jump, alarm: 0 beyond a bound, 1 that is over, 2 a jump
    20 CE tttt u u i hh     kept: Unix time, CO2, pressure, temperature, humidity

    01 75 64  03 67 19 01  04 68 73  05 7D 67 04  06 73 68 27     100 %, 28.1 C, 57.5 %, 1127 ppm, 1008.8 hPa

Quirk: a reading that it kept while there was no network has the time at which it was taken, and is stored with it.

Sources: as in `drivers.codecs.common.milesight`.
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Output, Part, Table, kept
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import number
from gateway.contract import Codec, Options, Reject, field

ALARMS = {0: "temperature alarm", 1: "temperature alarm over", 2: "temperature jump"}


def _alarm(value: bytes) -> Iterable[Part]:
    tenths, _, alarm = unpack("<hhB", value)
    return (Part({"temperature": tenths / 10, "event": ALARMS.get(alarm, f"alarm {alarm}")}),)


def _history(value: bytes) -> Iterable[Part | Reject]:
    seconds, co2, pressure, tenths, half = unpack("<IHHhB", value)
    fields = {
        "co2": float(co2),
        "atmospheric_pressure": pressure / 10,
        "temperature": tenths / 10,
        "relative_humidity": half / 200,
    }
    return (kept(seconds, fields),)


CHANNELS: Table = {
    **milesight.OF_ALL,
    0x0367: number("temperature", 2, 10, signed=True),
    0x0468: number("relative_humidity", 1, 200),
    0x057D: number("co2", 2),
    0x0673: number("atmospheric_pressure", 2, 10),
    0x83D7: (5, _alarm),
    0x20CE: (11, _history),
}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, CHANNELS, "air_quality")


CODEC = Codec(
    name="milesight_em500_co2",
    title="Milesight EM500-CO2 carbon dioxide sensor",
    fields=(
        field("co2", 250, 5000),
        field("temperature"),
        field("relative_humidity"),
        field("atmospheric_pressure"),
        *milesight.FIELDS,
    ),
    decode=decode,
    kinds=("air_quality",),
)
