"""Frigate: objects that a network video recorder sees passing its cameras; each is counted once, when it has gone.

MQTT, JSON, topic ``frigate/events``; ``new``, then ``update`` several times, then ``end``::

    {"type": "end", "before": {...}, "after": {"id": "1607123955.475377-mxklsc", "camera": "front_door",
     "label": "car", "false_positive": false, "start_time": 1607123955.475377, "end_time": 1607123961.8,
     "entered_zones": ["yard", "driveway"], "stationary": false, ...}}

Worked: an intensity of 1 with the tag ``vehicle_type = "car"`` at 1607123955.475377, of the sensor ``front_door``.
Since Frigate 0.15, where the zone's distances are set, ``average_estimated_speed`` is given too.

Quirks: an object keeps its id as long as it is followed; a message that comes again is known by it (the last 1024 ids
are remembered, and each is the reading's key). ``false_positive`` was nothing after all. With a zone set, only what
entered it counts. The speed is in km/h or mph, as Frigate's ``unit_system`` says, and 0 where none was estimated: see
the option ``speed_unit``. Labels that are not wanted are left alone, so that tags stay few.
``frigate/{camera}/{object}`` is how many are there now, no count of passages, and not read. Times are seconds with a
fraction.

Source: Frigate documentation, MQTT, 0.12 to 0.16.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from drivers.common.flat_json import left_out, number
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.common.times import moment
from gateway.contract import Driver, FieldValue, Measurement, MqttLink, Options, Reject, Remark, field

REMEMBERED = 1024
UNITS = {"km/h": 1.0, "mph": 1.609344}


class FrigateOptions(Options):
    """What counts."""

    labels: tuple[str, ...] = ("bicycle", "bus", "car", "motorcycle", "person", "truck")
    """Frigate's names of the objects that are counted."""
    zone: str = ""
    """Only what entered this zone; "" for all that the camera sees."""
    speed_unit: Literal["km/h", "mph"] = "km/h"
    """What speeds are in: "mph" where Frigate's ``unit_system`` is imperial."""


class Decoder:
    """Counts ends of events; keeps the ids of the last ones."""

    def __init__(self, options: FrigateOptions) -> None:
        self._options = options
        self._counted: dict[str, None] = {}

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        step, after = (message.get("type"), message.get("after")) if type(message) is dict else (None, None)
        if type(after) is not dict or type(step) is not str or "camera" not in after:
            return [refuse("noise", payload, "no event of Frigate's")]
        why_not = self._passed_over(step, after)
        return [refuse("unsupported", payload, why_not)] if why_not else self._count(after, payload)

    def _passed_over(self, step: str, after: dict[str, Any]) -> str:
        if step != "end":
            return "the event goes on"
        if after.get("false_positive") is True:
            return "a false positive"
        if after.get("label") not in self._options.labels:
            return "a label that is not counted"
        zones = after.get("entered_zones")
        if self._options.zone and not (type(zones) is list and self._options.zone in zones):
            return "it did not enter the zone"
        return ""

    def _count(self, after: dict[str, Any], payload: bytes) -> Sequence[Measurement | Reject | Remark]:
        key, camera = _name(after.get("id")), _name(after["camera"])
        if key is None or camera is None:
            return [refuse("range", payload, "id or camera is no name")]
        time = moment(after.get("start_time"), "s")
        if time is None:
            return [refuse("range", payload, "start_time is no time")]
        if key in self._counted:
            return [refuse("unsupported", payload, "counted before")]
        self._counted[key] = None
        if len(self._counted) > REMEMBERED:
            del self._counted[next(iter(self._counted))]
        fields: dict[str, FieldValue] = {"intensity": 1}
        said = [Measurement("traffic", fields, camera, time, key, tags={"vehicle_type": after["label"]})]
        if (estimated := after.get("average_estimated_speed")) is None:
            return said
        speed = number(estimated)
        if speed is None or speed < 0:
            return [*said, left_out("average_estimated_speed", f"{estimated!r} is no speed")]
        if speed:
            fields["average_vehicle_speed"] = round(speed * UNITS[self._options.speed_unit], 6)
        return said


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 128 and value.isprintable() else None


DRIVER = Driver(
    name="frigate",
    title="Frigate (network video recorder)",
    link=MqttLink(("frigate/events",)),
    fields=(field("intensity"), field("average_vehicle_speed")),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=FrigateOptions,
    kinds=("traffic",),
)
