"""Dragino LHT65 and LHT65N: temperature and humidity, and what is plugged in, with a clock and a memory.

LoRaWAN, big endian; a reading has eleven bytes::

    port 2   bb bb tt tt hh hh xx e e e e    b battery, mV, its upper two bits a grade; t int16, 0.01 C; h humidity,
                                             0.1 %, its upper four bits a grade; x what is plugged in; e its value
             ee ee tt tt hh hh xx uu uu uu uu    one that was kept, bit 6 of x asked for, bit 7 sent again; several
                                                 in a row; u Unix time
    port 3   bb bb kk tt tt ..               temperatures without their times, k which sensor
    port 5   device information, see `drivers.codecs.common.dragino`

    x  1 DS18B20, 2, 3 TMP117: int16, 0.01 C      5 light, lux     6 voltage, mV     4 contact     7, 8 a count of 16,
       9, A the same two, in place of the battery, and Unix time behind x      B, C SHT31: temperature,    32 bits
       F, 10, 20 the number of a probe, no reading                             humidity

    CB F6  0B 0D  03 76  01  0A DD 7F FF     3.062 V, 28.29 C, 88.6 %, DS18B20 27.81 C

Quirks: 7FFF, 327.67 C, says that a sensor does not answer. Up to firmware 1.3 bit 7 of x said that the cable is not
plugged in, since 1.4 that a reading is sent again; a date behind x tells which. A reading of just now gets the
network's time, one that was kept has its own; eleven zeros say that nothing was kept. The LHT65N-PIR's counts and
what hangs on a voltage input are left out.

Sources: LHT65 and LHT65N user manuals; the vendor's dragino-end-node-decoder, LHT65N 1.3.3 to 1.5.6 (September 2025).
"""

from collections.abc import Iterable

from drivers.codecs.common import dragino
from drivers.codecs.common.dragino import NO_PROBE, number
from drivers.codecs.common.entries import EARLIEST, Output, Said, kept
from gateway.contract import Codec, FieldValue, Measurement, Options, Reject, Remark, field

READING, TEMPERATURES, INFORMATION = 2, 3, 5
RECORD = 11
ASKED_FOR, AGAIN, KIND = 0x40, 0x80, 0x3F
PROBES, TIMED, CLIMATE = (1, 2, 3), (9, 0x0A), (0x0B, 0x0C)
LIGHT, COUNT, LONG_COUNT = 5, 7, 8
IDENTITIES = (0x0F, 0x10, 0x20)
DATES = range(EARLIEST, 0x7FFF_0000)
"""What behind x is a date; 7FFF .. is a probe that does not answer."""


def _climate(reading: bytes) -> dict[str, FieldValue]:
    raw, humid = number(reading, 2, signed=True), number(reading, 4) & 0x0FFF
    if raw == NO_PROBE:
        return {"event": "no sensor"}
    return {"temperature": raw / 100, "relative_humidity": humid / 1000}


def _plugged(kind: int, value: bytes) -> tuple[str, dict[str, FieldValue]]:
    """Return the kind of measurement and the fields of what is plugged in."""
    if kind in (*PROBES, *TIMED, *CLIMATE):
        raw = number(value, 0, signed=True)
        return "air_quality", {} if raw == NO_PROBE else {"external_temperature": raw / 100}
    if kind == LIGHT:
        return "air_quality", {"illuminance": float(number(value, 0))}
    if kind in (COUNT, LONG_COUNT):
        size = 4 if kind == LONG_COUNT and len(value) >= 4 else 2
        return "traffic", {"total_count": int.from_bytes(value[:size], "big")}
    return "air_quality", {}


def _now(reading: bytes) -> Iterable[Output]:
    kind = reading[6] & KIND
    if kind in IDENTITIES:
        return [Reject("unsupported", reading, "the number of a probe")]
    timed = kind in TIMED
    own = _climate(reading) | ({} if timed else dragino.battery(reading))
    of, plugged = _plugged(kind, reading if timed else reading[7:])
    if reading[6] & AGAIN and not plugged:
        own["event"] = "no probe"
    said: list[Output] = [Measurement("air_quality", own | plugged if of == "air_quality" else own)]
    if of != "air_quality":
        said.append(Measurement(of, plugged))
    if kind in CLIMATE and plugged:
        humid = {"relative_humidity": (number(reading, 9) & 0x0FFF) / 1000}
        said.append(Measurement("air_quality", humid, tags={"probe": "external"}))
    return said


def _kept(record: bytes) -> Iterable[Said]:
    then = dragino.seconds(record)
    yield kept(then, _climate(record))
    kind = record[6] & KIND
    if kind == LONG_COUNT:
        return
    of, plugged = _plugged(kind, record[:2])
    if then >= EARLIEST and plugged:
        yield kept(then, plugged, of)


def _is_kept(payload: bytes) -> bool:
    dated = dragino.seconds(payload[:RECORD]) in DATES
    return bool(payload[6] & ASKED_FOR) or (bool(payload[6] & AGAIN) and dated) or not any(payload)


def _temperatures(payload: bytes) -> Iterable[Output]:
    if len(payload) < 5:
        return [Reject("length", payload, f"{len(payload)} bytes on port {TEMPERATURES}")]
    rest = Remark("left out", "temperatures without their times", payload[3:].hex(" ").upper())
    return [Measurement("air_quality", dragino.battery(payload)), rest]


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port == INFORMATION:
        return [dragino.information(payload, "air_quality")]
    if port == TEMPERATURES:
        return _temperatures(payload)
    if port != READING:
        return [Reject("unsupported", payload, f"port {port} carries no reading")]
    if len(payload) >= RECORD and _is_kept(payload):
        return dragino.records(payload, port, "air_quality", _kept)
    if len(payload) != RECORD:
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING}")]
    return _now(payload)


CODEC = Codec(
    name="dragino_lht65",
    title="Dragino LHT65, LHT65N temperature and humidity sensors",
    fields=(
        field("temperature", -40, 85),
        field("relative_humidity"),
        field("external_temperature"),
        field("illuminance"),
        field("total_count"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    kinds=("air_quality", "traffic"),
)
