"""Xovis people counters: what their logics count at lines and in zones, as the sensor pushes it.

JSON by HTTP or MQTT on a path or topic of the operator's choice, a record for each interval; after a gap of the line
the old ones come with their own times::

    {"logics_data": {"package_info": {"version": "5.0", "id": 28, "agent_id": 1008},
      "sensor_info": {"serial_number": "80:1F:12:0A:0B:0C", "type": "SINGLE_SENSOR", "timezone": "Europe/Zurich"},
      "logics": [{"id": 2, "name": "Gate", "info": "XLT_4X_LINE_IN_OUT_COUNT",
        "geometries": [{"id": 2, "type": "LINE", "name": "Line 0"}],
        "records": [{"from": 1645792860000, "to": 1645792920000,
                     "counts": [{"id": 2, "name": "fw", "value": 1}, {"id": 3, "name": "bw", "value": 0}]}]}]}}

Worked: of the sensor ``80:1F:12:0A:0B:0C`` an intensity of 1 in the 60 s from that time, with the tags ``line =
"Gate"``, ``logic = "2"``, ``direction = "forward"`` and ``vehicle_type = "person"``; and one of 0, ``backward``.

Quirks: ``fw`` and ``bw`` are of the interval, ``balance`` is who is in the zone (``people_count``, tag ``zone``).
Other counts (by sex, height, mask, waiting) are left out by name. What a logic counts is in its ``info``: persons
where that names no other. Times are ms, or RFC 3339 where the agent is set so. ``live_data`` tells each crossing
besides: it is read only with ``events = true``, because both together count twice; of a GROUP only its members count.
``status_data`` is no reading.

Source: messages of sensors with firmware 5.0 (2022) in public projects, and Xovis's API description 5.x for the two
kinds of counters. The data push of firmware 4 (other names) is not public as far as found, and refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from drivers.common.flat_json import number
from drivers.common.json_messages import MAX_MESSAGE, find, of_json, refuse
from drivers.common.times import moment
from gateway.contract import Driver, FieldValue, Measurement, MqttLink, Options, Reject, Remark, field

DIRECTIONS = {"fw": "forward", "bw": "backward"}
CROSSINGS = {"LINE_CROSS_FORWARD": "forward", "LINE_CROSS_BACKWARD": "backward"}
OTHERS = ("GROUP", "BICYCLE", "PRAM", "WHEELCHAIR", "SHOPPING_CART")
"""What an ``info`` may name in place of persons."""
LARGEST = 100_000


class XovisOptions(Options):
    """What is read."""

    events: bool = False
    """Each crossing of a line from ``live_data``, for sensors that push no counts."""


class Decoder:
    """Reads pushes; keeps no state."""

    def __init__(self, options: XovisOptions) -> None:
        self._events = options.events

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        kind = next((name for name in ("logics_data", "live_data", "status_data") if find(message, (name,))), "")
        if not kind or type(message[kind]) is not dict:
            return [refuse("noise", payload, "no push of a Xovis sensor")]
        if kind == "status_data":
            return [refuse("unsupported", payload, "a status, no count")]
        if kind == "live_data" and not self._events:
            return [refuse("unsupported", payload, "each crossing is read only with the option events = true")]
        return _read(message[kind], payload, _logics if kind == "logics_data" else _crossings)


def _read(
    data: dict[str, Any], payload: bytes, parts: Callable[[Mapping[str, object]], Iterator[Measurement | Remark]]
) -> Iterable[Measurement | Reject | Remark]:
    sensor = _name(find(data, ("sensor_info", "serial_number")))
    if sensor is None:
        return [refuse("range", payload, "no serial_number")]
    said = [one if isinstance(one, Remark) else one._replace(sensor=sensor) for one in parts(data)]
    if any(isinstance(one, Measurement) for one in said):
        return said
    why = "; ".join(f"{one.what}: {one.detail}" for one in said if isinstance(one, Remark))
    return [refuse("unsupported", payload, why[:200] or "no count of anything")]


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if type(one) is dict] if type(value) is list else []


def _logics(data: Mapping[str, object]) -> Iterator[Measurement | Remark]:
    for logic in _objects(data.get("logics")):
        info, identity = logic.get("info"), logic.get("id")
        kind = next((one.lower() for one in OTHERS if type(info) is str and one in info), "person")
        known = type(identity) is int or type(identity) is str
        tags = {"logic": str(identity)[:32]} if known else {}
        name = _name(logic.get("name")) or "unnamed"
        for record in _objects(logic.get("records")):
            begun, ended = (_time(record.get(end)) for end in ("from", "to"))
            if begun is None:
                yield Remark("left out", name, f"a record from {str(record.get('from'))[:64]!r}, which is no time")
                continue
            period = (ended - begun) / 1e9 if ended is not None and ended > begun else None
            for one in _record(record, name, {**tags, "vehicle_type": kind}, period):
                yield one if isinstance(one, Remark) else one._replace(time=begun)


def _record(
    record: Mapping[str, object], name: str, tags: dict[str, str], period: float | None
) -> Iterator[Measurement | Remark]:
    for count in _objects(record.get("counts")):
        what, value = count.get("name"), number(count.get("value"))
        if value is None or not value.is_integer() or not 0 <= value <= LARGEST:
            yield Remark("left out", f"{name} {what}"[:64], f"{str(count.get('value'))[:64]!r} is no count")
        elif what == "balance":
            kind = "people_count" if tags["vehicle_type"] == "person" else "object_count"
            yield Measurement("traffic", {kind: int(value)}, tags={"zone": name, **tags})
        elif (direction := DIRECTIONS.get(str(what))) is not None:
            fields: dict[str, FieldValue] = {"intensity": int(value)}
            if period is not None:
                fields["period"] = period
            yield Measurement("traffic", fields, tags={"line": name, "direction": direction, **tags})
        else:
            yield Remark("left out", str(what)[:64], "not in the vocabulary")


def _crossings(data: Mapping[str, object]) -> Iterator[Measurement | Remark]:
    for frame in _objects(data.get("frames")):
        time = _time(frame.get("time"))
        kinds = {one["track_id"]: one.get("type") for one in _objects(frame.get("tracked_objects")) if _is_track(one)}
        passed: dict[tuple[str, str, str], int] = {}
        for event in _objects(frame.get("events")):
            about = event.get("attributes")
            direction = CROSSINGS.get(str(event.get("type")))
            if direction is None or type(about) is not dict:
                continue
            kind = str(kinds.get(about["track_id"], "PERSON") if _is_track(about) else "PERSON")
            if kind != "GROUP":
                place = _name(about.get("geometry_name")) or "unnamed", direction, kind.lower()[:32]
                passed[place] = passed.get(place, 0) + 1
        if passed and time is None:
            yield Remark("left out", "frame", f"{str(frame.get('time'))[:64]!r} is no time")
            continue
        for (line, direction, kind), count in passed.items():
            tags = {"line": line, "direction": direction, "vehicle_type": kind}
            yield Measurement("traffic", {"intensity": count}, time=time, tags=tags)


def _is_track(one: Mapping[str, object]) -> bool:
    return type(one.get("track_id")) is int


def _time(value: object) -> int | None:
    return moment(value, "rfc3339" if isinstance(value, str) else "ms")


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable() else None


DRIVER = Driver(
    name="xovis",
    title="Xovis people counters (firmware 5)",
    link=MqttLink(("xovis/#",)),
    fields=tuple(map(field, ("intensity", "people_count", "object_count", "period"))),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=XovisOptions,
    kinds=("traffic",),
    experimental=True,
)
