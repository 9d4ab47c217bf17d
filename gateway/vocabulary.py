"""The one table of what may be measured: name, type, unit, plausible range, Smart Data Models attribute.

Names are the Smart Data Models' attributes in snake_case, so an export needs this table and nothing else.
``low`` and ``high`` bound what is plausible outdoors in a city; a driver narrows them to what its device can say.
A value outside is stored and marked, never dropped. The type is what the database will hold for ever: InfluxDB
refuses a column that changes its type, so ``42`` under a float field is written ``42.0``.

A configuration may add fields and measurements of its own, for that gateway alone: `Vocabulary.extended` makes a
table that has both, and `VOCABULARY` stays as it is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Type = Literal["float", "int", "bool", "str"]
FieldValue = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Field:
    """One measurable property.

    ``kinds`` are the measurements it belongs to; ``model`` is the Smart Data Models attribute ("" where there is
    none); ``health`` marks what a device says about itself rather than about the city.
    """

    name: str
    type: Type
    unit: str
    low: float | None = None
    high: float | None = None
    kinds: tuple[str, ...] = ()
    model: str = ""
    health: bool = False

    def within(self, low: float | None, high: float | None) -> "Field":
        """Return this field with the range of one particular device."""
        return replace(self, low=low, high=high)


DEVICE_KINDS = ("air_quality", "parking", "position", "traffic")
"""What a device may measure."""

KINDS = (*sorted({*DEVICE_KINDS, "gateway"}),)
"""Every measurement name there is; ``gateway`` is our own health."""

RESERVED = frozenset({"quality", "time", "city", "gateway", "sensor"})
"""Names that no field may have: every line has a tag or a field of that name already."""

_NAME = re.compile(r"[^\W_][\w.-]{0,63}")

_AIR = ("air_quality",)
_PARKING = ("parking",)
_POSITION = ("position",)
_TRAFFIC = ("traffic",)
_ANY = ("air_quality", "parking", "traffic")
_GAS = "ug/m3"


def _health(name: str, kind: Type, unit: str, low: float | None = None, high: float | None = None) -> Field:
    return Field(name, kind, unit, low, high, (*_ANY, *_POSITION), "", health=True)


_FIELDS = (
    # AirQualityObserved
    Field("pm1", "float", "ug/m3", 0, 2000, _AIR, "pm1"),
    Field("pm25", "float", "ug/m3", 0, 2000, _AIR, "pm25"),
    Field("pm4", "float", "ug/m3", 0, 2000, _AIR, "pm4"),
    Field("pm10", "float", "ug/m3", 0, 5000, _AIR, "pm10"),
    Field("pm100", "float", "ug/m3", 0, 20000, _AIR, "tsp"),
    Field("particles_above_03", "float", "1/cm3", 0, 10000, _AIR),  # larger than 0.3 um; 05 is 0.5, 25 is 2.5
    Field("particles_above_05", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_above_1", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_above_25", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_above_5", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_above_10", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_up_to_05", "float", "1/cm3", 0, 10000, _AIR),  # from the smallest that the device sees
    Field("particles_up_to_1", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_up_to_25", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_up_to_4", "float", "1/cm3", 0, 10000, _AIR),
    Field("particles_up_to_10", "float", "1/cm3", 0, 10000, _AIR),
    Field("typical_particle_size", "float", "um", 0, 100, _AIR),
    Field("ch2o", "float", _GAS, 0, 20000, _AIR),  # formaldehyde
    Field("no", "float", _GAS, 0, 5000, _AIR, "no"),
    Field("no2", "float", _GAS, 0, 5000, _AIR, "no2"),
    Field("nox", "float", _GAS, 0, 5000, _AIR, "nox"),
    Field("o3", "float", _GAS, 0, 2000, _AIR, "o3"),
    Field("so2", "float", _GAS, 0, 5000, _AIR, "so2"),
    Field("co", "float", _GAS, 0, 200000, _AIR, "co"),
    Field("h2s", "float", _GAS, 0, 200000, _AIR),
    Field("nh3", "float", _GAS, 0, 200000, _AIR),
    Field("co2", "float", "ppm", 250, 20000, _AIR, "co2"),  # no air has less than 400
    Field("co2_equivalent", "float", "ppm", 250, 65534, _AIR),  # worked out from organic compounds, not measured
    Field("tvoc", "float", "ppb", 0, 65534, _AIR, "volatileOrganicCompoundsTotal"),
    Field("tvoc_mass", "float", _GAS, 0, 65534, _AIR),
    Field("tvoc_index", "float", "1", 0, 500, _AIR),  # the maker's own scale
    Field("nox_index", "float", "1", 0, 500, _AIR),  # the same
    # What an electrochemical cell says before it is calibrated, and the same less its auxiliary electrode
    Field("no2_electrode", "float", "V", -3, 3, _AIR),
    Field("no2_electrode_difference", "float", "V", -3, 3, _AIR),
    Field("no_electrode", "float", "V", -3, 3, _AIR),
    Field("no_electrode_difference", "float", "V", -3, 3, _AIR),
    Field("ox_electrode", "float", "V", -3, 3, _AIR),  # ozone and nitrogen dioxide together
    Field("ox_electrode_difference", "float", "V", -3, 3, _AIR),
    Field("co_electrode", "float", "V", -3, 3, _AIR),
    Field("co_electrode_difference", "float", "V", -3, 3, _AIR),
    Field("temperature", "float", "degC", -50, 85, _ANY, "temperature"),
    Field("relative_humidity", "float", "fraction", 0, 1, _ANY, "relativeHumidity"),
    Field("atmospheric_pressure", "float", "hPa", 500, 1100, _ANY, "atmosphericPressure"),
    Field("external_temperature", "float", "degC", -60, 130, _ANY),  # of a probe on a cable
    Field("surface_temperature", "float", "degC", -60, 130, _ANY, "surfaceTemperature"),
    Field("wind_speed", "float", "m/s", 0, 100, _AIR, "windSpeed"),
    Field("wind_direction", "float", "deg", 0, 360, _AIR, "windDirection"),  # from where, clockwise from north
    Field("gust_speed", "float", "m/s", 0, 150, _AIR, "gustSpeed"),
    Field("precipitation_rate", "float", "mm/h", 0, 500, _AIR),
    Field("precipitation_total", "float", "mm", 0, 10_000_000, _AIR),  # on and on; begins again at the device's bound
    Field("uv_index", "float", "1", 0, 20, _AIR),
    Field("illuminance", "float", "lx", 0, 200000, _ANY, "illuminance"),
    Field("light_level", "int", "1", 0, 255, _AIR),  # the maker's own steps, from dark
    Field("sound_level", "float", "dB", 0, 140, _AIR),
    Field("sound_level_max", "float", "dB", 0, 140, _AIR),
    Field("motion", "int", "1", 0, 65535, _AIR),  # movements seen since the last report
    # ParkingSpot and OnStreetParking
    Field("occupied", "bool", "", None, None, _PARKING, "status"),
    Field("available_spots", "int", "1", 0, 100000, _PARKING, "availableSpotNumber"),
    Field("distance", "float", "mm", 0, 100000, _PARKING, ""),
    Field("previous_state_duration", "float", "s", 0, 86400, _PARKING),  # how long the bay was as it was before
    Field("tag_id", "str", "", None, None, _PARKING),  # of the permit shown at the bay
    # TrafficFlowObserved
    Field("intensity", "int", "1", 0, 100000, _TRAFFIC, "intensity"),
    Field("intensity_class_0", "int", "1", 0, 100000, _TRAFFIC),  # of the slowest or shortest class, and so on
    Field("intensity_class_1", "int", "1", 0, 100000, _TRAFFIC),
    Field("intensity_class_2", "int", "1", 0, 100000, _TRAFFIC),
    Field("intensity_class_3", "int", "1", 0, 100000, _TRAFFIC),
    Field("intensity_class_4", "int", "1", 0, 100000, _TRAFFIC),
    Field("intensity_class_5", "int", "1", 0, 100000, _TRAFFIC),
    Field("total_count", "int", "1", 0, 2**32, _TRAFFIC),  # counted on and on; begins again at the device's own bound
    Field("people_count", "int", "1", 0, 100000, _TRAFFIC, "peopleCount"),  # present now
    Field("vehicle_count", "int", "1", 0, 100000, _TRAFFIC),  # present now
    Field("object_count", "int", "1", 0, 100000, _TRAFFIC),  # present now, of whatever kinds are counted
    Field("people_count_max", "int", "1", 0, 100000, _TRAFFIC),  # present at once, since the last report
    Field("average_dwell_time", "float", "s", 0, 86400, _TRAFFIC),
    Field("max_dwell_time", "float", "s", 0, 86400, _TRAFFIC),
    Field("average_vehicle_speed", "float", "km/h", 0, 400, _TRAFFIC, "averageVehicleSpeed"),
    Field("max_vehicle_speed", "float", "km/h", 0, 400, _TRAFFIC, ""),
    Field("speed_85th_percentile", "float", "km/h", 0, 400, _TRAFFIC),  # what 85 in 100 vehicles do not exceed
    Field("average_vehicle_length", "float", "m", 0, 50, _TRAFFIC, "averageVehicleLength"),
    Field("average_headway_time", "float", "s", 0, 86400, _TRAFFIC, "averageHeadwayTime"),
    Field("average_gap_time", "float", "s", 0, 86400, _TRAFFIC),  # from the end of a vehicle to the next one's front
    Field("presence_time", "float", "s", 0, 86400, _TRAFFIC),  # for how long a single vehicle was seen
    Field("occupancy", "float", "fraction", 0, 1, _TRAFFIC, "occupancy"),
    Field("lane_id", "int", "1", 1, 64, _TRAFFIC, "laneId"),
    Field("period", "float", "s", 0, 86400, _TRAFFIC, ""),
    # Where a receiver is, and what time it is there; Device.location holds both numbers at once
    Field("latitude", "float", "deg", -90, 90, _POSITION),
    Field("longitude", "float", "deg", -180, 180, _POSITION),
    Field("altitude", "float", "m", -500, 20000, _POSITION),  # above mean sea level
    Field("satellite_time", "int", "ns", 0, 2**63 - 1, _POSITION),  # UTC since 1970
    Field("satellites", "int", "1", 0, 999, _POSITION),  # used for the fix
    Field("horizontal_dilution", "float", "1", 0, 100, _POSITION),
    # What a device says about itself
    _health("battery_level", "float", "fraction", 0, 1),
    _health("battery_voltage", "float", "V", 0, 60),
    _health("battery_low", "bool", ""),
    _health("solar_power", "float", "W", 0, 1000),
    _health("rssi", "float", "dBm", -200, 20),
    _health("snr", "float", "dB", -50, 60),
    _health("frame_counter", "int", "1", 0, 2**32),
    _health("link_quality", "int", "1", 0, 255),  # of a Zigbee radio
    _health("signal_strength", "int", "1", 0, 65535),  # of what a distance meter gets back
    _health("sample_count", "int", "1", 0, 65535),  # behind one reading
    _health("tilted", "bool", ""),
    _health("device_temperature", "float", "degC", -60, 150),  # inside the device, not of the city's air
    _health("device_humidity", "float", "fraction", 0, 1),
    _health("device_error", "int", "bits", 0, 2**32),
    _health("firmware_version", "str", ""),
    _health("hardware_version", "str", ""),
    _health("serial_number", "str", ""),
    _health("reset_cause", "int", "1", 0, 255),
    _health("event", "str", ""),
)


class Vocabulary(dict[str, Field]):
    """Fields by their names, not changed once made; ``kinds`` are the measurements that devices may give.

    In a measurement that a configuration made, every field may stand: a weather station has rain beside the
    vocabulary's temperature. A dictionary, because drivers look fields up with every reading.
    """

    __slots__ = ("_free", "kinds")

    def __init__(self, fields: Iterable[Field], free: Iterable[str] = ()) -> None:
        super().__init__((field.name, field) for field in fields)
        self._free = frozenset(free)
        self.kinds = (*DEVICE_KINDS, *sorted(self._free))

    def find(self, kind: str, name: str) -> Field | None:
        """Return the field so named, None where measurements of this kind cannot hold it."""
        known = self.get(name)
        return known if known is not None and (kind in known.kinds or kind in self._free) else None

    def of(self, kind: str) -> list[str]:
        """Return the names of the fields that such a measurement can hold; its own come first."""
        own = [name for name, known in self.items() if kind in known.kinds]
        return own + [name for name in self if name not in own] if kind in self._free else own

    def objection(self, own: Field) -> str:
        """Say why a field cannot be added, "" where it can."""
        if wrong := _wrong_name(own.name):
            return wrong
        if (known := self.get(own.name)) is not None:
            words = f"{known.type}{f' in {known.unit}' if known.unit else ''}, of {', '.join(known.kinds)}"
            return f"the vocabulary has {own.name!r} already ({words}), and a measurement of your own may hold it too"
        for name in (*self, *RESERVED):
            if name.lower() == own.name.lower():
                return f"only capital letters tell {own.name!r} from {name!r}: choose another name"
        return next((wrong for kind in own.kinds if (wrong := _wrong_kind(kind))), "")

    def extended(self, own: Iterable[Field]) -> "Vocabulary":
        """Return this vocabulary with fields without objection, and with the measurements that they name."""
        fields = [*self.values()]
        free = set(self._free)
        for field in own:
            fields.append(field)
            free |= {*field.kinds} - {*KINDS}
        return Vocabulary(fields, free)


def _wrong_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        return f"{name!r}: a name has up to 64 letters, digits, '_', '.' and '-', and begins with a letter or digit"
    return f"{name!r} stands in every line already: choose another name" if name.lower() in RESERVED else ""


def _wrong_kind(kind: str) -> str:
    if kind == "gateway":
        return "'gateway' is what the gateway says of itself; no device measures it"
    if not _NAME.fullmatch(kind):
        return f"measurement {_wrong_name(kind)}"
    near = [known for known in KINDS if known.lower() == kind.lower() and known != kind]
    return f"only capital letters tell the measurement {kind!r} from {near[0]!r}" if near else ""


VOCABULARY = Vocabulary(_FIELDS)
"""What every gateway knows."""


def field(name: str, low: float | None = None, high: float | None = None) -> Field:
    """Return the field ``name``, narrowed to a device's range where one is given.

    Raises ``KeyError`` for a name the vocabulary does not have: add it here first, with its unit and model.
    """
    known = VOCABULARY[name]
    return known if low is None and high is None else known.within(low, high)
