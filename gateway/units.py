"""Durations and sizes as people write them in a configuration file.

``"250ms"``, ``"10s"``, ``"5min"``, ``"25h"``, ``"7d"`` become seconds (float); ``"512KiB"``, ``"2GiB"``,
``"1GB"`` become bytes (int). A bare number is refused for a duration, because nobody can tell its unit.
"""

import re

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
