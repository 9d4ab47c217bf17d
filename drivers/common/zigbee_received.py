"""Tasmota's Zigbee bridge: what its devices say, as ``ZbReceived``.

JSON on the bridge's telemetry topic, whenever a device speaks; only what it said this time::

    {"ZbReceived": {"0xF2B0": {"Device": "0xF2B0", "Name": "Outdoor", "Temperature": 7.5, "Humidity": 69.4,
                               "BatteryPercentage": 90, "Endpoint": 1, "LinkQuality": 55}}}

Worked: of the sensor ``Outdoor`` 7.5 degrees, 69.4 %, a battery at 90 %, a link quality of 55.

Degrees Celsius, percent, hPa, volts. A device without a ``Name`` has only its short address, which changes when it
joins anew and is the bridge's own: it is called ``{bridge}/0xF2B0``. SetOption89 puts that into the topic,
SetOption100 leaves ``ZbReceived`` out, SetOption118 moves it into the topic (``tele/{bridge}/ZbReceived``),
SetOption101 puts the endpoint behind each name ("Temperature2"). ``Occupancy`` is ``motion``, 1 or 0. An illuminance
is a raw number with some makers and lux with others, and not taken. Buttons, switches and lamps say nothing of the
air.

Source: Tasmota's documentation (Zigbee, Commands: SetOption83 to 119) and messages of Tasmota 8 to 14.
"""

from collections.abc import Mapping
from typing import Any

from drivers.common.flat_json import PERCENT, Term, left_out, report
from drivers.common.json_messages import refuse
from gateway.contract import Measurement, Reject, Remark

TABLE = {
    "Temperature": Term("temperature", least=-100),
    "Humidity": Term("relative_humidity", PERCENT, least=0),
    "Pressure": Term("atmospheric_pressure", least=1),
    "Occupancy": Term("motion"),
    "BatteryPercentage": Term("battery_level", PERCENT, least=0),
    "BatteryVoltage": Term("battery_voltage", least=0),
    "LinkQuality": Term("link_quality"),
}
BRIDGE = "ZbReceived"


def devices_of(message: Mapping[str, Any], last_level: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the Zigbee devices in a bridge's message, by the names it gives them; none where it has none."""
    inside = message if last_level == BRIDGE else None
    if BRIDGE in message and type(message[BRIDGE]) is dict:
        inside = message[BRIDGE]
    if inside and (found := {name: said for name, said in inside.items() if type(said) is dict}):
        return found
    # Every message of a board without a bridge comes here as well.
    return {
        name: said for name, said in message.items() if type(said) is dict and "Endpoint" in said and "Device" in said
    }


def read(
    devices: Mapping[str, Mapping[str, Any]], bridge: str, payload: bytes
) -> list[Measurement | Reject | Remark]:
    """Return a reading of each device that says something of the air or of its battery."""
    found: list[Measurement | Reject | Remark] = []
    for address, device in devices.items():
        name, short = device.get("Name"), address if address.startswith("0x") else str(device.get("Device"))
        own = name if isinstance(name, str) and name else f"{bridge.removesuffix(f'/{short[2:]}')}/{short}"
        said = [_named(key, value, device.get("Endpoint")) for key, value in device.items()]
        if any(key in TABLE and key != "LinkQuality" for key, _ in said):
            found += report(said, TABLE, own, payload, health_alone=True)
    readings = [one for one in found if isinstance(one, Measurement)]
    refused = [one for one in found if isinstance(one, Reject)]
    if not readings:
        return [*refused[:1]] or [refuse("unsupported", payload, "no Zigbee device says anything of the air")]
    remarks = [one for one in found if isinstance(one, Remark)]
    return [*readings, *remarks, *(left_out("a Zigbee device", one.detail) for one in refused)]


def _named(key: str, value: object, endpoint: object) -> tuple[str, object]:
    if key not in TABLE and type(endpoint) is int:
        key = key.removesuffix(str(endpoint))
    return key, int(value) if key == "Occupancy" and type(value) is bool else value
