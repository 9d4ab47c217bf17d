"""What the parts of a Tasmota board measure, worked out once for each shape of a message. Pure."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from drivers.common.flat_json import PER_DECILITRE, PERCENT, Term, in_unit, left_out, report
from gateway.contract import VOCABULARY, Measurement, Reject, Remark

SCALES: Mapping[str, str] = {"C": "degC", "F": "degF"}
PRESSURES: Mapping[str, Term] = {
    "hPa": Term("atmospheric_pressure"),
    "mmHg": in_unit("atmospheric_pressure", "mmHg"),
    "inHg": in_unit("atmospheric_pressure", "inHg"),
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


def _table(part: str, scale: str, pressure: Term) -> Mapping[str, Term]:
    """Return what the names in a part mean."""
    fields = dict(TEMPERATURES)
    if part.startswith(INSIDE):
        fields["Temperature"] = "device_temperature"
    elif part.startswith(ON_A_CABLE):
        fields["Temperature"] = "external_temperature"
    return {**TABLE, **{name: in_unit(field, scale) for name, field in fields.items()}, "Pressure": pressure}


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
def plan(shape: Shape, scale: str, pressure: str) -> Plan:
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


def read(
    message: Mapping[str, Any], planned: Plan, board: str, payload: bytes
) -> list[Measurement | Reject | Remark]:
    """Return the board's reading, and one for each probe."""
    if not planned.probes:
        return planned.main.report(message, board, payload)
    tagged = [one for probe in planned.probes for one in probe.report(message, board, payload)]
    if not planned.main.places:
        return tagged
    own = planned.main.report(message, board, payload)
    if isinstance(own[0], Reject):
        return [*tagged, left_out("the other parts", own[0].detail)]
    return [*own, *(left_out(board, one.detail) if isinstance(one, Reject) else one for one in tagged)]
