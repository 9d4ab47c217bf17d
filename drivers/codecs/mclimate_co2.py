"""MClimate CO2 Sensor, CO2 Notifier, CO2 Display (and Lite), CO2 PIR Lite: carbon dioxide in rooms.

LoRaWAN, port 2 or 1, big endian; t 0.1 C above -40; h 1/256::

    01 gg gg tt tt hh vv                      CO2 Sensor and Notifier: g ppm; v 8 mV above 1600
    01 tt tt hh vv vv gg .. ll ll [pp]        CO2 Display: v mV; g the lower 8 bits of ppm, the upper 5 bits of the
                                              next byte its upper 5, the rest the source of power; l lux; p movement
    51 .t tt hh vv gg .. nn                   CO2 PIR Lite: bits 1, 0 of the first byte the upper ones of t, bit 2
                                              movement; v 1600 and 2200 v / 255 mV; g as above; n movements
    kk .. 01 gg gg tt tt hh vv                answers to settings, then the reading of the CO2 Sensor

    01 02 71 02 73 84 ED     625 ppm, 22.7 C, 51.6 %, 3.496 V

Quirks: nothing but the length tells a CO2 Sensor (7 bytes) from a CO2 Display (10, Lite, or 11). Answers of another
device than the CO2 Sensor have no reading behind them that could be told from a setting: they are refused.

Source: the vendor's codecs in the Actility device catalog (July 2026).
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, Remark, field

KEEPALIVE, PIR = 0x01, 0x51
SENSOR, LITE, DISPLAY, PIR_LITE = 7, 10, 11, 8
"""Bytes of a reading."""
ANSWERS = {
    0x04: 2,
    0x12: 1,
    0x19: 1,
    0x1B: 1,
    0x1D: 2,
    0x1F: 4,
    0x21: 2,
    0x23: 3,
    0x25: 3,
    0x27: 9,
    0x29: 15,
    0x2B: 1,
}
"""An answer -> bytes behind it."""


def _climate(raw: int, humid: int) -> dict[str, FieldValue]:
    return {"temperature": (raw - 400) / 10, "relative_humidity": humid / 256}


def _ppm(low: int, high: int) -> float:
    return float((high >> 3) << 8 | low)


def _sensor(payload: bytes) -> dict[str, FieldValue]:
    ppm, raw, humid, volts = unpack(">xHHBB", payload)
    return {"co2": float(ppm), **_climate(raw, humid), "battery_voltage": (1600 + 8 * volts) / 1000}


def _display(payload: bytes) -> dict[str, FieldValue]:
    raw, humid, millivolts, low, high, lux = unpack(">xHBHBBH", payload[:LITE])
    fields = {"co2": _ppm(low, high), **_climate(raw, humid), "battery_voltage": millivolts / 1000}
    fields["illuminance"] = float(lux)
    return fields if len(payload) == LITE else {**fields, "motion": payload[LITE] & 1}


def _pir(payload: bytes) -> dict[str, FieldValue]:
    first, low_t, humid, volts, low, high, moves = unpack(">xBBBBBBB", payload)
    return {
        "co2": _ppm(low, high),
        **_climate((first & 0x03) << 8 | low_t, humid),
        "battery_voltage": round((1600 + 2200 * volts / 255) / 1000, 3),
        "motion": moves,
    }


def _behind_answers(payload: bytes) -> Iterable[Output]:
    """Read what stands behind answers, where their lengths lead to a reading of the CO2 Sensor."""
    at = 0
    fields: dict[str, FieldValue] = {}
    while at < len(payload) - SENSOR and payload[at] in ANSWERS:
        if payload[at] == 0x04:
            versions = payload[at + 1 : at + 3].hex()
            fields |= {"hardware_version": versions[:2], "firmware_version": versions[2:]}
        at += 1 + ANSWERS[payload[at]]
    if at != len(payload) - SENSOR or payload[at] != KEEPALIVE:
        return [Reject("unsupported", payload, "an answer to a setting")]
    said: list[Output] = [Measurement("air_quality", _sensor(payload[at:]) | fields)]
    return said if fields else [*said, Remark("left out", "answers to settings", payload[:at].hex(" ").upper())]


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    kind, size = payload[:1], len(payload)
    if kind == bytes((KEEPALIVE,)):
        read = {SENSOR: _sensor, LITE: _display, DISPLAY: _display}.get(size)
        if read is None:
            return [Reject("length", payload, f"{size} bytes of a reading")]
        return [Measurement("air_quality", read(payload))]
    if kind == bytes((PIR,)):
        if size != PIR_LITE:
            return [Reject("length", payload, f"{size} bytes of a reading")]
        return [Measurement("air_quality", _pir(payload))]
    if size <= SENSOR:
        return [Reject("unsupported" if payload else "length", payload, "no reading in it")]
    return _behind_answers(payload)


CODEC = Codec(
    name="mclimate_co2",
    title="MClimate CO2 Sensor, Notifier, Display, PIR Lite",
    fields=(
        field("co2", 0, 10_000),
        field("temperature", -40, 85),
        field("relative_humidity"),
        field("illuminance"),
        field("motion"),
        field("battery_voltage"),
        field("hardware_version"),
        field("firmware_version"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
