"""Axis cameras: what AXIS Object Analytics counts at a line, or sees in an area, as the camera's MQTT client says it.

JSON, topic ``axis/{serial}/event/tns:axis/CameraApplicationPlatform/ObjectAnalytics/Device1Scenario{n}``, at each
crossing, or when what is in the area changes; every number is a text::

    {"topic": "axis:CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1", "timestamp": 1670518346712,
     "serial": "0123456789AB", "message": {"source": {}, "key": {}, "data": {
        "scenario": "Gate in", "reason": "car", "resetTime": "2022-12-06T22:01:25Z", "total": "20960",
        "totalBus": "0", "totalCar": "18103", "totalHuman": "0", "totalBike": "0", "totalTruck": "2857"}}}

Worked: of the sensor ``0123456789AB`` at that millisecond, with the tag ``scenario = "Gate in"``: a total_count of
20960, and five more with the tag ``vehicle_type`` (bus 0, car 18103, person 0, bicycle 0, truck 2857).

Quirks: line counts go on and on, until somebody resets them or the schedule does (``resetTime``, in 11.3 still
``startTime``). Occupancy in area has names without ``total`` ("human", "car", ..) and only ``total`` where one class
is watched; nothing but these names tells the kinds of scenario apart. Of an area, people are ``people_count``, each
kind of vehicle ``vehicle_count``, all together ``object_count``. Motorcycles and bicycles are one class, ``bike``; in
11.3 it was ``Motorcycle/bicycle``, and ``Unknown`` what is now ``OtherVehicle``. Old firmware sends no name of the
scenario: the last part of the event's topic is taken. ``active`` (motion, fence, time in area), and the events
``..Interval``, ``..Threshold`` and ``..Passthrough`` count nothing that is not in these already.

Source: Axis, AXIS Object Analytics counting data (developer documentation, AXIS OS 11.3 to 12), and messages of
such cameras in public projects.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from drivers.common.flat_json import number
from drivers.common.json_messages import MAX_MESSAGE, find, of_json, refuse
from drivers.common.times import moment
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark, field

KINDS = {
    "human": "person",
    "car": "car",
    "bus": "bus",
    "truck": "truck",
    "bike": "bicycle",
    "motorcycle/bicycle": "bicycle",
    "othervehicle": "vehicle",
    "unknown": "vehicle",
    "vehicle": "vehicle",
}
"""The classes of object analytics, as the tag ``vehicle_type`` has them."""
LINE_SIGNS = frozenset({"reason", "resetTime", "startTime"})
LARGEST = 2**32
SIDE_EVENTS = ("Interval", "Threshold", "Passthrough")


class Decoder:
    """Reads the events of scenarios; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        event = message.get("topic") if type(message) is dict else None
        data = find(message, ("message", "data"))
        if type(event) is not str or "ObjectAnalytics/" not in event or type(data) is not dict:
            return [refuse("noise", payload, "no event of AXIS Object Analytics")]
        scenario = event.rpartition("/")[2]
        is_line = bool(LINE_SIGNS & data.keys()) or any(name[:5] == "total" and name != "total" for name in data)
        if scenario.endswith(SIDE_EVENTS) or not (classes := dict(_classes(data, is_line=is_line))):
            return [refuse("unsupported", payload, f"{scenario[:64]} says no count")]
        try:
            return _read(message, _serial(topic), scenario, classes, is_line=is_line)
        except Impossible as error:
            return [refuse("range", payload, str(error))]


class Impossible(ValueError):
    """An event has a part of another type or value than a camera's."""


def _read(
    message: Mapping[str, Any], serial: str | None, scenario: str, classes: Mapping[str, str], *, is_line: bool
) -> list[Measurement | Reject | Remark]:
    data = message["message"]["data"]
    sensor, time = serial or _name(message.get("serial")), moment(message.get("timestamp"), "ms")
    if sensor is None:
        raise Impossible("neither the message nor its topic names the camera")
    if time is None:
        raise Impossible("timestamp is no time")
    counts, remarks = _counts(data, classes)
    if not counts:
        raise Impossible("; ".join(f"{one.what}: {one.detail}" for one in remarks)[:200])
    about = {"scenario": _name(data.get("scenario")) or scenario}
    readings = [
        Measurement(
            "traffic",
            {_field(kind, is_line=is_line): count},
            sensor,
            time,
            tags={**about, "vehicle_type": kind} if kind else about,
        )
        for kind, count in counts.items()
    ]
    return [*readings, *remarks]


def _counts(data: Mapping[str, object], classes: Mapping[str, str]) -> tuple[dict[str, int], list[Remark]]:
    counts: dict[str, int] = {}
    remarks = []
    for name, kind in classes.items():
        count = number(data[name])
        if count is None or not count.is_integer() or not 0 <= count <= LARGEST:
            remarks.append(Remark("left out", name[:64], f"{str(data[name])[:64]!r} is no count"))
        else:
            counts[kind] = counts.get(kind, 0) + int(count)
    return counts, remarks


def _classes(data: Mapping[str, object], *, is_line: bool) -> Iterator[tuple[str, str]]:
    """Return the names of counts, each with its kind of object; "" where it is of all kinds."""
    for name in data:
        bare = name.removeprefix("total") if is_line else name
        if name == "total":
            yield name, ""
        elif (bare != name or not is_line) and (kind := KINDS.get(bare.lower())) is not None:
            yield name, kind


def _field(kind: str, *, is_line: bool) -> str:
    if is_line:
        return "total_count"
    return {"": "object_count", "person": "people_count"}.get(kind, "vehicle_count")


def _serial(topic: str) -> str | None:
    levels = topic.split("/")
    return _name(levels[1]) if len(levels) > 2 and levels[0] == "axis" else None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable() else None


DRIVER = Driver(
    name="axis",
    title="Axis cameras (AXIS Object Analytics)",
    link=MqttLink(("axis/+/event/#",)),
    fields=tuple(map(field, ("total_count", "people_count", "vehicle_count", "object_count"))),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("traffic",),
)
