"""Milesight AM100 and AM300 ambience monitors: air in rooms and halls.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    03 67 i   temperature, 0.1 C          07 7D u   CO2, ppm                  0B 7D u   PM2.5, ug/m3
    04 68 hh  humidity, 0.5 %             08 7D u   tVOC, see below           0C 7D u   PM10, ug/m3
    05 6A u   movements (AM100)           08 E6 u   tVOC, ug/m3               0D 7D u   ozone, 0.01 ppm
    05 00 mm  movement, 0 or 1            09 73 u   pressure, 0.1 hPa         0E 01 bb  buzzer
    06 65 uuu lux and two infrared        0A 7D u   formaldehyde, 0.01 mg/m3  06 CB ll  light in steps, 0 to 5
    20 CE tttt i u m l u u u [u u [u]]    kept: Unix time, temperature, humidity 0.5 %, movement, light, CO2, tVOC,
                                          pressure, AM308 and AM319 PM2.5, PM10, AM319 ozone or formaldehyde
    21 CE ..                              the same with tVOC in ug/m3

    03 67 EE 00  04 68 7C  07 7D A8 03    23.8 C, 62 %, 936 ppm

Quirks: 08 7D is the raw value (ppb in the AM100 guides) in older firmware and a hundredth of an index in newer, and
nothing in the payload tells which: the option says it. All models share 20 CE with records of different lengths: the
option ``model`` says which one it is; without it kept readings are not read. Ozone is turned into ug/m3.

Sources: as in `drivers.codecs.common.milesight`; AM102, AM103, AM104, AM107, AM307, AM308, AM319.
"""

from collections.abc import Iterable
from functools import cache
from struct import unpack_from
from typing import Literal

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Entry, Output, Part, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import number, whole
from drivers.common.gases import micrograms
from gateway.contract import Codec, FieldValue, Options, Reject, field

LENGTHS = {"am307": 16, "am308": 20, "am319_o3": 22, "am319_hcho": 22}
"""Bytes of a kept reading."""


class AmOptions(Options):
    """What the payload does not tell.

    ``tvoc``   what channel 08 7D holds: "ppb" in older firmware, "index" in newer
    ``model``  whose kept readings these are; left out, they are not read
    """

    tvoc: Literal["ppb", "index"] = "ppb"
    model: Literal["am307", "am308", "am319_o3", "am319_hcho"] | None = None


def _history(model: str, tvoc: str, divisor: float) -> Entry:
    def read(value: bytes) -> Iterable[Part | Reject]:
        seconds, tenths, half, moved, light, co2, voc, pressure = unpack_from("<IhHBBHHH", value)
        fields: dict[str, FieldValue] = {
            "temperature": tenths / 10,
            "relative_humidity": half / 200,
            "motion": moved,
            "light_level": light,
            "co2": float(co2),
            tvoc: voc / divisor,
            "atmospheric_pressure": pressure / 10,
        }
        if model != "am307":
            fine, coarse = unpack_from("<HH", value, 16)
            fields |= {"pm25": float(fine), "pm10": float(coarse)}
        if model == "am319_o3":
            fields["o3"] = micrograms("o3", int.from_bytes(value[20:], "little") * 10)
        if model == "am319_hcho":
            fields["ch2o"] = int.from_bytes(value[20:], "little") * 10.0
        return (kept(seconds, fields),)

    return LENGTHS[model], read


@cache
def channels(options: AmOptions) -> Table:
    """Return the entries of a device with these options."""
    tvoc, divisor = ("tvoc", 1.0) if options.tvoc == "ppb" else ("tvoc_index", 100.0)
    table: dict[int, Entry] = {
        **milesight.OF_ALL,
        0x0367: number("temperature", 2, 10, signed=True),
        0x0468: number("relative_humidity", 1, 200),
        0x0500: whole("motion", 1),
        0x056A: whole("motion", 2),
        0x0665: (6, lambda value: (Part({"illuminance": float(int.from_bytes(value[:2], "little"))}),)),
        0x06CB: whole("light_level", 1),
        0x077D: number("co2", 2),
        0x087D: number(tvoc, 2, divisor),
        0x08E6: number("tvoc_mass", 2),
        0x0973: number("atmospheric_pressure", 2, 10),
        0x0A7D: number("ch2o", 2, 0.1),
        0x0B7D: number("pm25", 2),
        0x0C7D: number("pm10", 2),
        0x0D7D: (2, lambda value: (Part({"o3": micrograms("o3", int.from_bytes(value, "little") * 10)}),)),
        0x0E01: unread(1),
    }
    if options.model is not None:
        table[0x20CE] = _history(options.model, tvoc, divisor)
        table[0x21CE] = _history(options.model, "tvoc_mass", 1.0)
    return table


def decode(_: int, payload: bytes, options: AmOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    return decode_entries(payload, channels(options), "air_quality")


_SAID = (
    *("temperature", "relative_humidity", "motion", "illuminance", "light_level", "co2", "tvoc", "tvoc_index"),
    *("tvoc_mass", "atmospheric_pressure", "ch2o", "pm25", "pm10", "o3"),
)

CODEC = Codec(
    name="milesight_am",
    title="Milesight AM100 and AM300 ambience monitors",
    fields=(*map(field, _SAID), *milesight.FIELDS),
    decode=decode,
    options=AmOptions,
    kinds=("air_quality",),
)
