"""Milesight AM100 and AM300 ambience monitors: air in rooms and halls.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    03 67 i   temperature, 0.1 C          07 7D u   CO2, ppm                  0B 7D u   PM2.5, ug/m3
    04 68 hh  humidity, 0.5 %             08 7D u   tVOC, see below           0C 7D u   PM10, ug/m3
    05 6A u   movements (AM100)           08 E6 u   tVOC, ug/m3               0D 7D u   ozone, 0.01 ppm
    05 00 mm  movement, 0 or 1            09 73 u   pressure, 0.1 hPa         0E 01 bb  buzzer
    06 65 uuu lux and two infrared        0A 7D u   formaldehyde, 0.01 mg/m3  06 CB ll  light in steps, 0 to 5
    20 CE tttt i hh [u]                   kept: Unix time, temperature, humidity, AM103 CO2 (AM102: none)
    20 CE tttt i hh mm ll u u u [u u [u]] the same, movement, light, CO2, tVOC, pressure, AM308 and AM319 PM2.5,
    21 CE ..                              PM10, AM319 ozone or formaldehyde; 21 CE with tVOC in ug/m3

The AM304L and AM305L (2025) have besides::

    05 9F u   movements, bit 15 now       06 9D u   lux       83 67, 87 7D .. aa    with an alarm: odd, over: even
    B3 67, B4 68, B6, B7 7D ff  why there is no value         86 9D u aa            16 dim, 17 bright
    20 CE tttt s i s hh s u s u [s u]     kept, s before each 1 where it is valid: .., movements (bit 6 of s), light,
    21 CE ..                              AM305L CO2; 21 CE with lux for the light in steps

    03 67 EE 00  04 68 7C  07 7D A8 03    23.8 C, 62 %, 936 ppm

Quirks: 08 7D is the raw value (ppb in the AM100 guides) in older firmware and a hundredth of an index in newer, and
nothing in the payload tells which: the option says it. The models share 20 CE with records of different lengths; it
is told by where the next one, or the payload, ends. Ozone and formaldehyde have the same place: see the option
``model``. The AM104 and AM107 keep nothing. Ozone is turned into ug/m3.

Sources: as in `drivers.codecs.common.milesight`; AM102, AM103, AM104, AM107, AM307, AM308, AM319; the AM304L's and
AM305L's decoders of February 2026.
"""

from collections.abc import Iterable
from functools import cache, partial
from struct import unpack_from
from typing import Literal

from drivers.codecs.common import milesight
from drivers.codecs.common.entries import Entry, Fixed, Output, Part, Said, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import number, record_length, whole
from drivers.common.gases import micrograms
from gateway.contract import Codec, FieldValue, Options, Reject, Remark, field

LENGTHS = {
    "am102": 7,
    "am103": 9,
    "am304l": 15,
    "am307": 16,
    "am305l": 18,
    "am308": 20,
    "am319_o3": 22,
    "am319_hcho": 22,
}
"""Bytes of a kept reading."""

VALID, UNMEASURED = 1, 0
"""What stands before a value that the AM304L or AM305L kept; other numbers are failures."""


class AmOptions(Options):
    """What the payload does not tell.

    ``tvoc``   what channel 08 7D holds: "ppb" in older firmware, "index" in newer
    ``model``  whose kept readings these are; left out, their length tells, except that nothing tells the AM319 with
               ozone from that with formaldehyde, and this gas is left out
    """

    tvoc: Literal["ppb", "index"] = "ppb"
    model: Literal["am102", "am103", "am304l", "am305l", "am307", "am308", "am319_o3", "am319_hcho"] | None = None


def _length(model: str | None, rest: bytes) -> int:
    return LENGTHS[model] if model is not None else record_length(rest, LENGTHS.values(), (0x20, 0x21))


def _am300(value: bytes, model: str | None, tvoc: str, divisor: float) -> Iterable[Said]:
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
    if len(value) > LENGTHS["am307"]:
        fine, coarse = unpack_from("<HH", value, 16)
        fields |= {"pm25": float(fine), "pm10": float(coarse)}
    gas = int.from_bytes(value[20:], "little")
    if model == "am319_o3":
        fields["o3"] = micrograms("o3", gas * 10)
    elif model == "am319_hcho":
        fields["ch2o"] = gas * 10.0
    elif len(value) == LENGTHS["am319_o3"]:
        yield Remark("left out", "ozone or formaldehyde: the option model says which", str(gas))
    yield kept(seconds, fields)


def _am300l(value: bytes, light: str) -> Iterable[Said]:
    seconds, ok_t, tenths, ok_h, half, moved, moves, ok_l, lit, *co2 = unpack_from(
        "<IBhBBBHBHBH" if len(value) == LENGTHS["am305l"] else "<IBhBBBHBH", value
    )
    measured: list[tuple[int, str, FieldValue]] = [
        (ok_t, "temperature", tenths / 10),
        (ok_h, "relative_humidity", half / 200),
        (moved >> 6 & 1, "motion", moves),
        (ok_l, light, float(lit) if light == "illuminance" else lit),
    ]
    if co2:
        measured.append((co2[0], "co2", float(co2[1])))
    yield kept(seconds, {name: value for state, name, value in measured if state == VALID})
    for state, name, _ in measured:
        if state not in (VALID, UNMEASURED):
            yield Remark("left out", f"{name} of a kept reading", f"the device calls it {state}")


def _history(model: str | None, tvoc: str, divisor: float, light: str) -> Entry:
    def read(value: bytes) -> Iterable[Said]:
        if len(value) in (LENGTHS["am304l"], LENGTHS["am305l"]):
            return _am300l(value, light)
        if len(value) >= LENGTHS["am307"] and len(value) in LENGTHS.values():
            return _am300(value, model, tvoc, divisor)
        if len(value) not in LENGTHS.values():
            return (Reject("unsupported", value, f"kept readings of {len(value)} bytes: no model has such"),)
        seconds, tenths, half = unpack_from("<IhB", value)
        fields: dict[str, FieldValue] = {"temperature": tenths / 10, "relative_humidity": half / 200}
        if len(value) == LENGTHS["am103"]:
            fields["co2"] = float(unpack_from("<H", value, 7)[0])
        return (kept(seconds, fields),)

    return partial(_length, model), read


def _alarm(entry: Fixed, what: str) -> Fixed:
    size, read = entry
    return size + 1, lambda value: (
        *read(value[:size]),
        Part({"event": f"{what} alarm" if value[size] & 1 else f"{what} alarm over"}),
    )


def _dim(value: bytes) -> Iterable[Part]:
    word = {16: "dim", 17: "bright"}.get(value[2], f"light alarm {value[2]}")
    return (Part({"illuminance": float(int.from_bytes(value[:2], "little")), "event": word}),)


def _failure(what: str) -> Fixed:
    return 1, lambda value: (Part({"event": f"{what} out of range" if value[0] == 1 else f"{what} sensor failure"}),)


_TEMPERATURE = number("temperature", 2, 10, signed=True)
_CO2 = number("co2", 2)


@cache
def channels(options: AmOptions) -> Table:
    """Return the entries of a device with these options."""
    tvoc, divisor = ("tvoc", 1.0) if options.tvoc == "ppb" else ("tvoc_index", 100.0)
    return {
        **milesight.OF_ALL,
        0x0367: _TEMPERATURE,
        0x0468: number("relative_humidity", 1, 200),
        0x0500: whole("motion", 1),
        0x056A: whole("motion", 2),
        0x059F: (2, lambda value: (Part({"motion": int.from_bytes(value, "little") & 0x7FFF}),)),
        0x0665: (6, lambda value: (Part({"illuminance": float(int.from_bytes(value[:2], "little"))}),)),
        0x069D: number("illuminance", 2),
        0x06CB: whole("light_level", 1),
        0x077D: _CO2,
        0x087D: number(tvoc, 2, divisor),
        0x08E6: number("tvoc_mass", 2),
        0x0973: number("atmospheric_pressure", 2, 10),
        0x0A7D: number("ch2o", 2, 0.1),
        0x0B7D: number("pm25", 2),
        0x0C7D: number("pm10", 2),
        0x0D7D: (2, lambda value: (Part({"o3": micrograms("o3", int.from_bytes(value, "little") * 10)}),)),
        0x0E01: unread(1),
        0x20CE: _history(options.model, tvoc, divisor, "light_level"),
        0x21CE: _history(options.model, "tvoc_mass", 1.0, "illuminance"),
        0x8367: _alarm(_TEMPERATURE, "temperature"),
        0x869D: (3, _dim),
        0x877D: _alarm(_CO2, "CO2"),
        0xB367: _failure("temperature"),
        0xB468: _failure("humidity"),
        0xB69D: _failure("light"),
        0xB6CB: _failure("light"),
        0xB77D: _failure("CO2"),
    }


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
