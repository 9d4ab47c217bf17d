"""What a network server's own codec made of a payload, read by its names where no codec is configured here.

Every device's codec names things in its own way. A name of the vocabulary is taken in the vocabulary's unit; a common
other name is taken where it can mean one thing only, or where the value tells which of its units it is in: the ranges
of a pressure in Pa, hPa and kPa do not meet, and 55 is no fraction. Whatever else is there is named by a remark, so
that nobody has to guess what became of it: a ``light`` may be in lux or in steps, a ``battery`` of 3 in volts or per
cent. A unit that stands with a value (``"55 %"``, ``{"value": 70.7, "unit": "F"}``) is converted by the one table.

Cayenne LPP as the servers decode it has channels: ``temperature_3`` of The Things Stack, ``temperatureSensor`` with
``{"3": 27.2}`` of ChirpStack. The first channel of a name gives the field, and a further one a reading of its own
with the tag channel, as `drivers.codecs.cayenne_lpp` has it.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from gateway.contract import VOCABULARY, FieldValue, Measurement, Quality, Reject, Remark
from gateway.units import conversion

MOST_NAMED = 16
"""Names of one object that are remarked on: there may be hundreds."""
KINDS = ("parking", "air_quality", "traffic")

Reader = Callable[[object], FieldValue | None]


class Meaning(NamedTuple):
    """The field that a name stands for, and what reads its value: None where it has no sense."""

    field: str
    read: Reader


def _number(value: object) -> float | None:
    """Return a finite number, which may be written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (len(value) > 32 or "_" in value):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _of_unit(unit: str, to: str) -> Reader:
    found = conversion(unit, to)
    assert found is not None
    return _scaled(found.factor, found.offset)


def _scaled(scale: float = 1.0, offset: float = 0.0) -> Reader:
    def read(value: object) -> FieldValue | None:
        found = _number(value)
        return None if found is None else round(found * scale + offset, 9)

    return read


def _whole(value: object) -> FieldValue | None:
    found = _number(value)
    return int(found) if found is not None and found.is_integer() and abs(found) < 2**53 else None


def _share(value: object) -> FieldValue | None:
    """Return a fraction, which may be written in per cent; 1 and less can be either."""
    found = _number(value)
    if found is None or not 0 <= found <= 100 or 0 < found <= 1:
        return None
    return round(found / 100, 9)


def _fraction(value: object) -> FieldValue | None:
    """Return a fraction under the vocabulary's own name; more than 1 is per cent."""
    found = _number(value)
    return None if found is None else found if found <= 1 else round(found / 100, 9)


PRESSURES = ((50_000, 110_000, 0.01), (500, 1100, 1.0), (50, 110, 10.0))
"""The pressures of any place on earth in Pa, hPa and kPa, and what makes them hPa."""


def _pressure(value: object) -> FieldValue | None:
    found = _number(value)
    scale = next((scale for low, high, scale in PRESSURES if found is not None and low <= found <= high), None)
    return None if found is None or scale is None else round(found * scale, 9)


def _volts(value: object) -> FieldValue | None:
    """Return volts, which may be written in millivolts: no battery here has 100 V, and none as little as 0.1 V."""
    found = _number(value)
    if found is None or not 0.1 <= found <= 60_000:
        return None
    return found if found < 100 else round(found / 1000, 9)


TRUE = frozenset({"occupied", "taken", "busy", "true", "yes", "on", "1"})
FALSE = frozenset({"free", "vacant", "unoccupied", "empty", "available", "false", "no", "off", "0"})


def _yes(value: object) -> FieldValue | None:
    if isinstance(value, bool):
        return value
    word = str(int(value)) if isinstance(value, int | float) and value in (0, 1) else value
    if isinstance(word, str):
        return True if word.lower() in TRUE else False if word.lower() in FALSE else None
    return None


def _text(value: object) -> FieldValue | None:
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) and 0 < len(text) <= 256 and text.isprintable() else None


_OWN: Mapping[str, Reader] = {"float": _scaled(), "int": _whole, "bool": _yes, "str": _text}
_FRACTIONS = {"relative_humidity": _fraction, "battery_level": _fraction, "device_humidity": _fraction}
OWN = {
    name: Meaning(name, _FRACTIONS.get(name, _OWN[field.type]))
    for name, field in VOCABULARY.items()
    if set(field.kinds) & set(KINDS)
}
_COMMON: tuple[tuple[str, Reader, str], ...] = (
    ("temperature", _scaled(), "temp tempc temperaturec airtemp airtemperature ambienttemperature tempcsht"),
    ("temperature", _of_unit("degF", "degC"), "tempf temperaturef"),
    ("relative_humidity", _share, "humidity hum rh relativehumidity airhumidity humsht humiditypercent"),
    ("atmospheric_pressure", _pressure, "pressure barometricpressure airpressure barometer atmosphericpressure"),
    ("co2", _scaled(), "co2ppm co2concentration carbondioxide"),
    ("co2_equivalent", _scaled(), "eco2 co2eq"),
    ("tvoc", _scaled(), "tvocppb"),
    ("pm1", _scaled(), "pm1p0"),
    ("pm25", _scaled(), "pm25 pm2p5"),
    ("pm4", _scaled(), "pm4p0"),
    ("pm10", _scaled(), "pm10p0"),
    ("illuminance", _scaled(), "lux illumination lightintensity lightlux"),
    ("wind_speed", _scaled(), "windspeed"),
    ("wind_direction", _scaled(), "winddirection winddir"),
    ("occupied", _yes, "isoccupied parkingoccupied parkingstatus baystatus"),
    ("distance", _scaled(), "distancemm"),
    ("distance", _scaled(10), "distancecm"),
    ("distance", _scaled(1000), "distancem"),
    ("battery_voltage", _volts, "batteryvoltage batteryv batterymv batv batmv vbat vbatt vdd bat"),
    ("battery_level", _share, "batterylevel batterypercent batterypercentage batterypct batlevel"),
    ("battery_low", _yes, "lowbattery batterylow"),
    ("device_temperature", _scaled(), "devicetemperature internaltemperature cputemperature mcutemperature"),
)
COMMON = {name: Meaning(field, read) for field, read, names in _COMMON for name in names.split()}
"""Names without capitals and all but letters and digits -> what they mean."""
OF_CHANNELS = {
    "temperatureSensor": "temperature",
    "humiditySensor": "humidity",
    "barometer": "pressure",
    "illuminanceSensor": "lux",
    "presenceSensor": "isOccupied",
    "temperature": "temperature",
    "relative_humidity": "humidity",
    "barometric_pressure": "pressure",
    "luminosity": "lux",
    "presence": "isOccupied",
}
"""What either server calls an entry of Cayenne LPP -> a name of ours; humidity is in per cent in both."""
_CHANNEL = re.compile(r"([a-z_]+)_([0-9]{1,3})")
_WITH_UNIT = re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)\s*([^\s\d.,+-]\S{0,7})")
_UNIT_KEYS = ("unit", "units")
_SIZE = re.compile(r"pm_?([0-9]+)[._]([0-9])")
"""``pm1_0`` and ``pm2.5``: without their point they would be other sizes."""


class Said(NamedTuple):
    """One value of an object: its name, the channel that it is of, "" where there are none, and its unit."""

    name: str
    value: object
    channel: str = ""
    unit: str = ""
    called: str = ""
    """What the server calls it."""
    whole: object = None
    """What was taken apart into value and unit."""


def _said(decoded: Mapping[str, Any]) -> Iterator[Said]:
    """Return the values of an object, with what stands with each taken apart."""
    for name, value in decoded.items():
        ours = OF_CHANNELS.get(name)
        if ours is not None and type(value) is dict and value and all(key.isdecimal() for key in value):
            for channel in sorted(value, key=int):
                yield _cut_up(Said(ours, value[channel], channel, called=f"{name}.{channel}"))
        elif (parts := _CHANNEL.fullmatch(name)) and parts[1] in OF_CHANNELS and name not in OWN:
            yield _cut_up(Said(OF_CHANNELS[parts[1]], value, parts[2], called=name))
        else:
            yield _cut_up(Said(name, value, called=name))


def _cut_up(said: Said) -> Said:
    """Return the value without the unit that stands with it."""
    value = said.value
    if type(value) is dict and "value" in value:
        unit = next((value[key] for key in _UNIT_KEYS if isinstance(value.get(key), str)), "")
        return said._replace(value=value["value"], unit=unit, whole=value["value"])
    if isinstance(value, str) and (parts := _WITH_UNIT.fullmatch(value.strip())):
        return said._replace(value=parts[1], unit=parts[2], whole=value)
    return said


def _converted(said: Said, meaning: Meaning) -> FieldValue | None:
    """Return a value in the unit of its field; None where it makes no sense there."""
    field = VOCABULARY[meaning.field]
    if not said.unit:
        return meaning.read(said.value)
    if field.type in ("str", "bool") or field.unit is None:
        return meaning.read(said.whole)
    number, convert = _number(said.value), conversion(said.unit, field.unit)
    return None if number is None or convert is None else _OWN[field.type](convert(number))


def _battery(value: object, unit: str) -> Meaning | None:
    """Tell what a bare ``battery`` is: per cent, volts or millivolts; None where it may be two of them."""
    if unit:
        named = (COMMON["batteryvoltage"], COMMON["batterylevel"])
        return next((one for one in named if conversion(unit, VOCABULARY[one.field].unit or "")), None)
    found = _number(value)
    if found is None:
        return None
    if 5 < found <= 100 or found == 0:
        return COMMON["batterylevel"]
    return COMMON["batteryvoltage"] if 1500 <= found <= 20_000 or (1.5 < found < 5 and found % 1) else None


def _meaning(name: str, value: object, unit: str) -> Meaning | None:
    if name == "occupancy" and isinstance(value, bool | str):
        return Meaning("occupied", _yes)  # as a number it is the share of time for which a road is covered
    if (own := OWN.get(name)) is not None:
        return own
    plain = name.lower()
    if (size := _SIZE.fullmatch(plain)) is not None:
        plain = f"pm{size[1]}" if size[2] == "0" else f"pm{size[1]}{size[2]}"
        return OWN.get(plain)
    plain = re.sub(r"[^a-z0-9]", "", plain)
    if plain in ("battery", "batt"):
        return _battery(value, unit)
    own = OWN.get(plain) if len(plain) > 2 else None  # "No" is a number of something, and no nitric oxide
    return own or COMMON.get(plain)


class Read(NamedTuple):
    """What was read of an object: its fields, those of further channels, and what is to be told."""

    known: dict[str, FieldValue]
    further: dict[str, dict[str, FieldValue]]
    remarks: list[Remark]


def _read(decoded: Mapping[str, Any]) -> Read:
    found = Read({}, {}, [])
    first: dict[str, str] = {}
    for said in _said(decoded):
        called, shown = said.called[:64], f"{said.value}{said.unit}"[:64]
        meaning = _meaning(said.name, said.value, said.unit)
        if meaning is None:
            if said.value is not None:
                found.remarks.append(Remark("left out", called, f"{shown}: no name that is known: set a codec"))
            continue
        is_first = first.setdefault(meaning.field, said.channel) == said.channel
        fields = found.known if is_first else found.further.setdefault(said.channel, {})
        if meaning.field in fields:
            continue
        value = None if said.value is None else _converted(said, meaning)
        if value is None:
            found.remarks.append(Remark("left out", called, f"{shown}: no value of {meaning.field}"))
            continue
        fields[meaning.field] = value
        if meaning.read is _fraction and not said.unit and (given := _number(said.value)) is not None and given > 1:
            found.remarks.append(Remark("doubtful", called, f"{given:g} is no fraction: taken for per cent"))
    return found


def by_name(decoded: Mapping[str, Any]) -> list[Measurement | Reject | Remark]:
    """Return what an object says by names that are known, a reading for each kind, and name what is left out.

    What belongs to several kinds, and what a device says of itself, goes with the first kind, or is of the air.
    """
    return [*_named(decoded)]


def _named(decoded: Mapping[str, Any]) -> Iterator[Measurement | Reject | Remark]:
    known, further, remarks = _read(decoded)
    kinds = [kind for kind in KINDS if any(VOCABULARY[name].kinds == (kind,) for name in known)]
    if not kinds and any(not VOCABULARY[name].health for name in known):
        kinds = ["air_quality"]
    if not kinds:
        names = ", ".join(sorted(decoded)[:8])
        yield Reject("unsupported", b"", f"no codec, and no known name among the server's: {names}")
        return
    for kind in kinds:
        only = kind != kinds[0]
        fields = {name: value for name, value in known.items() if _belongs(name, kind, only=only)}
        yield Measurement(kind, fields, quality=_quality(fields))
    for channel, fields in further.items():
        kind = "parking" if "occupied" in fields else "air_quality"
        yield Measurement(kind, fields, tags={"channel": channel})
    yield from remarks[:MOST_NAMED]


def _belongs(name: str, kind: str, *, only: bool) -> bool:
    kinds = VOCABULARY[name].kinds
    return kinds == (kind,) if only else kind in kinds


def _quality(fields: Mapping[str, FieldValue]) -> Quality:
    fine, coarse = fields.get("pm25"), fields.get("pm10")
    doubtful = isinstance(fine, float) and isinstance(coarse, float) and fine > coarse
    return Quality.INCONSISTENT if doubtful else Quality.GOOD
