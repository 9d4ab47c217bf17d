"""Bosch TPS110 parking lot sensor: whether one bay is occupied, by magnetometer and radar.

LoRaWAN, the port tells the message; oo is occupied in bit 0, its other bits are reserved::

    port 1  status      oo                      sent when the bay changes
    port 2  heartbeat   oo [tt]                 every 24 h; t int8, degrees Celsius, where it is switched on
    port 3  start-up    cc .C .. .. three times, vv vv vv rr oo
                        c debug code, 12 bit little endian, 0 for none; v firmware; r reset cause

    24 03 00 00  75 03 00 00  00 00 00 00  00 1D 02  03  01
                        codes 804 and 885, firmware 0.29.2, cause 3 (system request), occupied

Ports 4 to 7 answer questions (device information, usage, debug, temperature alert): unsupported.
Quirks: a bay that nobody uses is silent for 24 h, so it is late only after more than a day. Reset causes count from 1
in firmware 0.29.2 (watchdog, power on, system request, other) and from 0 in 0.23.3: the number is given as it came.
``device_error`` is the first debug code. Firmware before 0.23.3 ordered the start-up message in another way.

Sources: TPS110 communication interface 0.23.3 and 0.29.2 (Bosch); the vendor's codec in The Things Network's device
repository, whose objects are read as well.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from drivers.codecs.common.objects import yes
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

STATUS, HEARTBEAT, STARTUP = 1, 2, 3
_SIZES = {STATUS: (1,), HEARTBEAT: (1, 2), STARTUP: (17,)}
_EVENTS = {"parking status": "status", "heartbeat": "heartbeat", "startup": "startup"}
_CAUSES = {"watchdog": 1, "power on": 2, "system request": 3, "other": 4}
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")


def _whole(value: object, low: int, high: int) -> int | None:
    """Return a whole number, which ChirpStack writes as a float; None for anything else."""
    return int(value) if isinstance(value, int | float) and low <= value <= high else None


def debug_codes(payload: bytes) -> list[int]:
    """Return the codes in a start-up payload, in the order sent, without the empty ones."""
    codes = [int.from_bytes(payload[at : at + 2], "little") & 0xFFF for at in (0, 4, 8)]
    return [code for code in codes if code]


def decode(port: int, payload: bytes, _: Options) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if (sizes := _SIZES.get(port)) is None:
        return [Reject("unsupported", payload, f"port {port} carries no parking state")]
    if len(payload) not in sizes:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    fields: dict[str, FieldValue] = {"occupied": bool(payload[-1 if port == STARTUP else 0] & 1)}
    if port == STATUS:
        fields["event"] = "status"
    elif port == HEARTBEAT:
        fields["event"] = "heartbeat"
        if len(payload) == 2:
            fields["temperature"] = float(int.from_bytes(payload[1:], signed=True))
    else:
        fields["event"] = "startup"
        fields["device_error"] = next(iter(debug_codes(payload)), 0)
        fields["firmware_version"] = ".".join(str(number) for number in payload[12:15])
        fields["reset_cause"] = payload[15]
    return [Measurement("parking", fields)]


def from_object(said: Mapping[str, Any], _: Options) -> Iterable[Measurement | Reject]:
    """Read the vendor's object: type, occupied, temperature, debugCodes, firmwareVersion, resetCause."""
    event, occupied = said.get("type"), yes(said.get("occupied"))
    if not isinstance(event, str) or event not in _EVENTS:
        return [Reject("unsupported", b"", "type is none of parking status, heartbeat, startup")]
    if occupied is None:
        return [Reject("range", b"", "occupied is neither true nor false")]
    fields: dict[str, FieldValue] = {"occupied": occupied, "event": _EVENTS[event]}
    if (temperature := _whole(said.get("temperature"), -128, 127)) is not None:
        fields["temperature"] = float(temperature)
    if event == "startup":
        codes = said.get("debugCodes")
        first = codes[0] if isinstance(codes, list) and codes else 0
        fields["device_error"] = _whole(first, 0, 0xFFF) or 0
        version, cause = said.get("firmwareVersion"), said.get("resetCause")
        if isinstance(version, str) and _VERSION.fullmatch(version):
            fields["firmware_version"] = version
        if isinstance(cause, str) and cause in _CAUSES:
            fields["reset_cause"] = _CAUSES[cause]
    return [Measurement("parking", fields)]


CODEC = Codec(
    name="bosch_tps110",
    title="Bosch TPS110 parking lot sensor",
    fields=(
        field("occupied"),
        field("temperature"),
        field("event"),
        field("device_error"),
        field("firmware_version"),
        field("reset_cause"),
    ),
    decode=decode,
    from_object=from_object,
    kinds=("parking",),
)
