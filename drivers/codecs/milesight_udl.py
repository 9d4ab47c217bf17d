"""Milesight EM310-UDL, EM400-MUD, -UDL, -TLD and EM500-UDL: distance by ultrasound or time of flight.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    EM310      03 82 u  distance, mm    04 00 pp  1 tilted
    EM400      04 82 u  distance, mm    05 00 pp  1 tilted    03 67 i  temperature, 0.1 C
               84 82 u aa, 83 67 i aa   the same with an alarm
    EM500      03 82 u  distance, mm    83 E9 u u aa          distance, its jump, alarm (1 bound, 2 jump)
               20 CE tttt u             kept: Unix time, distance

    01 75 5C  03 67 01 01  04 82 44 08  05 00 01      battery 92 %, 25.7 C, 2116 mm, tilted

The EM400 over NB-IoT puts a header of 86 bytes, numbers big endian, before the same entries::

    02 ii ii ll ll ff cc cc vv  firmware (4)  hardware (4)  serial number (16)  IMEI (15)  IMSI (15)  ICCID (20)
    qq nn nn ..                 l bytes after it; texts in ASCII; q signal quality, -113 + 2 q dBm; n of entries

Quirks: over NB-IoT several records may follow each other without their times: the last one holds. 06 88 (place) is
left out. Older decoders take the EM500's distance for metres, and divide that of 83 E9 by ten: both are millimetres.

Sources: as in `drivers.codecs.common.milesight`.
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common import milesight
from drivers.codecs.common.distance import DistanceOptions, surface
from drivers.codecs.common.entries import Output, Part, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import flag, number, with_alarm
from gateway.contract import Codec, FieldValue, Measurement, Reject, field

HEADER = 86
ALARMS = {0: "distance alarm over", 1: "distance alarm", 2: "distance jump"}


def _jump(value: bytes) -> Iterable[Part]:
    millimetres, _, alarm = unpack("<HHB", value)
    return (Part({"distance": float(millimetres), "event": ALARMS.get(alarm, f"alarm {alarm}")}),)


def _history(value: bytes) -> Iterable[Part | Reject]:
    seconds, millimetres = unpack("<IH", value)
    return (kept(seconds, {"distance": float(millimetres)}),)


_DISTANCE = number("distance", 2)
_TEMPERATURE = number("temperature", 2, 10, signed=True)

CHANNELS: Table = {
    **milesight.OF_ALL,
    0x0367: _TEMPERATURE,
    0x0382: _DISTANCE,
    0x0400: flag("tilted"),
    0x0482: _DISTANCE,
    0x0500: flag("tilted"),
    0x0688: unread(9),
    0x20CE: (6, _history),
    0x8367: with_alarm(_TEMPERATURE, "temperature"),
    0x8482: with_alarm(_DISTANCE, "distance"),
    0x83E9: (5, _jump),
}


def cellular(payload: bytes) -> tuple[dict[str, FieldValue], bytes] | None:
    """Return the fields of the NB-IoT header, and the entries behind it; None where there is no such header."""
    if len(payload) < HEADER or payload[0] != 2 or int.from_bytes(payload[3:5], "big") != len(payload) - 5:
        return None
    if int.from_bytes(payload[84:86], "big") != len(payload) - HEADER or not payload[9:83].isascii():
        return None
    firmware, hardware, serial = (payload[start:end].decode() for start, end in ((9, 13), (13, 17), (17, 33)))
    said: dict[str, FieldValue] = {
        "firmware_version": firmware,
        "hardware_version": hardware,
        "serial_number": serial,
    }
    if (quality := payload[83]) < 32:
        said["rssi"] = -113.0 + 2 * quality
    return said, payload[HEADER:]


def _with_surface(said: Output, more: dict[str, FieldValue], options: DistanceOptions) -> Output:
    if not isinstance(said, Measurement):
        return said
    distance = said.fields.get("distance")
    near = surface(distance, options) if isinstance(distance, float) else {}
    return said._replace(fields={**more, **said.fields, **near})


def decode(_: int, payload: bytes, options: DistanceOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    header, entries = cellular(payload) or ({}, payload)
    return [_with_surface(said, header, options) for said in decode_entries(entries, CHANNELS, "parking")]


CODEC = Codec(
    name="milesight_udl",
    title="Milesight EM310, EM400 and EM500 distance sensors",
    fields=(
        field("distance", 0, 20_000),
        field("occupied"),
        field("temperature"),
        field("tilted"),
        field("rssi"),
        *milesight.FIELDS,
    ),
    decode=decode,
    options=DistanceOptions,
    kinds=("parking",),
)
