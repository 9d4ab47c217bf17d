"""Shelly, second generation and later (Plus, Pro, Gen3, Gen4): climate of H&T sensors, and of probes at an add-on.

MQTT, JSON: notifications on ``{device}/events/rpc``, or each part by itself on ``{device}/status/{part}``, without a
time (with both every value would come twice)::

    {"src": "shellyplusht-b8d61a0a0b0c", "dst": "shellyplusht-b8d61a0a0b0c/events", "method": "NotifyFullStatus",
     "params": {"ts": 1680962879.62, "temperature:0": {"id": 0, "tC": 19.8, "tF": 67.6},
                "humidity:0": {"id": 0, "rh": 42.2}, "devicepower:0": {"id": 0, "battery": {"V": 5.2, "percent": 80},
                "external": {"present": false}}, "wifi": {"rssi": -61}, "sys": {...}, ...}}

Worked: of the sensor ``shellyplusht-b8d61a0a0b0c`` at 2023-04-08T14:07:59Z 19.8 degrees, 42.2 %, a battery of 5.2 V
at 80 %, -61 dBm.

Quirks: ``NotifyStatus`` says only what changed. Parts with numbers from 100 on are at an add-on: each a reading with
the tag ``probe`` ("100"), its temperature ``external_temperature``. The temperature inside ``switch:0`` and the like
is the relay's own. A device on USB power says a battery of 0 %: none is taken while ``external`` is present. What
cannot be read is null. ``ts`` is the device's clock, UTC; before it is set it is in 1970, and the time of arrival is
taken. ``NotifyEvent`` (buttons) is no reading; nor are BTHome objects (``bthomesensor:..``), whose meaning is set in
the device. The first generation (``shellies/..``) sends bare numbers: the driver ``value`` reads them.

Source: Shelly's technical documentation, Gen2 API 1.0 (notifications, Temperature, Humidity, DevicePower,
Illuminance), and public messages of a Plus H&T.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from drivers.common.flat_json import PERCENT, Term, declared, left_out, report
from drivers.common.json_messages import MAX_MESSAGE, find, of_json, refuse
from drivers.common.times import moment
from gateway.contract import Driver, Measurement, MqttLink, Options, Reject, Remark

CLOCK_SET = 946_684_800_000_000_000
"""The year 2000: a clock that says less was never set."""
AIR = {
    "temperature tC": Term("temperature", least=-100),
    "humidity rh": Term("relative_humidity", PERCENT, least=0),
    "illuminance lux": Term("illuminance", least=0),
}
PROBE = {**AIR, "temperature tC": Term("external_temperature", least=-100)}
POWER = {"percent": Term("battery_level", PERCENT), "V": Term("battery_voltage")}
ABOUT = {**POWER, "rssi": Term("rssi")}
NOTIFICATIONS = frozenset({"NotifyStatus", "NotifyFullStatus"})
ADD_ON = 100
"""The first number of a part at an add-on."""


class Decoder:
    """Reads notifications and statuses; keeps no state."""

    def __init__(self, _: Options) -> None:
        pass

    @of_json
    def decode(self, topic: str, message: Any, payload: bytes) -> Iterable[Measurement | Reject | Remark]:  # noqa: ANN401 -- any JSON
        """See `gateway.contract.MessageDecoder`."""
        device, is_status, part = topic.rpartition("/status/")
        if type(message) is dict and is_status and ":" in part:
            return _read({part: message}, device.rpartition("/")[2], payload)
        params, method = find(message, ("params",)), find(message, ("method",))
        if type(params) is not dict or type(method) is not str or "src" not in message:
            return [refuse("noise", payload, "no notification of a Shelly device")]
        if method not in NOTIFICATIONS:
            return [refuse("unsupported", payload, f"no status but {method[:64]!r}")]
        return _read(params, message["src"], payload)


def _read(parts: Mapping[str, Any], device: object, payload: bytes) -> list[Measurement | Reject | Remark]:
    time = moment(parts.get("ts"), "s")
    unset = time is None or time < CLOCK_SET
    found: list[Measurement | Reject | Remark] = []
    for probe, said in {"": _about(parts), **_probes(parts)}.items():
        table = {**AIR, **ABOUT} if not probe else PROBE if int(probe) >= ADD_ON else AIR
        if any(name in table for name, _ in said):
            tags = {"probe": probe} if probe else {}
            stamp = None if unset else time
            found += report(said, table, device, payload, stamp, tags=tags, health_alone=True)
    readings = [one for one in found if isinstance(one, Measurement)]
    refused = [one for one in found if isinstance(one, Reject)]
    if not readings:
        return [*refused[:1]] or [refuse("unsupported", payload, "no part that is known")]
    remarks = [one for one in found if isinstance(one, Remark)] + [left_out("a part", one.detail) for one in refused]
    if unset and "ts" in parts:
        remarks.append(left_out("ts", f"{str(parts['ts'])[:64]} is no time of now"))
    return [*readings, *remarks]


def _about(parts: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what the device says of the air and of itself: parts with the number 0."""
    said = [one for name, part in _numbered(parts) if name[1] == 0 for one in part]
    battery = find(parts, ("devicepower:0", "battery"))
    if type(battery) is dict and find(parts, ("devicepower:0", "external", "present")) is not True:
        said += battery.items()
    level = find(parts, ("wifi", "rssi"))
    return said if level is None else [*said, ("rssi", level)]


def _probes(parts: Mapping[str, Any]) -> dict[str, list[tuple[str, object]]]:
    """Return what parts with other numbers say, by these."""
    probes: dict[str, list[tuple[str, object]]] = {}
    for (_, number), part in _numbered(parts):
        if number:
            probes.setdefault(str(number), []).extend(part)
    return probes


def _numbered(parts: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int], list[tuple[str, object]]]]:
    for name, part in parts.items():
        kind, _, number = name.partition(":")
        if type(part) is dict and number.isdecimal() and number.isascii() and len(number) <= 6:
            yield (kind, int(number)), [(f"{kind} {key}", value) for key, value in part.items()]


DRIVER = Driver(
    name="shelly",
    title="Shelly Plus, Pro, Gen3, Gen4 (H&T, add-on probes)",
    link=MqttLink(("+/events/rpc",)),
    fields=declared(PROBE, AIR, ABOUT),
    max_frame=MAX_MESSAGE,
    decoder=Decoder,
    kinds=("air_quality",),
)
