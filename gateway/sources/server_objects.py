"""What a network server's own codec made of a payload, read by its names where no codec is configured here.

Every device's codec names things in its own way. A name of the vocabulary is taken in the vocabulary's unit; a common
other name is taken where it can mean one thing only, or where the value tells which of its units it is in: the ranges
of a pressure in Pa, hPa and kPa do not meet, and 55 is no fraction. Whatever else is there is named by a remark, so
that nobody has to guess what became of it: a ``light`` may be in lux or in steps, a ``battery`` of 3 in volts or per
cent.
"""

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.contract import VOCABULARY, FieldValue, Measurement, Quality, Reject, Remark

MOST_NAMED = 16
"""Names of one object that are remarked on: there may be hundreds."""
KINDS = ("parking", "air_quality", "traffic")

Read = Callable[[object], FieldValue | None]


class Meaning(NamedTuple):
    """The field that a name stands for, and what reads its value: None where it has no sense."""

    field: str
    read: Read


def _number(value: object) -> float | None:
    """Return a finite number, which may be written as text."""
    if type(value) is str:
        if len(value) > 32 or "_" in value:
            return None
    elif type(value) is not float and type(value) is not int:
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _scaled(scale: float = 1.0, offset: float = 0.0) -> Read:
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


_OWN: Mapping[str, Read] = {"float": _scaled(), "int": _whole, "bool": _yes, "str": _text}
_FRACTIONS = {"relative_humidity": _fraction, "battery_level": _fraction, "device_humidity": _fraction}
OWN = {
    name: Meaning(name, _FRACTIONS.get(name, _OWN[field.type]))
    for name, field in VOCABULARY.items()
    if set(field.kinds) & set(KINDS)
}
_COMMON: tuple[tuple[str, Read, str], ...] = (
    ("temperature", _scaled(), "temp tempc temperaturec airtemp airtemperature ambienttemperature tempcsht"),
    ("temperature", _scaled(1 / 1.8, -32 / 1.8), "tempf temperaturef"),
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
_SIZE = re.compile(r"pm_?([0-9]+)[._]([0-9])")
"""``pm1_0`` and ``pm2.5``: without their point they would be other sizes."""


def _battery(value: object) -> Meaning | None:
    """Tell what a bare ``battery`` is: per cent, volts or millivolts; None where it may be two of them."""
    found = _number(value)
    if found is None:
        return None
    if 5 < found <= 100 or found == 0:
        return COMMON["batterylevel"]
    return COMMON["batteryvoltage"] if 1500 <= found <= 20_000 or (1.5 < found < 5 and found % 1) else None


def _meaning(name: str, value: object) -> Meaning | None:
    if name == "occupancy" and isinstance(value, bool | str):
        return Meaning("occupied", _yes)  # as a number it is the share of time for which a road is covered
    if (own := OWN.get(name)) is not None:
        return own
    found = _other_name(name) if len(name) <= LONGEST_REMEMBERED else _other_name.__wrapped__(name)
    return _battery(value) if found is BATTERY else found


BATTERY = Meaning("battery_level", _share)
"""Stands for what only the value tells, see `_battery`."""
LONGEST_REMEMBERED = 64


@lru_cache(maxsize=1024)
def _other_name(name: str) -> Meaning | None:
    """Return what a name means that is none of the vocabulary's; servers say the same ones again and again."""
    plain = name.lower()
    if (size := _SIZE.fullmatch(plain)) is not None:
        plain = f"pm{size[1]}" if size[2] == "0" else f"pm{size[1]}{size[2]}"
        return OWN.get(plain)
    plain = re.sub(r"[^a-z0-9]", "", plain)
    if plain in ("battery", "batt"):
        return BATTERY
    own = OWN.get(plain) if len(plain) > 2 else None  # "No" is a number of something, and no nitric oxide
    return own or COMMON.get(plain)


def by_name(decoded: Mapping[str, Any]) -> list[Measurement | Reject | Remark]:
    """Return what an object says by names that are known, a reading for each kind, and name what is left out.

    What belongs to several kinds, and what a device says of itself, goes with the first kind, or is of the air.
    """
    known: dict[str, FieldValue] = {}
    remarks: list[Remark] = []
    for name, value in decoded.items():
        meaning = _meaning(name, value)
        if meaning is None:
            if value is not None:
                remarks.append(
                    Remark("left out", name[:64], f"{str(value)[:64]}: no name that is known: set a codec")
                )
        elif meaning.field not in known:
            found = None if value is None else meaning.read(value)
            if found is None:
                remarks.append(Remark("left out", name[:64], f"{str(value)[:64]}: no value of {meaning.field}"))
            else:
                known[meaning.field] = found
                if meaning.read is _fraction and isinstance(given := _number(value), float) and given > 1:
                    remarks.append(Remark("doubtful", name[:64], f"{given:g} is no fraction: taken for per cent"))
    kinds = [kind for kind in KINDS if not _ONLY[kind].isdisjoint(known)]
    if not kinds and known.keys() - _HEALTH:
        kinds = ["air_quality"]
    if not kinds:
        names = ", ".join(sorted(decoded)[:8])
        return [Reject("unsupported", b"", f"no codec, and no known name among the server's: {names}")]
    said: list[Measurement | Reject | Remark] = [_measured(kinds[0], known, _OF[kinds[0]])]
    said += [_measured(kind, known, _ONLY[kind]) for kind in kinds[1:]]
    return [*said, *remarks[:MOST_NAMED]] if remarks else said


_OF = {kind: frozenset(name for name, field in VOCABULARY.items() if kind in field.kinds) for kind in KINDS}
_ONLY = {kind: frozenset(name for name in _OF[kind] if len(VOCABULARY[name].kinds) == 1) for kind in KINDS}
_HEALTH = frozenset(name for name, field in VOCABULARY.items() if field.health)


def _measured(kind: str, known: Mapping[str, FieldValue], of: frozenset[str]) -> Measurement:
    """Return the reading of the fields that belong to a kind."""
    fields = {name: value for name, value in known.items() if name in of}
    return Measurement(kind, fields, quality=_quality(fields))


def _quality(fields: Mapping[str, FieldValue]) -> Quality:
    fine, coarse = fields.get("pm25"), fields.get("pm10")
    doubtful = isinstance(fine, float) and isinstance(coarse, float) and fine > coarse
    return Quality.INCONSISTENT if doubtful else Quality.GOOD
