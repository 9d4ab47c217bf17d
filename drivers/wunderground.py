"""Weather stations that upload by Weather Underground's protocol, to a server of one's own.

A form, in the query of a GET to ``/weatherstation/updateweatherstation.php``; in American units::

    ID=IKOPER1&PASSWORD=secret&dateutc=2026-03-01+06%3A07%3A08&winddir=230&windspeedmph=12&windgustmph=20&tempf=68&
    rainin=0.1&dailyrainin=0.5&baromin=29.92&humidity=90&UV=3&AqPM2.5=7.5&softwaretype=EasyWeather&action=updateraw

Worked: of the sensor ``IKOPER1`` at 2026-03-01T06:07:08Z 20 degrees, 90 %, wind of 5.36448 m/s from 230 degrees,
gusts of 8.9408 m/s, rain of 2.54 mm/h and 12.7 mm in the day so far, a UV index of 3, PM2.5 7.5 ug/m3.

Quirks: **PASSWORD is a credential**: it is struck from what is kept of a refused message. The time is UTC; ``now`` is
the time of arrival. ``baromin`` is reduced to sea level, and not taken: the vocabulary has the air's pressure where
it is measured; some stations say that as ``absbaromin``. ``rainin`` is what fell in the last hour. ``dailyrainin``
begins again at local midnight. -9999 and an empty value stand for a sensor that is not heard. ``temp2f``, ``temp3f``
and ``temp4f`` are further thermometers, each a reading with the tag ``probe``. What is indoors, of the soil, of
leaves, and texts on weather and clouds are not taken; solar radiation neither.

Source: Weather Underground, PWS Upload Protocol (revision of 2016), and the uploads of EasyWeather stations.
"""

import re
from collections.abc import Iterable

from drivers.common.flat_json import PERCENT, Term, declared, in_unit, left_out, report
from drivers.common.forms import parse_form
from drivers.common.json_messages import MAX_MESSAGE, refuse
from drivers.common.times import nanoseconds
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

CELSIUS = in_unit("temperature", "degF")
TABLE = {
    "tempf": CELSIUS,
    "humidity": Term("relative_humidity", PERCENT, least=0),
    "absbaromin": in_unit("atmospheric_pressure", "inHg", least=1),
    "winddir": Term("wind_direction", least=0),
    "windspeedmph": in_unit("wind_speed", "mph", least=0),
    "windgustmph": in_unit("gust_speed", "mph", least=0),
    "rainin": in_unit("precipitation_rate", "in/h", least=0),
    "dailyrainin": in_unit("precipitation_total", "in", least=0),
    "UV": Term("uv_index", least=0),
    "AqPM2.5": Term("pm25", least=0),
    "AqPM10": Term("pm10", least=0),
    "softwaretype": Term("firmware_version"),
}
PROBES = ("2", "3", "4")
_CREDENTIAL = re.compile(rb"(PASSWORD=)[^&]*", re.IGNORECASE)


class Decoder:
    """Reads uploads; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Remark]:
        """See `gateway.contract.MessageDecoder`."""
        del topic
        return [
            one._replace(raw=_CREDENTIAL.sub(rb"\1*", one.raw)) if isinstance(one, Reject) else one
            for one in _read(payload)
        ]


def _read(payload: bytes) -> list[Measurement | Reject | Remark]:
    message = parse_form(payload)
    if isinstance(message, Reject):
        return [message]
    if not {"ID", "dateutc", "action"} <= message.keys():
        return [refuse("noise", payload, "no upload of a weather station")]
    stamp = message["dateutc"]
    time = None if stamp == "now" else nanoseconds(f"{stamp}Z")
    if time is None and stamp != "now":
        return [refuse("range", payload, "dateutc is no time")]
    sensor = message["ID"]
    found = report(message.items(), TABLE, sensor, payload, time)
    for probe in PROBES:
        if (name := f"temp{probe}f") in message:
            found += report(message.items(), {name: CELSIUS}, sensor, payload, time, tags={"probe": probe})
    if not any(isinstance(one, Measurement) for one in found):
        return found[:1]
    return [left_out("a part", one.detail) if isinstance(one, Reject) else one for one in found]


DRIVER = Driver(
    name="wunderground",
    title="Weather stations (Weather Underground's upload)",
    link=MqttLink(("weatherstation/#",)),
    fields=declared(TABLE),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
