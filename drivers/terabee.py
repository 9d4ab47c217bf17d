"""Terabee People Counting L and L-XL: the counts that the sensor pushes over HTTP, every so often or at each passage.

JSON, in the format that the sensor has as delivered, on a path of the operator's choice::

    {"count_in": 23, "count_out": 12, "timestamp": "1665150406", "device_id": "FA21415EAEB7",
     "username": "...", "password": "..."}

Worked: of the sensor ``FA21415EAEB7``, at 2022-10-07T13:46:46Z, a total_count of 23 with the tag ``direction = "in"``
and one of 12, ``out``.

Quirks: both go on and on, until the sensor's reset hour (00:00 as delivered) or the end of its power. The time is in
seconds, as a text; before its clock is set it is long past, and the time of arrival is taken. ``username`` and
``password`` are credentials: they are struck from what is kept of a refused message. A payload format of one's own
(``{nb_in}``, ``{nb_out}``) is read by the driver ``json``.

Source: the Terabee People Counting L-XL user manual 3.2, as public projects follow it, and their messages of 2022.
What it says over MQTT is not public as far as found.
"""

import re
from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import number
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.common.times import moment
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark, field

LARGEST = 2**32
CLOCK_SET = 946_684_800_000_000_000
"""The year 2000: a clock that says less was never set."""
_CREDENTIAL = re.compile(rb'("(?:username|password)"\s*:\s*")(?:[^"\\]|\\.)*')


class Decoder:
    """Reads pushes; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Remark]:
        """See `gateway.contract.MessageDecoder`."""
        return [
            one._replace(raw=_CREDENTIAL.sub(rb"\1*", one.raw)) if isinstance(one, Reject) else one
            for one in self._read(topic, payload)
        ]

    @of_json
    def _read(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        del topic
        return _counts(message, payload)


def _counts(message: Any, payload: bytes) -> list[Measurement | Reject | Remark]:  # noqa: ANN401 -- the same
    if type(message) is not dict or not {"count_in", "count_out", "device_id"} <= message.keys():
        return [refuse("noise", payload, "no push of a Terabee people counter")]
    sensor = message["device_id"]
    if not (isinstance(sensor, str) and 0 < len(sensor) <= 128 and sensor.isprintable()):
        return [refuse("range", payload, "device_id is no name")]
    readings: list[Measurement | Reject | Remark] = []
    remarks: list[Measurement | Reject | Remark] = []
    stamp = number(message.get("timestamp"))
    time = None if stamp is None else moment(int(stamp) if stamp.is_integer() else stamp, "s")
    if time is None or time < CLOCK_SET:
        remarks.append(Remark("left out", "timestamp", f"{str(message.get('timestamp'))[:64]!r} is no time of now"))
        time = None
    for way in ("in", "out"):
        count = number(message[f"count_{way}"])
        if count is None or not count.is_integer() or not 0 <= count <= LARGEST:
            remarks.append(Remark("left out", f"count_{way}", f"{str(message[f'count_{way}'])[:64]!r} is no count"))
        else:
            readings.append(
                Measurement("traffic", {"total_count": int(count)}, sensor, time, tags={"direction": way})
            )
    return [*readings, *remarks] if readings else [refuse("range", payload, "neither count_in nor count_out is one")]


DRIVER = Driver(
    name="terabee",
    title="Terabee People Counting L, L-XL",
    link=MqttLink(("terabee/#",)),
    fields=(field("total_count"),),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("traffic",),
    experimental=True,
)
