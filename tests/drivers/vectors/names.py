"""How the names of external vectors are read: a name says what a thing is, and ends in its unit.

``distance_mm`` is what a driver calls ``distance_cm``, ten times as large; ``pm1_0_ug_m3`` and ``pm1_ug_m3`` are one.
So a family of devices says each thing once, in its own unit, and the rules here find it under the vector's name.
"""

import re
from collections.abc import Mapping

from drivers.common.times import nanoseconds
from tests.drivers.vectors.common import Names

UNITS: Mapping[str, tuple[str, float]] = {
    "mm": ("length", 1),
    "cm": ("length", 10),
    "m": ("length", 1000),
    "inch": ("length", 25.4),
    "inches": ("length", 25.4),
    "ft": ("length", 304.8),
    "ms": ("time", 0.001),
    "s": ("time", 1),
    "sec": ("time", 1),
    "min": ("time", 60),
    "minutes": ("time", 60),
    "h": ("time", 3600),
    "hours": ("time", 3600),
    "kmh": ("speed", 1),
    "km_h": ("speed", 1),
    "mph": ("speed", 1.609344),
    "m_s": ("speed", 3.6),
    "mps": ("speed", 3.6),
    "knots": ("speed", 1.852),
    "kn": ("speed", 1.852),
    "ug_m3": ("mass", 1),
    "mg_m3": ("mass", 1000),
    "ppb": ("parts", 1),
    "ppm": ("parts", 1000),
    "pct": ("fraction", 0.01),
    "percent": ("fraction", 0.01),
    "C": ("temperature", 1),
    "V": ("voltage", 1),
    "mV": ("voltage", 0.001),
    "Pa": ("pressure", 1),
    "hPa": ("pressure", 100),
    "kPa": ("pressure", 1000),
    "dBm": ("level", 1),
    "dB": ("level", 1),
    "deg": ("angle", 1),
    "hz": ("frequency", 1),
    "Hz": ("frequency", 1),
}
"""A unit as the end of a name -> what it measures, and how many of the smallest there it is."""

SAME = (
    {"abc", "abc_enabled", "abc_on"},
    {"average", "average_speed", "avg"},
    {"build_time", "build", "build_date"},
    {"class_counts", "classes", "volume_by_class"},
    {"command", "command_id", "cmd", "function", "msg_code", "message"},
    {"count", "quantity", "registers", "register_count", "number", "length"},
    {"course", "heading", "true_course", "track"},
    {"device_id", "sensor_id", "id"},
    {"entry", "table_entry", "entry_number"},
    {"error_code", "error", "exception", "exception_code"},
    {"firmware", "firmware_version", "fw_version", "version", "firmware_raw"},
    {"formaldehyde", "ch2o", "hcho"},
    {"frame", "type"},
    {"full_range", "full_scale"},
    {"meter", "meter_number"},
    {"detector", "detector_number"},
    {"new_id", "new_device_id"},
    {"pin_status", "status", "pin_state", "state", "on"},
    {"quality", "fix_quality", "gps_quality"},
    {"red_dwell", "red_dwell_time", "dwell"},
    {"register", "start", "start_register", "start_address", "register_address", "ram_address"},
    {"relative_humidity", "humidity", "rh"},
    {"satellites", "num_sats", "satellites_used"},
    {"sentence", "sentence_type"},
    {"speed_85", "speed85", "speed_85th", "speed_85_pct"},
    {"status_register", "device_status", "status"},
    {"strength", "signal", "signal_strength"},
    {"startup_green", "start_up_green"},
    {"startup_yellow", "start_up_yellow"},
    {"success", "ok", "ack", "accepted", "acknowledged"},
    {"target_id", "target", "target_device_id"},
    {"temperature", "temp"},
    {"turn_on_pin", "on_pin", "turn_on_output_pin"},
    {"valid", "reliable"},
    {"working_period", "period", "work_period", "minutes"},
)
"""Names without their units that mean the same; looked at only where a family has no such name itself."""

REPLIES = {"reply", "response", "answer", "ack", "command_reply", "command_ack", "command_response"}
"""Words for a frame that answers a command."""

_ROUND_SIZE = re.compile(r"(?<=[0-9])_0(?=_|$)")


def _parted(name: str) -> tuple[str, str]:
    """Return a name without its unit, written in one way, and the unit; "" where it ends in none."""
    if name in UNITS:
        return "", name
    words = name.split("_")
    for number in (2, 1):
        unit = "_".join(words[-number:])
        if len(words) > number and unit in UNITS:
            return _ROUND_SIZE.sub("", "_".join(words[:-number])).lower(), unit
    return _ROUND_SIZE.sub("", name).lower(), ""


def find(said: Names, name: str) -> tuple[object, bool]:
    """Return what ``said`` has under ``name`` or under another that means the same, and whether it has it."""
    if name in said:
        return said[name], True
    stem, unit = _parted(name)
    for stems in ({stem}, *(group for group in SAME if stem in group)):
        alike = [(_parted(theirs)[1], value) for theirs, value in said.items() if _parted(theirs)[0] in stems]
        for theirs, value in alike:
            if unit and theirs and UNITS[unit][0] == UNITS[theirs][0]:
                number = isinstance(value, int | float) and not isinstance(value, bool)
                return value * UNITS[theirs][1] / UNITS[unit][1] if number else value, True  # type: ignore[operator]
        for theirs, value in alike:
            if not unit or not theirs:
                return value, True
    return None, False


def same(said: object, wanted: object) -> bool:
    """Tell whether two values are one: numbers to the digits that the vector gives, texts however they are spaced."""
    if isinstance(wanted, list) and isinstance(said, list | tuple):
        return len(said) == len(wanted) and all(map(same, said, wanted))
    if isinstance(said, str) and isinstance(wanted, int | float):
        said = wanted if _bytes(said) == wanted else _number(said)  # a device may write its numbers as text
    if isinstance(wanted, bool) or isinstance(said, bool):
        return said == wanted
    if isinstance(said, int | float) and isinstance(wanted, int | float):
        digits = len(repr(wanted).partition(".")[2])
        return abs(said - wanted) <= max(1e-9, 0.500001 * 10**-digits if digits > 1 else 0)
    if isinstance(said, str) and isinstance(wanted, str) and said != wanted:
        moments = nanoseconds(said), nanoseconds(wanted)
        one = {_plain(said), _plain(wanted)}
        return len(one) == 1 or (None not in moments and moments[0] == moments[1]) or one <= REPLIES
    return said == wanted


def _bytes(text: str) -> int | None:
    """Return bytes in hex as the number that they are."""
    try:
        return int.from_bytes(bytes.fromhex(text), "big")
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _plain(text: str) -> str:
    return re.sub(r"[-/:]", ".", text.lower().replace(" ", ""))
