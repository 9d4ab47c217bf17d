"""Tasmota: the telemetry of a board with sensors on it.

MQTT, JSON, topic ``tele/{device}/SENSOR``, every TelePeriod (300 s), one object for each part::

    {"Time": "2023-05-21T01:06:38", "BME280": {"Temperature": 20.5, "Humidity": 53.1, "Pressure": 977.0},
     "SDS0X1": {"PM2.5": 11.8, "PM10": 5.8}, "PressureUnit": "hPa", "TempUnit": "C"}

Worked: PM2.5 11.8 and PM10 5.8 ug/m3 (marked: they contradict each other), 20.5 degrees, 53.1 %, 977 hPa, sensor
``{device}``.

Quirks: Time is the board's local time without an offset, and in 1970 before it knows better: the time of arrival is
taken. TempUnit may be F, PressureUnit mmHg or inHg. A PMS5003 says ``CF..`` for its factory's kind of air, ``PM..``
for the open air, which is taken, and ``PB..`` particles in 0.1 litre above a size in um; an SPS30 writes PM1_0 to
PM10. Where two parts measure the same, the first counts. ``tele/{device}/LWT`` (Online, Offline) and ``STATE`` are
no readings.

Source: the messages of Tasmota, and its documentation on MQTT and sensors.
"""

from collections.abc import Iterable
from typing import Any

from drivers.common.flat_json import PER_DECILITRE, PERCENT, Term, declared, report
from drivers.common.json_messages import MAX_MESSAGE, parse, refuse
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject

TEMPERATURES = {"C": Term("temperature"), "F": Term("temperature", 1 / 1.8, -32 / 1.8)}
PRESSURES = {
    "hPa": Term("atmospheric_pressure"),
    "mmHg": Term("atmospheric_pressure", 1.33322387415),
    "inHg": Term("atmospheric_pressure", 33.8638866667),
}
SIZES = {"0.3": "03", "0.5": "05", "1": "1", "2.5": "25", "5": "5", "10": "10"}
TABLE = {
    **{name: Term("pm1") for name in ("PM1", "PM1_0")},
    **{name: Term("pm25") for name in ("PM2.5", "PM2_5")},
    **{name: Term("pm4") for name in ("PM4", "PM4_0")},
    "PM10": Term("pm10"),
    **{f"PB{size}": Term(f"particles_above_{name}", PER_DECILITRE) for size, name in SIZES.items()},
    "Humidity": Term("relative_humidity", PERCENT),
    "CarbonDioxide": Term("co2"),
    "eCO2": Term("co2_equivalent"),
    "TVOC": Term("tvoc"),
    "Illuminance": Term("illuminance"),
}
"""Names within a part."""


class Decoder:
    """Reads telemetry; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        """See `gateway.contract.MessageDecoder`."""
        message = parse(payload)
        if isinstance(message, Reject):
            return [message]
        device, _, last = topic.rpartition("/")
        if type(message) is not dict or last != "SENSOR" or "Time" not in message:
            return [refuse("noise", payload, "no telemetry of Tasmota's")]
        try:
            temperature = TEMPERATURES[message.get("TempUnit", "C")]
            pressure = PRESSURES[message.get("PressureUnit", "hPa")]
        except (KeyError, TypeError):
            return [refuse("range", payload, "TempUnit or PressureUnit is none that is known")]
        table = {**TABLE, "Temperature": temperature, "Pressure": pressure}
        return [report(_parts(message), table, device.rpartition("/")[2], payload)]


def _parts(message: dict[str, Any]) -> Iterable[tuple[str, object]]:
    for part in message.values():
        if type(part) is dict:
            yield from part.items()


DRIVER = Driver(
    name="tasmota",
    title="Tasmota",
    link=MqttLink(("tele/+/SENSOR",)),
    fields=declared(TABLE, TEMPERATURES, PRESSURES),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
