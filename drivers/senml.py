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
from typing import NamedTuple

from drivers.common.flat_json import Term, declared, report
from drivers.common.json_messages import MAX_MESSAGE, parse, refuse
from drivers.common.times import moment
from gateway.contract import VOCABULARY, Driver, Measurement, MqttLink, Options, Quality, Reject

RELATIVE = 2**28
"""A time in seconds below this is relative to now."""

_VALUES = ("v", "vb", "vs", "vd", "s")
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


def resolve(pack: object) -> list[Record] | str:
    """Return the records of a pack that hold a value, or what is wrong with it."""
    if type(pack) is not list or not all(type(one) is dict for one in pack):
        return "no list of records"
    records: list[Record] = []
    base, unit, time, value, total = "", "", 0.0, 0.0, 0.0
    try:
        for one in pack:
            if _number(one, "bver", 10) > 10 or any(name.endswith("_") for name in one):
                return "a version or field that must be understood and is not"
            base, unit = _text(one, "bn", base), _text(one, "bu", unit)
            time, value, total = _number(one, "bt", time), _number(one, "bv", value), _number(one, "bs", total)
            if not any(name in one for name in _VALUES):
                continue
            number = _number(one, "v", 0.0) + value if "v" in one else None
            moment_said = _number(one, "t", 0.0) + time
            summed = _number(one, "s", 0.0) + total if "s" in one else None
            name, its_unit = _text(one, "n", ""), _text(one, "u", unit)
            records.append(Record(base, name, its_unit, moment_said, number, _other(one), summed))
    except _Impossible as error:
        return str(error)
    return records


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

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.MessageDecoder`."""
        del topic
        pack = parse(payload)
        if isinstance(pack, Reject):
            return [pack]
        if type(pack) is not list:
            return [refuse("noise", payload, "no SenML pack")]
        records = resolve(pack)
        if isinstance(records, str):
            return [refuse("range", payload, records)]
        told: dict[tuple[str, float], list[tuple[str, object]]] = {}
        for record in records:
            sensor, quantity = _split(record)
            known = quantity if quantity in BY_NAME else record.unit
            if record.value is not None and known in TABLE:
                told.setdefault((sensor, record.time), []).append((known, record.value))
        if not told:
            return [refuse("unsupported", payload, "no record that is known")]
        return [_measured(sensor, time, said, payload) for (sensor, time), said in told.items()]


def _split(record: Record) -> tuple[str, str]:
    """Return the sensor and, where its name says so, what is measured."""
    if record.base and record.name:
        return record.base.rstrip(":/"), record.name
    whole = record.base or record.name
    cut = max(whole.rfind(":"), whole.rfind("/"))
    return (whole[:cut], whole[cut + 1 :]) if cut > 0 and whole[cut + 1 :] in BY_NAME else (whole.rstrip(":/"), "")


def _measured(sensor: str, time: float, said: list[tuple[str, object]], payload: bytes) -> Measurement | Reject:
    if time < RELATIVE:
        found = report(said, TABLE, sensor, payload)
        doubt = Quality.ESTIMATED_TIME if time else Quality.GOOD
        return found if isinstance(found, Reject) else found._replace(quality=found.quality | doubt)
    stamp = moment(time, "s")
    return refuse("range", payload, "t is no time") if stamp is None else report(said, TABLE, sensor, payload, stamp)


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
