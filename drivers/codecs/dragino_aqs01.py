"""Dragino AQS01-L and AQS02-L: carbon dioxide, or carbon monoxide, and the climate.

LoRaWAN, big endian::

    port 2   bb bb tt tt hh hh pp pp gg gg ff      b battery, mV; t int16; h humidity, 0.1 %; p pressure, 0.1 hPa;
                                                   g AQS01 CO2, AQS02 CO, ppm; f bit 4 t in 0.01 C, else 0.1 C; bits
                                                   3 to 0: temperature low, high, gas low, high
    port 3   gg gg hh hh tt tt ff uu uu uu uu      one reading kept, f bit 0 t in 0.01 C, u Unix time; more in a row
    port 5   device information, see `drivers.codecs.common.dragino`

    0E 42  00 F2  02 36  27 6E  02 A4  00      3.65 V, 24.2 C, 56.6 %, 1009.4 hPa, 676 ppm

Quirks: both say that they are model 37 and send the same frame: see the option ``gas``. The scale of the temperature
came with version 1.3 and is in the frame. CO is turned into ug/m3.

Sources: the vendor's dragino-end-node-decoder, AQS01-L 1.0 and 1.3 and AQS02-L (May 2025).
"""

from collections.abc import Iterable
from struct import unpack
from typing import Literal

from drivers.codecs.common import dragino
from drivers.codecs.common.entries import Output, Said, kept
from drivers.common.gases import micrograms
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, field

READING, KEPT, INFORMATION = 2, 3, 5
FRAME = 11
HUNDREDTHS, KEPT_HUNDREDTHS = 0x10, 0x01
ALARMS = ("gas high", "gas low", "temperature high", "temperature low")
"""From bit 0 up."""


class AqsOptions(Options):
    """Which gas it measures.

    ``gas``  "co2" for an AQS01, "co" for an AQS02
    """

    gas: Literal["co2", "co"] = "co2"


def _fields(ppm: int, humid: int, raw: int, hundredths: bool, options: AqsOptions) -> dict[str, FieldValue]:
    return {
        "temperature": raw / (100 if hundredths else 10),
        "relative_humidity": humid / 1000,
        options.gas: float(ppm) if options.gas == "co2" else micrograms("co", ppm * 1000),
    }


def _reading(payload: bytes, options: AqsOptions) -> Measurement | Reject:
    if len(payload) != FRAME:
        return Reject("length", payload, f"{len(payload)} bytes on port {READING}")
    millivolts, raw, humid, pressure, ppm, flags = unpack(">HhHHHB", payload)
    fields = _fields(ppm, humid, raw, bool(flags & HUNDREDTHS), options)
    fields |= {"atmospheric_pressure": pressure / 10, "battery_voltage": millivolts / 1000}
    if events := [name for bit, name in enumerate(ALARMS) if flags >> bit & 1]:
        fields["event"] = ", ".join(events)
    return Measurement("air_quality", fields)


def _kept(record: bytes, options: AqsOptions) -> Iterable[Said]:
    ppm, humid, raw, flags, then = unpack(">HHhBI", record)
    return (kept(then, _fields(ppm, humid, raw, bool(flags & KEPT_HUNDREDTHS), options)),)


def decode(port: int, payload: bytes, options: AqsOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port == READING:
        return [_reading(payload, options)]
    if port == KEPT:
        return dragino.records(payload, port, "air_quality", lambda record: _kept(record, options))
    if port == INFORMATION:
        return [dragino.information(payload, "air_quality")]
    return [Reject("unsupported", payload, f"port {port} carries no reading")]


CODEC = Codec(
    name="dragino_aqs01",
    title="Dragino AQS01-L, AQS02-L air quality sensors",
    fields=(
        field("co2"),
        field("co"),
        field("temperature"),
        field("relative_humidity"),
        field("atmospheric_pressure"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    options=AqsOptions,
    kinds=("air_quality",),
)
