"""Libelium Plug & Sense! Smart Parking: one bay, by magnetometer.

LoRaWAN, any port, eleven bytes, big endian; the first two are in every frame::

    ob..tttt cc     o occupied, b battery to be changed, t frame type, c frame counter
                    firmware 3 alone: bit 5 configuration refused, bit 4 recalibrated

    type            firmware 2                            firmware 3
    0 info          TT xx xx yy yy zz zz .. vv            ee TT ..
    1 keep-alive    hh mm TT xx xx yy yy zz zz            ee TT ..
    2 daily update  .. (6) rr kk ..                       the same
    3 error         ee TT xx xx yy yy zz zz vv            reserved
    4 start 1       TT xx xx yy yy zz zz vv vv            undefined
    5 start 2       ff, eight settings                    undefined
    6, 7, 8         as 1: service, downlink, RSSI         undefined

    T temperature int8; x y z magnetic field; v battery, 2800 + 4 v mV in one byte, mV in two; e error bits;
    r resets in 24 h; k configuration; f firmware

    80 04 1E 01 AD 10 93 93 EE 00 C7     firmware 2: occupied, frame 4, 30 C, 3.596 V

Quirks: the same bytes mean other things in another firmware, and nothing in them tells which it is: the option says
it. Of firmware 3 only what others worked out is known. Firmware 1 sends twelve bytes; no description of its frames is
good enough to read them. Start and error frames state the bay too.

Sources: Smart Parking technical guide (Libelium); ZennerIoT/element-parsers, for what firmware 3 changed.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

FRAME = 11
INFO, KEEPALIVE, DAILY, ERROR, START_1, START_2, SERVICE, DOWNLINK, RSSI = range(9)
EVENTS = ("status", "keepalive", "daily", "error", "start", "start", "service", "downlink", "rssi")


class LibeliumOptions(Options):
    """Which firmware the node has: "v2" or "v3"."""

    firmware: Literal["v2", "v3"] = "v3"


class Frame(NamedTuple):
    """One frame; None for what it does not hold.

    ``clock`` is the device's hour and minute, ``axes`` are raw, ``battery`` is in volts. ``settings`` are start,
    period, sleep and keep-alive of the night mode, then radio mode, sleep, keep-alive and threshold, all raw.
    """

    occupied: bool
    battery_low: bool
    type: int
    counter: int
    temperature: int | None = None
    battery: float | None = None
    clock: tuple[int, int] | None = None
    axes: tuple[int, ...] | None = None
    error: int | None = None
    resets: int | None = None
    configuration: int | None = None
    firmware: int | None = None
    settings: tuple[int, ...] | None = None
    refused: bool | None = None
    recalibrated: bool | None = None


CLOCK = 2
"""Bytes of the time of day, where it stands before the temperature."""
_TEMPERATURE_AT = {INFO: 0, KEEPALIVE: CLOCK, ERROR: 1, START_1: 0, SERVICE: CLOCK, DOWNLINK: CLOCK, RSSI: CLOCK}
"""Where firmware 2 puts the temperature, behind the two bytes of every frame; the three axes follow it."""


def _celsius(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def parse(payload: bytes, firmware: str) -> Frame:
    """Parse the eleven bytes of a frame as ``firmware`` sends them."""
    flags, rest = payload[0], payload[2:]
    frame = Frame(bool(flags & 0x80), bool(flags & 0x40), flags & 0x0F, payload[1])
    if frame.type == DAILY:
        frame = frame._replace(resets=rest[6], configuration=rest[7])
    if firmware == "v3":
        frame = frame._replace(refused=bool(flags & 0x20), recalibrated=bool(flags & 0x10))
        undefined = frame.type not in (INFO, KEEPALIVE)
        return frame if undefined else frame._replace(error=rest[0], temperature=_celsius(rest[1]))
    if (at := _TEMPERATURE_AT.get(frame.type)) is not None:
        axes = tuple(int.from_bytes(rest[start : start + 2], "big") for start in (at + 1, at + 3, at + 5))
        clock = (rest[0], rest[1]) if at == CLOCK else None
        frame = frame._replace(temperature=_celsius(rest[at]), axes=axes, clock=clock)
    if frame.type in (INFO, ERROR):
        frame = frame._replace(battery=(2800 + 4 * rest[8]) / 1000)
    elif frame.type == START_1:
        frame = frame._replace(battery=int.from_bytes(rest[7:9], "big") / 1000)
    elif frame.type == START_2:
        frame = frame._replace(firmware=rest[0], settings=tuple(rest[1:9]))
    return frame._replace(error=rest[0]) if frame.type == ERROR else frame


def decode(_: int, payload: bytes, options: LibeliumOptions) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if len(payload) != FRAME:
        return [Reject("length", payload, f"{len(payload)} bytes; a frame of firmware 2 or 3 has {FRAME}")]
    frame = parse(payload, options.firmware)
    if frame.type >= len(EVENTS):
        return [Reject("unsupported", payload, f"frame type {frame.type}")]
    event = "recalibration" if frame.recalibrated else EVENTS[frame.type]
    fields: dict[str, FieldValue] = {"occupied": frame.occupied, "battery_low": frame.battery_low, "event": event}
    if frame.temperature is not None:
        fields["temperature"] = float(frame.temperature)
    if frame.battery is not None:
        fields["battery_voltage"] = frame.battery
    if frame.error is not None:
        fields["device_error"] = frame.error
    if frame.firmware is not None:
        fields["firmware_version"] = str(frame.firmware)
    return [Measurement("parking", fields)]


CODEC = Codec(
    name="libelium_smart_parking",
    title="Libelium Plug & Sense! Smart Parking",
    fields=(
        field("occupied"),
        field("temperature"),
        field("battery_low"),
        field("battery_voltage"),
        field("device_error"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    options=LibeliumOptions,
    kinds=("parking",),
    experimental=True,
)
