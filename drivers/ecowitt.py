"""Ecowitt gateways and weather stations: their posts to a custom server, passed on to MQTT as JSON or as the form.

Topic ``ecowitt/{name}``; every value is a text, in imperial units::

    {"PASSKEY": "...", "stationtype": "GW2000A_V3.1.0", "dateutc": "2024-02-08 10: 36: 28", "tempf": "64.76",
     "humidity": "48", "baromabsin": "26.175", "windspeedmph": "0.00", "winddir": "293", "pm25_ch1": "7.0", ...}

Worked: 18.2 degrees, 48 %, 886.387 hPa, PM2.5 7 ug/m3 at 2024-02-08T10:36:28Z, sensor ``{name}``.

Quirks: **PASSKEY identifies the device and is a credential**: it names no sensor, and is struck from what is kept of
a refused message. The time is UTC; firmware V3.1.0 prints spaces after the colons. A gateway has up to four dust
sensors: ``pm25_ch1`` belongs to the main reading, the others make readings with the tag ``channel``, which may be
all there is. ``.._co2`` is of the WH45, which counts where there is no channel 1. Means over 24 h, rain, light and
what is indoors are not taken; batteries are, where their code is known: 0 to 5 bars of the dust sensors (6 is
mains), volts of the WS90.

Source: captured posts of EasyWeather and GW2000A stations, as public projects show them.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from drivers.common.flat_json import PERCENT, Term, declared, report
from drivers.common.json_messages import MAX_MESSAGE, parse, refuse
from drivers.common.times import nanoseconds
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject

MILES_PER_HOUR = 0.44704
INCHES_OF_MERCURY = 33.8638866667
BARS = 0.2
TABLE = {
    "tempf": Term("temperature", 1 / 1.8, -32 / 1.8),
    "humidity": Term("relative_humidity", PERCENT),
    "baromabsin": Term("atmospheric_pressure", INCHES_OF_MERCURY),
    "windspeedmph": Term("wind_speed", MILES_PER_HOUR),
    "winddir": Term("wind_direction"),
    "pm25_ch1": Term("pm25"),
    "pm25_co2": Term("pm25"),
    "pm10_co2": Term("pm10"),
    "co2": Term("co2"),
    "wh90batt": Term("battery_voltage"),
    "pm25batt1": Term("battery_level", BARS),
    "stationtype": Term("firmware_version"),
}
CHANNELS = {
    str(number): {f"pm25_ch{number}": Term("pm25"), f"pm25batt{number}": Term("battery_level", BARS)}
    for number in (2, 3, 4)
}
_CREDENTIAL = re.compile(rb'(PASSKEY"?\s*[:=]\s*"?)[^"&,}\s]+', re.IGNORECASE)
_MAINS = "6"


class Decoder:
    """Reads posts; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.MessageDecoder`."""
        return [
            one._replace(raw=_CREDENTIAL.sub(rb"\1*", one.raw)) if isinstance(one, Reject) else one
            for one in _read(topic.rpartition("/")[2], payload)
        ]


def _message(payload: bytes) -> Any:  # noqa: ANN401 -- JSON may hold anything
    if not re.match(rb"[A-Za-z]\w*=", payload) or len(payload) > MAX_MESSAGE:
        return parse(payload)
    try:
        return dict(parse_qsl(payload.decode("ascii"), max_num_fields=500))
    except ValueError as error:
        return refuse("noise", payload, f"no form: {error}")


def _read(sensor: str, payload: bytes) -> Iterable[Measurement | Reject]:
    message = _message(payload)
    if isinstance(message, Reject):
        return [message]
    if type(message) is not dict or not {"stationtype", "dateutc"} <= message.keys():
        return [refuse("noise", payload, "no post of an Ecowitt station")]
    date = message["dateutc"]
    time = nanoseconds(f"{date.replace(': ', ':')}Z") if type(date) is str else None
    if time is None:
        return [refuse("range", payload, "dateutc is no time")]
    said = [(name, value) for name, value in message.items() if not (name.startswith("pm25batt") and value == _MAINS)]
    said.sort(key=lambda one: one[0] != "pm25_ch1")  # it counts before the WH45's
    read = [report(said, TABLE, sensor, payload, time)]
    for channel, table in CHANNELS.items():
        if f"pm25_ch{channel}" in message:
            one = report(said, table, sensor, payload, time)
            read.append(one if isinstance(one, Reject) else one._replace(tags={"channel": channel}))
    if len(read) > 1 and isinstance(read[0], Reject) and read[0].reason == "unsupported":
        return read[1:]
    return read


DRIVER = Driver(
    name="ecowitt",
    title="Ecowitt gateways and stations",
    link=MqttLink(("ecowitt/+",)),
    fields=declared(TABLE),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
