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
from typing import Any, NamedTuple, TypeVar

from drivers.common import zigbee_received
from drivers.common.flat_json import PER_DECILITRE, PERCENT, Term, declared, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from gateway.contract import VOCABULARY, Driver, Measurement, MqttLink, Options, Reject, Remark

FAHRENHEIT = (1 / 1.8, -32 / 1.8)
SCALES: Mapping[object, tuple[float, float]] = {"C": (1.0, 0.0), "F": FAHRENHEIT}
PRESSURES: Mapping[object, Term] = {
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

Unit = TypeVar("Unit")
_NUMBERED = re.compile(r".+[-_](?:0x)?[0-9A-Fa-f]+")
_ANSWERS = frozenset({"STATUS8", "STATUS10"})
_SIGNS = frozenset({"Time", "TempUnit", "PressureUnit", "Pressure", *TEMPERATURES, *TABLE})
"""Names of which telemetry has one, beside its parts or in them."""


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
        parts = [part for part in message.values() if type(part) is dict] if type(message) is dict else []
        if type(message) is not dict or _SIGNS.isdisjoint(chain(message, *parts)):
            return [refuse("noise", payload, "no telemetry of Tasmota's")]
        scale, pressure = _unit(message, "TempUnit", SCALES), _unit(message, "PressureUnit", PRESSURES)
        if scale is None or pressure is None:
            message = _without_unknown(message, scale, pressure)
        return _read(message, self._board(levels), scale or SCALES["C"], pressure or PRESSURES["hPa"], payload)

    def _board(self, levels: list[str]) -> str:
        """Return what the levels before the last one name; "" where one of them is empty."""
        kind = next((level for level in (self._prefix, "stat") if level in levels), None)
        if kind is not None:
            levels.remove(kind)
        return "/".join(levels) if all(levels) else ""


def _unit(message: Mapping[str, Any], name: str, known: Mapping[object, Unit]) -> Unit | None:
    said = message.get(name, next(iter(known)))
    return known.get(said) if isinstance(said, str) else None


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


class Part(NamedTuple):
    """One part of a board: what it is called, and what its readings are tagged with where it is one of several."""

    name: str
    values: Mapping[str, object]

    @property
    def numbered(self) -> bool:
        """Tell whether there is more than one of it."""
        separated = "-" in self.name or "_" in self.name
        return "mac" in self.values or (separated and _NUMBERED.fullmatch(self.name) is not None)


def _parts(message: Mapping[str, Any]) -> Iterator[Part]:
    """Return the parts of a board; each of several analog thermometers is a part of its own."""
    for name, values in message.items():
        if type(values) is dict and not name.startswith(NOT_OF_THE_AIR):
            listed = any(type(value) is list for value in values.values())
            yield Part(name, {key: one for key, one in values.items() if type(one) is not list} if listed else values)
            if name == "ANALOG":
                for key, value in values.items():
                    if key.startswith("Temperature") and (number := key.removeprefix("Temperature")).isdecimal():
                        yield Part(f"{name}-{number}", {"Temperature": value})


@lru_cache(maxsize=1024)
def _table(part: str, scale: tuple[float, float], pressure: Term) -> Mapping[str, Term]:
    """Return what the names in a part mean; few parts are ever heard of, so this is worked out once for each."""
    fields = dict(TEMPERATURES)
    if part.startswith(INSIDE):
        fields["Temperature"] = "device_temperature"
    elif part.startswith(ON_A_CABLE):
        fields["Temperature"] = "external_temperature"
    return {**TABLE, **{name: Term(field, *scale) for name, field in fields.items()}, "Pressure": pressure}


def _read(
    message: Mapping[str, Any], board: str, scale: tuple[float, float], pressure: Term, payload: bytes
) -> list[Measurement | Reject | Remark]:
    """Return the board's reading, and one for each part that is numbered or measures what another does."""
    said: list[tuple[str, object]] = []
    main: dict[str, Term] = {}
    others: list[tuple[Part, Mapping[str, Term]]] = []
    for part in _parts(message):
        claimed = {term.field for term in main.values()}
        table = _table(part.name, scale, pressure)
        known = {name: table[name] for name in part.values if name in table}
        if part.numbered:
            others.append((part, known))
            continue
        twice = {name: term for name, term in known.items() if term.field in claimed}
        if any(not VOCABULARY[term.field].health for term in twice.values()):
            others.append((part, twice))
        for name, term in known.items():
            if name not in twice:
                main[f"{part.name} {name}"] = term
                said.append((f"{part.name} {name}", part.values[name]))
    tagged = [
        one
        for part, table in others
        if table
        for one in report(part.values.items(), table, board, payload, tags={"probe": part.name}, health_alone=True)
    ]
    if not main and tagged:
        return tagged
    own = report(said, main, board, payload, health_alone=True)
    if tagged and isinstance(own[0], Reject):
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
