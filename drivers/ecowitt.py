"""Ecowitt and Ambient Weather stations: their posts to a custom server, passed on to MQTT as JSON or as the form.

Topic ``ecowitt/{name}``; every value is a text, in imperial units::

    {"PASSKEY": "...", "stationtype": "GW2000A_V3.1.0", "dateutc": "2024-02-08 10: 36: 28", "tempf": "64.76",
     "humidity": "48", "baromabsin": "26.175", "windspeedmph": "0.00", "winddir": "293", "pm25_ch1": "7.0", ...}

Worked: 18.2 degrees, 48 %, 886.387 hPa, PM2.5 7 ug/m3 at 2024-02-08T10:36:28Z, sensor ``{name}``.

Quirks: **PASSKEY identifies the device and is a credential**: it names no sensor, and is struck from what is kept of
a refused message. The time is UTC; firmware V3.1.0 prints spaces after the colons; ``now`` is the time of arrival. A
gateway has up to four dust sensors: ``pm25_ch1`` belongs to the main reading, the others make readings with the tag
``channel``, which may be all there is. So do the thermometers WN31, ``temp1f`` and ``humidity1`` to 8, and the probes
WN34, ``tf_ch1`` to 8. ``.._co2`` is of the WH45, or of the WH46 with PM1 and PM4; its dust is the main one where
channel 1 was ever heard of that station, and left out where channel 1 is silent. -9999 and an empty text stand for a
sensor that is not heard. Means over 24 h, rain, light and what is indoors are not taken; batteries are, where their
code is known: 0 to 5 bars of the dust sensors (6 is mains), volts of WS90, WS80 and WS68. Ambient's ``battout`` and
``batt_co2`` are 1 where the battery is good, Ecowitt's own ``wh65batt`` is 1 where it is low.

Sources: captured posts of EasyWeather, GW1100A, GW2000A (V2.1 to V3.1) and Ambient (AMBWeatherV4) stations, as public
projects show them; for the names of other sensors the gateways' own list of what they send.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from drivers.common.flat_json import PERCENT, Term, declared, in_unit, left_out, report
from drivers.common.forms import is_form, parse_form
from drivers.common.json_messages import MAX_MESSAGE, Output, of_json, refuse
from drivers.common.times import nanoseconds
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

BARS = 0.2
TABLE = {
    "tempf": in_unit("temperature", "degF"),
    "humidity": Term("relative_humidity", PERCENT),
    "baromabsin": in_unit("atmospheric_pressure", "inHg"),
    "windspeedmph": in_unit("wind_speed", "mph"),
    "winddir": Term("wind_direction"),
    "windgustmph": in_unit("gust_speed", "mph"),
    "uv": Term("uv_index"),
    "rainratein": in_unit("precipitation_rate", "in/h"),
    "rrain_piezo": in_unit("precipitation_rate", "in/h"),
    "totalrainin": in_unit("precipitation_total", "in"),
    "pm25_ch1": Term("pm25"),
    "pm25_co2": Term("pm25"),
    "pm10_co2": Term("pm10"),
    "pm1_co2": Term("pm1"),
    "pm4_co2": Term("pm4"),
    "co2": Term("co2"),
    "pm25": Term("pm25"),  # Ambient's name of the outdoor dust sensor
    "wh90batt": Term("battery_voltage"),
    "wh80batt": Term("battery_voltage"),
    "wh68batt": Term("battery_voltage"),
    "wh65batt": Term("battery_low"),
    "pm25batt1": Term("battery_level", BARS),
    "co2_batt": Term("battery_level", BARS),
    "stationtype": Term("firmware_version"),
}
CHANNELS: dict[str, Mapping[str, Term]] = {
    str(number): {
        **(
            {f"pm25_ch{number}": Term("pm25"), f"pm25batt{number}": Term("battery_level", BARS)} if number > 1 else {}
        ),
        f"temp{number}f": in_unit("temperature", "degF"),
        f"humidity{number}": Term("relative_humidity", PERCENT),
        f"tf_ch{number}": in_unit("external_temperature", "degF"),
    }
    for number in range(1, 9)
}
_CREDENTIAL = re.compile(rb'(PASSKEY"?\s*[:=]\s*"?)[^"&,}\s]+', re.IGNORECASE)
_MAINS = "6"
_INSTEAD = "pm25_co2"
REMEMBERED = 1024
UNNAMED = frozenset({"report", ""})
"""The last level of the path on which stations post as delivered, and of none."""


class Decoder:
    """Reads posts; remembers which stations have a dust sensor of channel 1."""

    def __init__(self, _: Options) -> None:
        self._dusty: dict[str, None] = {}

    def decode(self, topic: str, payload: bytes) -> Iterable[Output]:
        """See `gateway.contract.MessageDecoder`."""
        return [
            one._replace(raw=_CREDENTIAL.sub(rb"\1*", one.raw)) if isinstance(one, Reject) else one
            for one in (self._of_form(topic, payload) if is_form(payload) else self._of_json(topic, payload))
        ]

    def _of_form(self, topic: str, payload: bytes) -> Iterable[Output]:
        message = parse_form(payload)
        return [message] if isinstance(message, Reject) else self._read(topic, message, payload)

    @of_json
    def _of_json(self, topic: str, message: Any, payload: bytes) -> Iterable[Output]:  # noqa: ANN401 -- any JSON
        return self._read(topic, message, payload)

    def _read(self, topic: str, message: Any, payload: bytes) -> Iterable[Output]:  # noqa: ANN401 -- any JSON
        sensor = topic.rstrip("/").rpartition("/")[2]
        if type(message) is not dict or not {"stationtype", "dateutc"} <= message.keys():
            return [refuse("noise", payload, "no post of an Ecowitt station")]
        date = message["dateutc"]
        time = nanoseconds(f"{date.replace(': ', ':')}Z") if type(date) is str else None
        if time is None and date != "now":
            return [refuse("range", payload, "dateutc is no time")]
        sensor = _station(message) if sensor in UNNAMED else sensor
        said, remarks = self._main(sensor, message)
        read = [*report(said, TABLE, sensor, payload, time), *remarks]
        others = list(_channels(sensor, message, payload, time))
        if any(isinstance(one, Measurement) for one in others) and isinstance(read[0], Reject):
            return others if read[0].reason == "unsupported" else [*others, left_out("main reading", read[0].detail)]
        return [*read, *others]

    def _main(self, sensor: str, message: Mapping[str, Any]) -> tuple[list[tuple[str, object]], list[Remark]]:
        """Return names and values, channel 1 before the WH45's dust; without that where channel 1 is silent."""
        said = [one for one in message.items() if not (one[1] == _MAINS and one[0] in _BATTERIES)]
        if str(message["stationtype"]).startswith("AMB") and "hourlyrainin" in message:
            said.append(("rainratein", message["hourlyrainin"]))
        if "pm25_ch1" in message:
            self._dusty[sensor] = None
            if len(self._dusty) > REMEMBERED:
                del self._dusty[next(iter(self._dusty))]
        elif sensor in self._dusty and _INSTEAD in message:
            return [one for one in said if one[0] != _INSTEAD], [left_out(_INSTEAD, "without pm25_ch1")]
        said.sort(key=lambda one: one[0] != "pm25_ch1")
        return said, []


def _station(message: Mapping[str, Any]) -> str:
    """Return a name for a station that none is given to: it tells stations apart and does not say the PASSKEY."""
    key = message.get("PASSKEY")
    return sha256(key.encode()).hexdigest()[:8] if type(key) is str and key else ""


_CHANNEL_OF = {
    name: channel for channel, table in CHANNELS.items() for name in table if not name.startswith("pm25batt")
}
_BATTERIES = frozenset({"co2_batt", *(f"pm25batt{number}" for number in range(1, 5))})


def _channels(
    sensor: str, message: Mapping[str, Any], payload: bytes, time: int | None
) -> Iterable[Measurement | Reject | Remark]:
    """Return a reading for each further channel that says more than its battery."""
    found = {_CHANNEL_OF[name] for name in message.keys() & _CHANNEL_OF.keys()}
    for channel in sorted(found):
        table = CHANNELS[channel]
        said = [one for one in message.items() if one[0] in table and not (one[1] == _MAINS and one[0] in _BATTERIES)]
        for one in report(said, table, sensor, payload, time, tags={"channel": channel}):
            yield left_out(f"channel {channel}", one.detail) if isinstance(one, Reject) else one


DRIVER = Driver(
    name="ecowitt",
    title="Ecowitt and Ambient Weather stations",
    link=MqttLink(("ecowitt/+",)),
    fields=declared(TABLE, *CHANNELS.values()),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
