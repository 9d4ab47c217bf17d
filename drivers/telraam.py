"""Telraam: street counts as the service's traffic reports give them, published to MQTT by another program.

JSON, any topic, one row for each hour or quarter::

    {"report": [{"segment_id": 348917, "date": "2020-10-30T07:00:00.000Z", "interval": "hourly", "uptime": 0.73,
                 "car": 619.178, "car_lft": 202.74, "car_rgt": 416.438, "heavy": ..., "bike": ..., ...}]}

Worked: 203 cars to the left and 416 to the right in the hour that begins at that time, sensor ``348917``; eight
readings in all, each with the tags ``vehicle_type`` and ``direction``. With ``"v85": 41.5`` a ninth one says that 85
in 100 cars did not exceed 41.5 km/h.

Quirks: a V1 counter's numbers are already divided by its uptime, so they have a fraction, and are rounded here; those
of an S2 are whole. With an uptime below 0.5 too little was seen: the row is refused. Where a row has no directions,
there is one reading without that tag. Rows of hours that were reported before have the same time, so they replace
themselves. ``v85`` is of all cars, so it has no direction. The other speeds are shares of a histogram and not taken.

Source: Telraam's API documentation, POST /v1/reports/traffic.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import left_out, number
from drivers.common.json_messages import MAX_MESSAGE, find, of_json, refuse
from drivers.common.times import nanoseconds
from gateway.contract import Driver, FieldValue, Measurement, MqttLink, Options, Reject, Remark, field

KINDS = ("car", "heavy", "bike", "pedestrian")
ENDS = {"left": "_lft", "right": "_rgt", "": ""}
PERIODS = {"hourly": 3600.0, "quarterly": 900.0}
MOST = 100_000
ENOUGH = 0.5
"""The uptime below which a row says too little."""


class Decoder:
    """Reads reports; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        del topic
        rows = find(message, ("report",))
        if type(rows) is not list:
            return [refuse("noise", payload, "no report of Telraam's")]
        said: list[Measurement | Reject | Remark] = []
        for row in rows:
            found = counts(row)
            if isinstance(found, str):
                said.append(refuse("range", payload, found))
            else:
                said += _measured(row, found)
                said += _senseless(row)
        return said or [refuse("unsupported", payload, "no rows")]


def counts(row: Any) -> dict[tuple[str, str], float] | str:  # noqa: ANN401 -- JSON may hold anything
    """Return the numbers of a row by kind and direction ("" where it tells none), or what is wrong with it.

    What is no count is left out.
    """
    if type(row) is not dict or type(row.get("segment_id")) is not int:
        return "a row without its segment_id"
    if nanoseconds(row.get("date")) is None:
        return "date is no time"
    uptime = number(row.get("uptime"))
    if uptime is None or not ENOUGH <= uptime <= 1:
        return f"uptime is not from {ENOUGH} to 1"
    found: dict[tuple[str, str], float] = {}
    for kind in KINDS:
        ways = ("left", "right") if f"{kind}_lft" in row and f"{kind}_rgt" in row else ("",)
        for way in ways:
            if (count := _count(row.get(kind + ENDS[way]))) is not None:
                found[kind, way] = count
    return found or "a row without counts"


def _count(value: object) -> float | None:
    count = number(value)
    return count if count is not None and 0 <= count <= MOST else None


def _senseless(row: dict[str, Any]) -> Iterable[Remark]:
    for name in (*(kind + end for kind in KINDS for end in ENDS.values()), "v85"):
        if row.get(name) is not None and _count(row[name]) is None:
            yield left_out(name, f"{row[name]!r} is no count or speed")


def _measured(row: dict[str, Any], found: dict[tuple[str, str], float]) -> Iterable[Measurement]:
    interval = row.get("interval")
    period = {"period": PERIODS[interval]} if type(interval) is str and interval in PERIODS else {}
    said: dict[tuple[str, str], dict[str, FieldValue]] = {
        one: {"intensity": round(count)} for one, count in found.items()
    }
    if (speed := _count(row.get("v85"))) is not None:
        said.setdefault(("car", ""), {})["speed_85th_percentile"] = speed
    sensor, time = str(row["segment_id"]), nanoseconds(row["date"])
    for (kind, way), fields in said.items():
        tags = {"vehicle_type": kind, "direction": way} if way else {"vehicle_type": kind}
        yield Measurement("traffic", {**fields, **period}, sensor, time, tags=tags)


DRIVER = Driver(
    name="telraam",
    title="Telraam (traffic reports)",
    link=MqttLink(("telraam/#",)),
    fields=(field("intensity"), field("speed_85th_percentile"), field("period")),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("traffic",),
)
