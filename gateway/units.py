"""Units: durations and sizes as people write them in a configuration file, and those of what is measured.

``"250ms"``, ``"10s"``, ``"5min"``, ``"25h"``, ``"7d"`` become seconds (float); ``"512KiB"``, ``"2GiB"``,
``"1GB"`` become bytes (int). A bare number is refused for a duration, because nobody can tell its unit.

What is measured is converted by one table, of the vocabulary's units and those that devices use beside them.
"""

import re
from typing import NamedTuple

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}
_NUMBER_AND_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")


def parse_duration(value: object) -> float:
    """Return seconds for text such as ``"5min"``; a ``ValueError`` says which units there are."""
    if isinstance(value, str) and (match := _NUMBER_AND_UNIT.fullmatch(value)):
        number, unit = match.groups()
        if unit in _SECONDS:
            return float(number) * _SECONDS[unit]
    units = ", ".join(_SECONDS)
    raise ValueError(f'write a duration as a number and a unit ({units}), for example "10s" or "5min"')


def parse_size(value: object) -> int:
    """Return bytes for text such as ``"2GiB"``, or for a whole number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (match := _NUMBER_AND_UNIT.fullmatch(value)):
        number, unit = match.groups()
        if unit in _BYTES:
            return int(float(number) * _BYTES[unit])
    units = ", ".join(_BYTES)
    raise ValueError(f'write a size as a number and a unit ({units}), for example "2GiB"')


def format_duration(seconds: float) -> str:
    """Write seconds for people: ``3.2 s``, ``4 min 05 s``, ``2 h 10 min``, ``3 d 4 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def format_size(count: float) -> str:
    """Write bytes for people, in binary units: ``812 B``, ``3.4 MiB``."""
    if count < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if count < 1023.95:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"


def many(count: int, what: str) -> str:
    """Say how many: ``1 segment``, ``2 segments``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


class Conversion(NamedTuple):
    """How a number in one unit becomes one in another: ``number * factor + offset``."""

    factor: float
    offset: float = 0.0

    def __call__(self, number: float) -> float:
        """Return the number in the other unit, without the tail of digits that binary fractions leave."""
        return round(number * self.factor + self.offset, 9)


_QUANTITIES: tuple[dict[str, Conversion], ...] = (
    {
        "degC \u00b0C C celsius Cel": Conversion(1),
        "degF \u00b0F F fahrenheit": Conversion(1 / 1.8, -32 / 1.8),
        "K kelvin": Conversion(1, -273.15),
    },
    {
        "fraction": Conversion(1),
        "% percent pct %RH RH% %rF %EL": Conversion(1e-2),
        "permille \u2030": Conversion(1e-3),
        "ppm": Conversion(1e-6),
        "ppb": Conversion(1e-9),
    },
    {
        "hPa mbar mb millibar": Conversion(1),
        "Pa pascal": Conversion(0.01),
        "kPa": Conversion(10),
        "bar": Conversion(1000),
        "MPa": Conversion(10000),
        "mmHg Torr": Conversion(1.33322387415),
        "inHg": Conversion(33.8638866667),
        "psi": Conversion(68.9475729318),
        "atm": Conversion(1013.25),
    },
    {
        "m/s mps m/sec ms-1": Conversion(1),
        "km/h kmh kph kmph km/hr": Conversion(1 / 3.6),
        "mph mi/h": Conversion(0.44704),
        "kn kt kts knot knots": Conversion(1852 / 3600),
        "ft/s fps": Conversion(0.3048),
        "cm/s": Conversion(0.01),
    },
    {"mm/h mm/hr": Conversion(1), "in/h in/hr inch/h inches/h": Conversion(25.4)},
    {
        "m metre metres meter meters": Conversion(1),
        "mm": Conversion(1e-3),
        "cm": Conversion(1e-2),
        "um micron microns": Conversion(1e-6),
        "km": Conversion(1e3),
        "in inch inches": Conversion(0.0254),
        "ft foot feet": Conversion(0.3048),
    },
    {
        "V volt volts": Conversion(1),
        "mV millivolt millivolts": Conversion(1e-3),
        "uV": Conversion(1e-6),
        "kV": Conversion(1e3),
    },
    {"A amp amps ampere": Conversion(1), "mA": Conversion(1e-3), "uA": Conversion(1e-6)},
    {"W watt watts": Conversion(1), "mW": Conversion(1e-3), "kW": Conversion(1e3), "MW": Conversion(1e6)},
    {"Wh": Conversion(1), "kWh": Conversion(1e3), "MWh": Conversion(1e6), "J": Conversion(1 / 3600)},
    {
        "s sec secs second seconds": Conversion(1),
        "ms": Conversion(1e-3),
        "us": Conversion(1e-6),
        "ns": Conversion(1e-9),
        "min mins minute minutes": Conversion(60),
        "h hr hrs hour hours": Conversion(3600),
        "d day days": Conversion(86400),
    },
    {
        "ug/m3 mcg/m3 ugm3": Conversion(1),
        "mg/m3": Conversion(1e3),
        "ng/m3": Conversion(1e-3),
        "g/m3": Conversion(1e6),
    },
    {
        "1/cm3 #/cm3 /cm3 pcs/cm3": Conversion(1),
        "1/0.1l #/0.1l pcs/0.1l #/dl 1/dl": Conversion(1e-2),
        "1/l #/l /l pcs/l": Conversion(1e-3),
        "1/m3 #/m3 /m3": Conversion(1e-6),
    },
    {"lx lux": Conversion(1), "klx klux": Conversion(1e3)},
    {"dB dBA dB(A)": Conversion(1)},
    {"dBm": Conversion(1)},
    {"deg \u00b0 degree degrees": Conversion(1), "rad": Conversion(57.29577951308232)},
    {"m3": Conversion(1), "l L liter litre liters litres": Conversion(1e-3), "ml": Conversion(1e-6)},
    {"kg": Conversion(1), "g": Conversion(1e-3), "t": Conversion(1e3)},
    {"Hz": Conversion(1), "kHz": Conversion(1e3), "MHz": Conversion(1e6)},
)
"""Spellings of each unit, the first of which is the usual one, and how it becomes the first unit of its quantity."""

_SIGNS = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "\u00b2": "2", "\u00b3": "3", "\u00ba": "\u00b0", "^": "", " ": ""}
)
_SIGNS |= {0x2103: "\u00b0C", 0x2109: "\u00b0F", 0xA0: "", 0x202F: "", 0x207B: "-", 0xB9: "1"}
_CASE_COUNTS = re.compile("[mM][A-Z]")
"""In SI units milli and mega differ in nothing else."""


def _tables() -> tuple[dict[str, Conversion], ...]:
    tables = []
    for quantity in _QUANTITIES:
        exact = {name: known for names, known in quantity.items() for name in names.split()}
        folded = {name.casefold(): known for name, known in exact.items() if not _CASE_COUNTS.match(name)}
        tables.append({**folded, **exact})
    return tuple(tables)


_TABLES = _tables()


def conversion(unit: str, to: str) -> Conversion | None:
    """Return how numbers in ``unit`` become numbers in ``to``, a unit of the vocabulary; None where they cannot.

    Degree signs, superscripts and other letter cases are the same unit. Another quantity has no conversion: a volume
    of a gas is no mass, unless somebody knows which gas.
    """
    spelling = unit.translate(_SIGNS)
    table = next((table for table in _TABLES if to in table), None)
    if table is None:
        return Conversion(1) if unit == to else None
    found, wanted = table.get(spelling), table[to]
    if found is None and not _CASE_COUNTS.match(spelling):
        found = table.get(spelling.casefold())
    if found is None:
        return None
    return Conversion(found.factor / wanted.factor, (found.offset - wanted.offset) / wanted.factor)


def units_like(unit: str) -> list[str]:
    """Return the usual spelling of each unit of the same quantity, without ``unit`` itself."""
    quantity = next((quantity for quantity in _QUANTITIES if any(unit in names.split() for names in quantity)), {})
    return [names.split()[0] for names in quantity if unit not in names.split()]
