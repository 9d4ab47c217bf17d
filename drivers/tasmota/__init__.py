"""Tasmota: the telemetry of a board with sensors on it.

MQTT, JSON, topic ``tele/{device}/SENSOR``, every TelePeriod (300 s), one object for each part::

    {"Time": "2023-05-21T01:06:38", "BME280": {"Temperature": 20.5, "Humidity": 53.1, "Pressure": 977.0},
     "SDS0X1": {"PM2.5": 11.8, "PM10": 5.8}, "PressureUnit": "hPa", "TempUnit": "C"}

Worked: PM2.5 11.8 and PM10 5.8 ug/m3 (marked: they contradict each other), 20.5 degrees, 53.1 %, 977 hPa, sensor
``{device}``.

A name counts with the part it stands under: the Temperature of ESP32, MPU6050, AXP192, MHZ19B or ENERGY is that of
the chip or of the inside, ``device_temperature``; that of ANALOG, MAX31855 and other thermocouples is of a probe on a
cable, ``external_temperature``; OBJTMP of an MLX90614 is a surface. Lists (MLX90640) are no readings.

The topic may have its levels in any order (FullTopic): ``tele``, or the option ``prefix``, is taken out of it, and
what is left of it names the board: ``kitchen`` for ``kitchen/tele/SENSOR``, ``house/kitchen`` for
``tele/house/kitchen/SENSOR``. ``StatusSNS``, the answer to Status 8 and 10, is read as well.

Quirks: Time is the board's local time without an offset, and in 1970 before it knows better: the time of arrival is
taken. TempUnit may be F, PressureUnit mmHg or inHg. A PMS5003 says ``CF..`` for its factory's kind of air, ``PM..``
for the open air, which is taken, and ``PB..`` particles in 0.1 litre above a size in um; an SPS30 writes PM1_0 to
PM10, and counts in 1 cm3 as NCPM. Numbered parts (``DS18B20-1``, ``SHT3X-0x44``) give readings of their own with the
tag ``probe``; so does a part that measures what one before it does. What a part cannot measure is null, in firmware
before 6.5 a bare ``nan``, which is no JSON. ``tele/{device}/LWT`` (Online, Offline) and ``STATE`` are no readings.
Parts that a rule passes on come without Time and units, which are C and hPa then. A Zigbee bridge says
``ZbReceived``, without Time: see `drivers.common.zigbee_received`.

Sources: the messages of Tasmota 5 to 14, and its documentation on MQTT, sensors and the ESP32.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from drivers.common import zigbee_received
from drivers.common.flat_json import Term, declared
from drivers.common.json_messages import MAX_MESSAGE, of_json, refuse
from drivers.tasmota.plan import PLANNED, PRESSURES, SCALES, TABLE, TEMPERATURES, plan, read
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

_ANSWERS = frozenset({"STATUS8", "STATUS10"})
_SIGNS = frozenset({"Time", "TempUnit", "PressureUnit", "Pressure", *TEMPERATURES, *TABLE})
"""Names of which telemetry has one, beside its parts or in them."""


def _has_sign(message: Mapping[str, Any]) -> bool:
    parts = [part for part in message.values() if type(part) is dict]
    return not _SIGNS.isdisjoint(chain(message, *parts))


class TasmotaOptions(Options):
    """How the boards' FullTopic is set."""

    prefix: str = "tele"
    """Their Prefix3: the level of the topic that says that it is telemetry."""


class Decoder:
    """Reads telemetry; keeps no state."""

    def __init__(self, options: TasmotaOptions) -> None:
        self._prefix = options.prefix

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        *levels, last = topic.split("/")
        if type(message) is dict and (devices := zigbee_received.devices_of(message, last)):
            return zigbee_received.read(devices, self._board(levels), payload)
        if type(message) is dict and last in _ANSWERS:
            message = message.get("StatusSNS")
        elif last != "SENSOR":
            message = None
        if type(message) is not dict or ("Time" not in message and not _has_sign(message)):
            return [refuse("noise", payload, "no telemetry of Tasmota's")]
        scale, pressure = message.get("TempUnit", "C"), message.get("PressureUnit", "hPa")
        if type(scale) is not str or scale not in SCALES or type(pressure) is not str or pressure not in PRESSURES:
            message, scale, pressure = _in_known_units(message, scale, pressure)
        if b"[" in payload:
            message = _without_lists(message)
        shape = tuple([(name, *values) for name, values in message.items() if type(values) is dict])
        planned = (
            plan(shape, scale, pressure) if len(payload) <= PLANNED else plan.__wrapped__(shape, scale, pressure)
        )
        return read(message, planned, self._board(levels), payload)

    def _board(self, levels: list[str]) -> str:
        """Return what the levels before the last one name; "" where one of them is empty."""
        for kind in (self._prefix, "stat"):
            if kind in levels:
                levels.remove(kind)
                break
        return "/".join(levels) if all(levels) else ""


def _in_known_units(message: Mapping[str, Any], scale: object, pressure: object) -> tuple[dict[str, Any], str, str]:
    """Return a message as `_without_unknown` does, and the units of what is left."""
    known, known_pressure = (
        unit if isinstance(unit, str) and unit in of else None
        for unit, of in ((scale, SCALES), (pressure, PRESSURES))
    )
    return _without_unknown(message, known, known_pressure), known or "C", known_pressure or "hPa"


def _without_unknown(message: Mapping[str, Any], scale: object, pressure: object) -> dict[str, Any]:
    """Return a message in which what has no known unit is no number: it is left out with this word for it."""

    def seen(name: str, value: object) -> object:
        if (scale is None and name.startswith(tuple(TEMPERATURES))) or (pressure is None and name == "Pressure"):
            return f"{value} of no known unit"
        return value

    return {
        part: {name: seen(name, value) for name, value in values.items()} if type(values) is dict else values
        for part, values in message.items()
    }


def _without_lists(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        part: {name: value for name, value in values.items() if type(value) is not list}
        if type(values) is dict
        else values
        for part, values in message.items()
    }


DRIVER = Driver(
    name="tasmota",
    title="Tasmota",
    link=MqttLink(("tele/+/SENSOR",)),
    fields=declared(
        TABLE,
        {name: Term(field) for name, field in TEMPERATURES.items()},
        {"Pressure": PRESSURES["hPa"]},
        zigbee_received.TABLE,
    ),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    options=TasmotaOptions,
    kinds=("air_quality",),
)
