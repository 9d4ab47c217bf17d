"""SenML packs in JSON (RFC 8428): records whose base name, time, unit and value apply until replaced.

Any topic, for example ``senml/#``::

    [{"bn": "urn:dev:ow:10e2073a01080063:", "bt": 1320067464, "bu": "Cel", "n": "temperature", "v": 20.3},
     {"n": "humidity", "u": "%RH", "t": -5, "v": 55}]

Worked: 20.3 degrees at 1320067464, and 55 % five seconds before, both of sensor ``urn:dev:ow:10e2073a01080063``.

Rules: the name is bn + n, the unit u or bu, the value v + bv, the time t + bt. A time below 2^28 is relative to now,
which only the arrival can tell: 0 is the time of arrival, and so is any other, marked as estimated. ``bver`` up to 10
is understood; an unknown field whose name ends in ``_`` must be understood, so it is refused. Records with vb, vs, vd
or only a sum hold no number and are passed over.

The sensor is bn. The field follows from n, where that is a vocabulary name (``pm25`` in ug/m3, ``co2`` in ppm), or
else from the unit: Cel, K, %RH, Pa, hPa, lx, dB, %EL. With only one of bn and n, it names the sensor, or, where it
ends in ``:`` or ``/`` and a vocabulary name, both. Records of one sensor and time make one measurement.

Source: RFC 8428, sections 4 and 5, and its examples.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from drivers.common.flat_json import Term, declared, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.common.times import moment
from gateway.contract import VOCABULARY, Driver, Measurement, MqttLink, Options, Quality, Reject, Remark

RELATIVE = 2**28
"""A time in seconds below this is relative to now."""

_VALUES = frozenset({"v", "vb", "vs", "vd", "s"})
_BASES = frozenset({"bn", "bu", "bt", "bv", "bs"})
_NOT_UNDERSTOOD = "a version or field that must be understood and is not"
BY_UNIT = {
    "Cel": Term("temperature"),
    "K": Term("temperature", 1, -273.15),
    "%RH": Term("relative_humidity", 0.01),
    "Pa": Term("atmospheric_pressure", 0.01),
    "hPa": Term("atmospheric_pressure"),
    "lx": Term("illuminance"),
    "dB": Term("sound_level"),
    "%EL": Term("battery_level", 0.01),
}
BY_NAME = {
    name: Term(name)
    for name, field in VOCABULARY.items()
    if "air_quality" in field.kinds and field.type == "float" and field.unit == "ug/m3"
} | {"co2": Term("co2")}


class Record(NamedTuple):
    """One record with everything that holds for it; ``time`` in seconds, relative to now below `RELATIVE`.

    ``value`` is its number, ``other`` what it holds instead of one (vb, vs, vd), ``total`` the sum over time (s).
    """

    base: str
    name: str
    unit: str
    time: float
    value: float | None
    other: bool | str | None = None
    total: float | None = None


class _Impossible(ValueError):
    pass


class Resolved(NamedTuple):
    """The records of a pack that hold a value, and what was left out of it."""

    records: list[Record]
    remarks: list[Remark]


def resolve(pack: object) -> Resolved | str:
    """Return the records of a pack, or what is wrong with all of it.

    A record with a part that is none of its type is left out alone; a base of that kind is of all that follow, and so
    the pack is refused, but for a base unit: without it a record may still say what it is.
    """
    if type(pack) is not list or not all(type(one) is dict for one in pack):
        return "no list of records"
    said = Resolved([], [])
    base = Record("", "", "", 0.0, 0.0, None, 0.0)
    for number, one in enumerate(pack):
        try:
            if "bver" in one and _number(one, "bver", 10) > 10:
                return _NOT_UNDERSTOOD
            for name in one:
                if name[-1:] == "_":
                    return _NOT_UNDERSTOOD
            if not _BASES.isdisjoint(one):
                base = _based(one, base)
        except _Impossible as error:
            return str(error)
        if not _VALUES.isdisjoint(one):
            try:
                said.records.append(_record(one, base))
            except _Impossible as error:
                said.remarks.append(left_out(str(one.get("n", number)), error))
    return said


def _based(one: dict[str, object], before: Record) -> Record:
    """Return what a record makes the base of itself and of all that follow."""
    unit = one.get("bu", before.unit)
    return Record(
        _text(one, "bn", before.base),
        "",
        unit if isinstance(unit, str) else "",
        _number(one, "bt", before.time),
        _number(one, "bv", before.value or 0.0),
        None,
        _number(one, "bs", before.total or 0.0),
    )


def _record(one: dict[str, object], base: Record) -> Record:
    number = _number(one, "v", 0.0) + (base.value or 0.0) if "v" in one else None
    summed = _number(one, "s", 0.0) + (base.total or 0.0) if "s" in one else None
    name, unit, time = _text(one, "n", ""), _text(one, "u", base.unit), _number(one, "t", 0.0) + base.time
    return Record(base.base, name, unit, time, number, _other(one), summed)


def _number(record: dict[str, object], name: str, otherwise: float) -> float:
    value = record.get(name, otherwise)
    if type(value) not in (int, float) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Impossible(f"{name} is no number")
    return value


def _other(record: dict[str, object]) -> bool | str | None:
    for name, kind in (("vb", bool), ("vs", str), ("vd", str)):
        value = record.get(name)
        if value is not None and not isinstance(value, kind):
            raise _Impossible(f"{name} is no {kind.__name__}")
        if isinstance(value, bool | str):
            return value
    return None


def _text(record: dict[str, object], name: str, otherwise: str) -> str:
    value = record.get(name, otherwise)
    if not isinstance(value, str) or len(value) > 256:
        raise _Impossible(f"{name} is no short text")
    return value


class Decoder:
    """Resolves packs; keeps no state between them."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, pack: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        if type(pack) is not list:
            return [refuse("noise", payload, "no SenML pack")]
        found = resolve(pack)
        if isinstance(found, str):
            return [refuse("range", payload, found)]
        told: dict[tuple[str, float], list[tuple[str, object]]] = {}
        for record in found.records:
            sensor, quantity = _split(record)
            known = quantity if quantity in BY_NAME else record.unit
            if record.value is not None and known in TABLE:
                told.setdefault((sensor, record.time), []).append((known, record.value))
        if not told:
            why = "; ".join(f"{one.what}: {one.detail}" for one in found.remarks)
            return [
                refuse("range", payload, why) if why else refuse("unsupported", payload, "no record that is known")
            ]
        measured = [one for (sensor, time), said in told.items() for one in _measured(sensor, time, said, payload)]
        return [*measured, *found.remarks]


def _split(record: Record) -> tuple[str, str]:
    """Return the sensor and, where its name says so, what is measured."""
    if record.base and record.name:
        return record.base.rstrip(":/"), record.name
    whole = record.base or record.name
    cut = max(whole.rfind(":"), whole.rfind("/"))
    return (whole[:cut], whole[cut + 1 :]) if cut > 0 and whole[cut + 1 :] in BY_NAME else (whole.rstrip(":/"), "")


def _measured(
    sensor: str, time: float, said: list[tuple[str, object]], payload: bytes
) -> Iterable[Measurement | Reject | Remark]:
    if time < RELATIVE:
        found = report(said, TABLE, sensor, payload)
        if not time:
            return found
        doubt = Quality.ESTIMATED_TIME
        return [one._replace(quality=one.quality | doubt) if isinstance(one, Measurement) else one for one in found]
    stamp = moment(time, "s")
    return (
        [refuse("range", payload, "t is no time")] if stamp is None else report(said, TABLE, sensor, payload, stamp)
    )


TABLE = {**BY_UNIT, **BY_NAME}

DRIVER = Driver(
    name="senml",
    title="SenML (RFC 8428)",
    link=MqttLink(("senml/#",)),
    fields=declared(TABLE),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
