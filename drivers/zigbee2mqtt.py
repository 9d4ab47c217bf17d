"""Zigbee2MQTT: readings of Zigbee air sensors, from the bridge's MQTT messages.

JSON, topic ``zigbee2mqtt/{friendly name}``, where the name may hold slashes; only what changed, or all of it::

    {"temperature": 27.34, "humidity": 44.72, "pm25": 12, "battery": 87, "voltage": 2995, "linkquality": 97,
     "last_seen": "2026-03-01T06:07:08.123Z"}

Worked: 27.34 degrees, 44.72 %, PM2.5 12 ug/m3, a battery at 87 % and 2.995 V, at that time, sensor
``{friendly name}``.

Quirks: the bridge has the broker retain messages and says them anew when it starts, with old values. Only
``last_seen`` tells: with it (``advanced.last_seen``, as ISO 8601 or in milliseconds) the reading has its own time,
and the same reading again is stored at the same moment. Switch it on. What was never heard is null. ``voltage`` is in
mV beside a battery; of a mains device it is the mains, and not taken. ``illuminance`` is a raw number where
``illuminance_lux`` stands beside it (1.x), and lux where it does not (2.x). What a motion sensor calls ``occupancy``,
and a radar ``presence``, is ``motion``, 1 or 0. ``voc`` and ``formaldehyd`` have another unit with each maker and are
not taken. ``bridge/..``, ``../availability``, ``../set`` and ``../get`` are no readings.

Source: Zigbee2MQTT documentation, MQTT topics and messages, and its pages on devices; versions 1.18 to 2.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import PERCENT, Term, declared, report
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.common.times import moment
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

TABLE = {
    "temperature": Term("temperature"),
    "humidity": Term("relative_humidity", PERCENT),
    "pressure": Term("atmospheric_pressure"),
    "pm1": Term("pm1"),
    "pm25": Term("pm25"),
    "pm10": Term("pm10"),
    "co2": Term("co2"),
    "voc_index": Term("tvoc_index"),
    "illuminance_lux": Term("illuminance"),
    "illuminance": Term("illuminance"),
    "noise": Term("sound_level"),
    "occupancy": Term("motion"),
    "presence": Term("motion"),
    "battery": Term("battery_level", PERCENT),
    "battery_low": Term("battery_low"),
    "voltage": Term("battery_voltage", 0.001),
    "device_temperature": Term("device_temperature"),
    "linkquality": Term("link_quality"),
}
_NO_READINGS = frozenset({"availability", "set", "get"})


class Zigbee2MqttOptions(Options):
    """How the bridge is set up."""

    base: str = "zigbee2mqtt"
    """Its ``mqtt.base_topic``."""

    @property
    def readable_topics(self) -> tuple[str, ...]:
        """What the bridge publishes below its base."""
        return (f"{self.base}/#",)


class Decoder:
    """Reads the bridge's messages about devices; keeps no state."""

    def __init__(self, options: Zigbee2MqttOptions) -> None:
        self._base = f"{options.base}/"

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        if type(message) is not dict or not topic.startswith(self._base):
            return [refuse("noise", payload, "no message of Zigbee2MQTT's")]
        name = topic.removeprefix(self._base)
        if name.startswith("bridge/") or name.rpartition("/")[2] in _NO_READINGS:
            return [refuse("unsupported", payload, "no device's state")]
        time, seen = None, message.get("last_seen")
        if seen is not None and (time := moment(seen, "rfc3339" if isinstance(seen, str) else "ms")) is None:
            return [refuse("range", payload, "last_seen is no time")]
        left_out = {"illuminance"} if message.get("illuminance_lux") is not None else set()
        if message.get("battery") is None:
            left_out.add("voltage")
        for motion in ("occupancy", "presence"):
            if type(moved := message.get(motion)) is bool:
                message[motion] = int(moved)
        said = [(key, value) for key, value in message.items() if value is not None and key not in left_out]
        return report(said, TABLE, name, payload, time)


DRIVER = Driver(
    name="zigbee2mqtt",
    title="Zigbee2MQTT",
    link=MqttLink(("zigbee2mqtt/+",)),
    fields=declared(TABLE),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=Zigbee2MqttOptions,
    kinds=("air_quality",),
)
