"""Gas concentrations: conversion from ppb to ug/m3 as the European Union reports them.

Directive 2008/50/EC, annex VI C, has gases stated at 293 K and 101.3 kPa, at any weather: a mole takes 24.055
litres. So 105 ppb of NO2 are 200 ug/m3, and 47 ppb of SO2 are 125. A device's own ug/m3 are often for 0 or 25 degrees
and up to 9 % off: where it gives both, its ppb are taken. NOx is stated as if all of it were NO2.
"""

MOLAR_VOLUME = 24.055
"""Litres."""

MOLAR_MASSES = {
    "no2": 46.006,
    "nox": 46.006,
    "o3": 47.998,
    "so2": 64.066,
    "co": 28.010,
    "no": 30.006,
    "h2s": 34.08,
    "nh3": 17.03,
    "ch2o": 30.026,
}
"""Grams; the names are the vocabulary's."""


def micrograms(gas: str, ppb: float) -> float:
    """Return the mass in a cubic metre of air."""
    return round(ppb * MOLAR_MASSES[gas] / MOLAR_VOLUME, 3)
