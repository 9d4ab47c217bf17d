"""Tasmota: the telemetry of a board with sensors on it.

MQTT, JSON, topic ``tele/{device}/SENSOR``, every TelePeriod (300 s), one object for each part::

    {"Time": "2023-05-21T01:06:38", "BME280": {"Temperature": 20.5, "Humidity": 53.1, "Pressure": 977.0},
     "SDS0X1": {"PM2.5": 11.8, "PM10": 5.8}, "PressureUnit": "hPa", "TempUnit": "C"}

Worked: PM2.5 11.8 and PM10 5.8 ug/m3 (marked: they contradict each other), 20.5 degrees, 53.1 %, 977 hPa, sensor
``{device}``.

A name counts with the part it stands under: the Temperature of ESP32, MPU6050, AXP192, MHZ19B or ENERGY is that of
the chip or of the inside, ``device_temperature``; that of ANALOG, MAX31855 and other thermocouples is of a probe on a
cable, ``external_temperature``; OBJTMP of an MLX90614 is a surface. Lists (MLX90640) are no readings.

The topic may have its levels in any order (FullTopic): ``tele``, or the option ``prefix``, is taken out of it, and
what is left of it names the board: ``kitchen`` for ``kitchen/tele/SENSOR``, ``house/kitchen`` for
``tele/house/kitchen/SENSOR``. ``StatusSNS``, the answer to Status 8 and 10, is read as well.

Quirks: Time is the board's local time without an offset, and in 1970 before it knows better: the time of arrival is
taken. TempUnit may be F, PressureUnit mmHg or inHg. A PMS5003 says ``CF..`` for its factory's kind of air, ``PM..``
for the open air, which is taken, and ``PB..`` particles in 0.1 litre above a size in um; an SPS30 writes PM1_0 to
PM10, and counts in 1 cm3 as NCPM. Numbered parts (``DS18B20-1``, ``SHT3X-0x44``) give readings of their own with the
tag ``probe``; so does a part that measures what one before it does. What a part cannot measure is null, in firmware
before 6.5 a bare ``nan``, which is no JSON. ``tele/{device}/LWT`` (Online, Offline) and ``STATE`` are no readings.
Parts that a rule passes on come without Time and units, which are C and hPa then. A Zigbee bridge says
``ZbReceived``, without Time: see `drivers.common.zigbee_received`.

Sources: the messages of Tasmota 5 to 14, and its documentation on MQTT, sensors and the ESP32.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from drivers.common import zigbee_received
from drivers.common.flat_json import PER_DECILITRE, PERCENT, Term, declared, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from gateway.contract import VOCABULARY, Driver, Measurement, MqttLink, Options, Reject, Remark

FAHRENHEIT = (1 / 1.8, -32 / 1.8)
SCALES: Mapping[str, tuple[float, float]] = {"C": (1.0, 0.0), "F": FAHRENHEIT}
PRESSURES: Mapping[str, Term] = {
    "hPa": Term("atmospheric_pressure"),
    "mmHg": Term("atmospheric_pressure", 1.33322387415),
    "inHg": Term("atmospheric_pressure", 33.8638866667),
}
TEMPERATURES = {
    "Temperature": "temperature",
    "ProbeTemperature": "external_temperature",
    "ReferenceTemperature": "device_temperature",
    "OBJTMP": "surface_temperature",
    "AMBTMP": "device_temperature",
}
INSIDE = ("ESP32", "MPU", "ICM", "AXP", "MHZ19", "ENERGY", "DS3231", "QMC5883", "HMC5883", "LSM", "RV3028")
"""How parts begin whose Temperature is not of the air, but of themselves."""
ON_A_CABLE = ("ANALOG", "MAX31855", "MAX31865", "MAX6675")
NOT_OF_THE_AIR = ("MS5837", "EZO")
"""Parts that stand in water."""
SIZES = {"0.3": "03", "0.5": "05", "1": "1", "2.5": "25", "5": "5", "10": "10"}
COUNTS = {"0_5": "05", "1_0": "1", "2_5": "25", "4_0": "4", "10": "10"}
DUST = {"pm1": ("1", "1_0", "1.0"), "pm25": ("2.5", "2_5"), "pm4": ("4", "4_0", "4.0"), "pm10": ("10",)}
TABLE = {
    **{f"PM{size}": Term(name) for name, sizes in DUST.items() for size in sizes},
    **{f"PB{size}": Term(f"particles_above_{name}", PER_DECILITRE) for size, name in SIZES.items()},
    **{f"NCPM{size}": Term(f"particles_up_to_{name}") for size, name in COUNTS.items()},
    "TYPSIZ": Term("typical_particle_size"),
    "Humidity": Term("relative_humidity", PERCENT),
    "CarbonDioxide": Term("co2"),
    "eCO2": Term("co2_equivalent"),
    "TVOC": Term("tvoc"),
    "VOC_Index": Term("tvoc_index"),
    "NOX_Index": Term("nox_index"),
    "Illuminance": Term("illuminance"),
}
"""Names within a part, but for temperatures and pressure."""

_NUMBERED = re.compile(r".+[-_](?:0x)?[0-9A-Fa-f]+")
_ANSWERS = frozenset({"STATUS8", "STATUS10"})
_SIGNS = frozenset({"Time", "TempUnit", "PressureUnit", "Pressure", *TEMPERATURES, *TABLE})
"""Names of which telemetry has one, beside its parts or in them."""


def _has_sign(message: Mapping[str, Any]) -> bool:
    parts = [part for part in message.values() if type(part) is dict]
    return not _SIGNS.isdisjoint(chain(message, *parts))


class TasmotaOptions(Options):
    """How the boards' FullTopic is set."""

    prefix: str = "tele"
    """Their Prefix3: the level of the topic that says that it is telemetry."""


class Decoder:
    """Reads telemetry; keeps no state."""

    def __init__(self, options: TasmotaOptions) -> None:
        self._prefix = options.prefix

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        *levels, last = topic.split("/")
        if type(message) is dict and (devices := zigbee_received.devices_of(message, last)):
            return zigbee_received.read(devices, self._board(levels), payload)
        if type(message) is dict and last in _ANSWERS:
            message = message.get("StatusSNS")
        elif last != "SENSOR":
            message = None
        if type(message) is not dict or ("Time" not in message and not _has_sign(message)):
            return [refuse("noise", payload, "no telemetry of Tasmota's")]
        scale, pressure = message.get("TempUnit", "C"), message.get("PressureUnit", "hPa")
        if type(scale) is not str or scale not in SCALES or type(pressure) is not str or pressure not in PRESSURES:
            message, scale, pressure = _in_known_units(message, scale, pressure)
        if b"[" in payload:
            message = _without_lists(message)
        shape = tuple([(name, *values) for name, values in message.items() if type(values) is dict])
        plan = _plan(shape, scale, pressure) if len(payload) <= PLANNED else _plan.__wrapped__(shape, scale, pressure)
        return _read(message, plan, self._board(levels), payload)

    def _board(self, levels: list[str]) -> str:
        """Return what the levels before the last one name; "" where one of them is empty."""
        for kind in (self._prefix, "stat"):
            if kind in levels:
                levels.remove(kind)
                break
        return "/".join(levels) if all(levels) else ""


def _in_known_units(message: Mapping[str, Any], scale: object, pressure: object) -> tuple[dict[str, Any], str, str]:
    """Return a message as `_without_unknown` does, and the units of what is left."""
    known, known_pressure = (
        unit if isinstance(unit, str) and unit in of else None
        for unit, of in ((scale, SCALES), (pressure, PRESSURES))
    )
    return _without_unknown(message, known, known_pressure), known or "C", known_pressure or "hPa"


def _without_unknown(message: Mapping[str, Any], scale: object, pressure: object) -> dict[str, Any]:
    """Return a message in which what has no known unit is no number: it is left out with this word for it."""

    def seen(name: str, value: object) -> object:
        if (scale is None and name.startswith(tuple(TEMPERATURES))) or (pressure is None and name == "Pressure"):
            return f"{value} of no known unit"
        return value

    return {
        part: {name: seen(name, value) for name, value in values.items()} if type(values) is dict else values
        for part, values in message.items()
    }


def _without_lists(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        part: {name: value for name, value in values.items() if type(value) is not list}
        if type(values) is dict
        else values
        for part, values in message.items()
    }


class Part(NamedTuple):
    """One part of a board: what it is called, where its values stand, and under which of their names."""

    name: str
    where: str
    names: Mapping[str, str]
    """What a name means, mostly itself -> the name."""

    @property
    def numbered(self) -> bool:
        """Tell whether there is more than one of it."""
        separated = "-" in self.name or "_" in self.name
        return "mac" in self.names or (separated and _NUMBERED.fullmatch(self.name) is not None)


Shape = tuple[tuple[str, ...], ...]
"""The parts of a message, each with the names in it."""


def _parts(shape: Shape) -> Iterator[Part]:
    """Return the parts of a board; each of several analog thermometers is a part of its own."""
    for name, *names in shape:
        if name.startswith(NOT_OF_THE_AIR):
            continue
        yield Part(name, name, {one: one for one in names})
        if name == "ANALOG":
            for one in names:
                number = one.removeprefix("Temperature")
                if one.startswith("Temperature") and number.isdecimal():
                    yield Part(f"{name}-{number}", name, {"Temperature": one})


def _table(part: str, scale: tuple[float, float], pressure: Term) -> Mapping[str, Term]:
    """Return what the names in a part mean."""
    fields = dict(TEMPERATURES)
    if part.startswith(INSIDE):
        fields["Temperature"] = "device_temperature"
    elif part.startswith(ON_A_CABLE):
        fields["Temperature"] = "external_temperature"
    return {**TABLE, **{name: Term(field, *scale) for name, field in fields.items()}, "Pressure": pressure}


class Reading(NamedTuple):
    """One reading of a message: where its values are, by part, name there, and name in the table; and its probe."""

    places: tuple[tuple[str, str, str], ...]
    table: Mapping[str, Term]
    probe: str = ""

    def report(self, message: Mapping[str, Any], board: str, payload: bytes) -> list[Measurement | Reject | Remark]:
        """Return it, and what is to be said of it."""
        said = [(label, message[part][name]) for part, name, label in self.places]
        if not self.probe:
            return report(said, self.table, board, payload, health_alone=True)
        return report(said, self.table, board, payload, tags={"probe": self.probe}, health_alone=True)


class Plan(NamedTuple):
    """The board's own reading, and one for each part that is numbered or measures what another does."""

    main: Reading
    probes: tuple[Reading, ...]


PLANNED = 4096
"""Bytes of the longest message whose plan is remembered: there are few kinds of boards, and many ways to pretend."""


@lru_cache(maxsize=128)
def _plan(shape: Shape, scale: str, pressure: str) -> Plan:
    """Return what is read of messages of a shape; boards keep theirs, so this is worked out once for each."""
    places: list[tuple[str, str, str]] = []
    main: dict[str, Term] = {}
    probes: list[Reading] = []
    claimed: set[str] = set()
    for part in _parts(shape):
        table = _table(part.name, SCALES[scale], PRESSURES[pressure])
        known = {name: table[name] for name in part.names if name in table}
        if part.numbered:
            probes.append(_probe(part, known))
            continue
        twice = {name: term for name, term in known.items() if term.field in claimed}
        if any(not VOCABULARY[term.field].health for term in twice.values()):
            probes.append(_probe(part, twice))
        for name, term in known.items():
            if name not in twice:
                label = f"{part.name} {name}"
                main[label] = term
                places.append((part.where, part.names[name], label))
                claimed.add(term.field)
    return Plan(Reading(tuple(places), main), tuple(probe for probe in probes if probe.places))


def _probe(part: Part, known: Mapping[str, Term]) -> Reading:
    return Reading(tuple((part.where, part.names[name], name) for name in known), known, part.name)


def _read(message: Mapping[str, Any], plan: Plan, board: str, payload: bytes) -> list[Measurement | Reject | Remark]:
    """Return the board's reading, and one for each probe."""
    if not plan.probes:
        return plan.main.report(message, board, payload)
    tagged = [one for probe in plan.probes for one in probe.report(message, board, payload)]
    if not plan.main.places:
        return tagged
    own = plan.main.report(message, board, payload)
    if isinstance(own[0], Reject):
        return [*tagged, left_out("the other parts", own[0].detail)]
    return [*own, *(left_out(board, one.detail) if isinstance(one, Reject) else one for one in tagged)]


DRIVER = Driver(
    name="tasmota",
    title="Tasmota",
    link=MqttLink(("tele/+/SENSOR",)),
    fields=declared(
        TABLE,
        {name: Term(field) for name, field in TEMPERATURES.items()},
        {"Pressure": PRESSURES["hPa"]},
        zigbee_received.TABLE,
    ),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=TasmotaOptions,
    kinds=("air_quality",),
)
