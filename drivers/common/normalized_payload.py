"""The Things Stack's normalized payload: readings with names and units that are the same for every device.

A list of objects, made by the server's own formatter for the device, each with a time of its own or none::

    [{"time": "2026-03-01T06:00:00Z", "battery": 3.25,
      "air": {"temperature": -21.3, "relativeHumidity": 49, "pressure": 997, "co2": 450, "lightIntensity": 1152,
              "location": "outdoor"},
      "wind": {"speed": 3.5, "direction": 270}, "action": {"motion": {"detected": true}},
      "position": {"latitude": 45.55, "longitude": 13.73}}]

Degrees, percent, hPa, ppm, lux, m/s, volts. ``location`` (indoor, outdoor) is a tag. Objects of one time and place
are one reading; where they say the same thing, as two probes do, the second has the tag ``probe = "2"``, and so on.
Soil, water, metering, contacts and counts of movements (since when, nobody says) are left out by name.

Source: the schema of the LoRaWAN Device Repository, lib/payload.json, as of 2025.
"""

import math
from collections.abc import Iterable, Iterator, Mapping

from drivers.common.flat_json import PERCENT, number
from drivers.common.times import nanoseconds
from gateway.contract import FieldValue, Measurement, Remark

Place = tuple[str, int | None, str]
"""Kind, own time, and location, of which "" is none."""
Fields = dict[str, FieldValue]

AIR: Mapping[str, tuple[str, float]] = {
    "battery": ("battery_voltage", 1.0),
    "air.temperature": ("temperature", 1.0),
    "air.relativeHumidity": ("relative_humidity", PERCENT),
    "air.pressure": ("atmospheric_pressure", 1.0),
    "air.co2": ("co2", 1.0),
    "air.lightIntensity": ("illuminance", 1.0),
    "wind.speed": ("wind_speed", 1.0),
    "wind.direction": ("wind_direction", 1.0),
}
POSITION: Mapping[str, tuple[str, float]] = {
    "position.latitude": ("latitude", 1.0),
    "position.longitude": ("longitude", 1.0),
}
FIELDS = (*(name for name, _ in (*AIR.values(), *POSITION.values())), "motion")
MOST = 256
"""Objects of a payload that are read; a device's log has fewer."""


def readings(payload: object) -> Iterator[Measurement | Remark]:
    """Return what a normalized payload says: a list of objects, or one; never raise."""
    known = payload if isinstance(payload, list) else [payload]
    places: dict[Place, list[Fields]] = {}
    for one in known[:MOST]:
        if isinstance(one, dict):
            yield from _read(one, places)
        else:
            yield Remark("left out", "normalized_payload", f"{str(one)[:64]!r} is no object")
    if len(known) > MOST:
        yield Remark("left out", "normalized_payload", f"{len(known) - MOST} of {len(known)} objects")
    for (kind, time, location), probes in places.items():
        tags = {"location": location} if location else {}
        for number_, fields in enumerate(probes, 1):
            probe = {"probe": str(number_)} if number_ > 1 else {}
            yield Measurement(kind, fields, time=time, tags={**tags, **probe})


def _read(one: Mapping[str, object], places: dict[Place, list[Fields]]) -> Iterator[Remark]:
    time = nanoseconds(one.get("time"))
    if "time" in one and time is None:
        yield Remark("left out", "time", f"{str(one['time'])[:64]!r} is no time")
        return  # what was measured at a time that nobody can read is not of now
    air: Fields = {}
    position: Fields = {}
    location = ""
    for name, value in _leaves(one, ""):
        if name == "air.location" and value in ("indoor", "outdoor"):
            location = str(value)
        elif name == "action.motion.detected" and isinstance(value, bool):
            air["motion"] = int(value)
        elif (term := AIR.get(name) or POSITION.get(name)) is None:
            yield Remark("left out", name[:64], "not in the vocabulary")
        elif (found := number(value)) is None or not math.isfinite(found * term[1]):
            yield Remark("left out", name[:64], f"{str(value)[:64]!r} is no number")
        else:
            fields = position if name in POSITION else air
            fields[term[0]] = found if term[1] == 1.0 else round(found * term[1], 9)
    if len(position) == len(POSITION):
        _put(places.setdefault(("position", time, ""), []), position)
    if air:
        _put(places.setdefault(("air_quality", time, location), []), air)


def _put(probes: list[Fields], fields: Fields) -> None:
    """Add fields to the first reading that has none of them yet; a battery is the device's, whatever says it."""
    for probe in probes:
        if not (probe.keys() & fields.keys()) - {"battery_voltage"}:
            probe.update(fields)
            return
    probes.append(fields)


def _leaves(one: Mapping[str, object], path: str, depth: int = 4) -> Iterable[tuple[str, object]]:
    for key, value in one.items():
        name = f"{path}{key}"
        if isinstance(value, dict) and depth:
            yield from _leaves(value, f"{name}.", depth - 1)
        elif name != "time":
            yield name, value
