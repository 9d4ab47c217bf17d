"""Adeunis COMFORT CO2: temperature, humidity and carbon dioxide, several readings in a message.

LoRaWAN, port 1, big endian; s status, bits 7 to 5 a counter, 3 settings wrong, 2 a time stands last, 1 battery low::

    6A ss  tt tt hh gg gg  tt tt hh gg gg ..  [uuuu]    t int16, 0.1 C; h humidity, %; g CO2, ppm; newest first
    6B ss aa tt tt hh gg gg [uuuu]                      an alarm: a bit 4 temperature, 5 CO2, 0 humidity
    30 ss ..                                            a day's extremes and means
    37 ss aa aa aa rr rr rr                             firmware, and that of the radio
    51, 52 ss ii nnnn cc cc [uuuu]                      an input changed: i bit 0 its state, counted in all and since
    10 ss ..                                            settings

    6A 20  00 E1 2D 02 58  00 E0 2E 02 62     22.5 C, 45 %, 600 ppm; before 22.4 C, 46 %, 610 ppm

    u  seconds since 2013-01-01; the option ``period`` is the time between two readings of a message

Quirks: older readings of a message have no time of their own. With the option ``period`` each gets it, counted back
from the newest's, which has to be in the message: else the newest alone is given, and the rest named. 8000 for the
temperature, FF for the humidity and FFFF for CO2 are left out.

Source: the vendor's codec in The Things Network's device repository (COMFORT CO2).
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common.entries import Output, Part, Said, joined, kept
from gateway.contract import Codec, Duration, FieldValue, Options, Reject, Remark, field

DATA, ALARM, VERSION, FIRST, SECOND = 0x6A, 0x6B, 0x37, 0x51, 0x52
NO_READING = {0x10: "settings", 0x1F: "settings", 0x20: "settings", 0x30: "a day's extremes", 0x33: "an answer"}
DATED, LOW = 0x04, 0x02
EPOCH = 1_356_998_400
"""Seconds, 2013-01-01 UTC."""
READING = 5
NONE = {"temperature": -0x8000, "relative_humidity": 0xFF, "co2": 0xFFFF}
ALARMS = {0x10: "temperature alarm", 0x20: "CO2 alarm", 0x01: "humidity alarm"}


class ComfortOptions(Options):
    """How often it measures.

    ``period``  the time between two readings of one message, as the device is set; left out, only the newest is taken
    """

    period: Duration | None = None


def _fields(value: bytes) -> dict[str, FieldValue]:
    tenths, humid, ppm = unpack(">hBH", value)
    raw = {"temperature": (tenths, 10), "relative_humidity": (humid, 100), "co2": (ppm, 1)}
    return {name: number / divisor for name, (number, divisor) in raw.items() if number != NONE[name]}


def _data(body: bytes, newest: int | None, options: ComfortOptions) -> Iterable[Said]:
    readings = [body[at : at + READING] for at in range(0, len(body), READING)]
    yield Part(_fields(readings[0])) if newest is None else kept(newest, _fields(readings[0]))
    if newest is None or options.period is None:
        if readings[1:]:
            yield Remark("left out", "older readings of a message", f"{len(readings) - 1} without a time")
        return
    for number, reading in enumerate(readings[1:], 1):
        yield kept(newest - round(number * options.period), _fields(reading))


def _input(payload: bytes, then: int | None) -> Iterable[Said]:
    total, since = unpack(">IH", payload[3:9])
    tags = {"input": str(payload[0] - FIRST + 1)}
    fields: dict[str, FieldValue] = {"total_count": total, "intensity": since}
    return (Part(fields, "traffic", tags) if then is None else kept(then, fields, "traffic", tags),)


def _alarm(payload: bytes, then: int | None) -> Iterable[Said]:
    events = ", ".join(word for bit, word in ALARMS.items() if payload[2] & bit) or "alarm over"
    fields = {**_fields(payload[3:8]), "event": events}
    return (Part(fields) if then is None else kept(then, fields),)


def _parts(payload: bytes, then: int | None, options: ComfortOptions) -> Iterable[Said] | None:
    """Return what a message says without its time, None where it has another length than its kind."""
    kind, size = payload[0], len(payload)
    if kind == DATA:
        return _data(payload[2:], then, options) if size > 2 and (size - 2) % READING == 0 else None
    if kind == ALARM:
        return _alarm(payload, then) if size == 8 else None
    if kind == VERSION:
        return (Part({"firmware_version": ".".join(map(str, payload[2:5]))}),) if size >= 8 else None
    return _input(payload, then) if size == 9 else None


def decode(_: int, payload: bytes, options: ComfortOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if len(payload) < 2:
        return [Reject("length", payload, f"{len(payload)} bytes")]
    if payload[0] not in (DATA, ALARM, VERSION, FIRST, SECOND):
        return [Reject("unsupported", payload, NO_READING.get(payload[0], f"frame {payload[0]:02X}"))]
    status, then, body = payload[1], None, payload
    if status & DATED and payload[0] != VERSION:
        body, then = payload[:-4], int.from_bytes(payload[-4:], "big") + EPOCH
    parts = _parts(body, then, options) if len(body) >= 2 else None
    if parts is None:
        return [Reject("length", payload, f"{len(payload)} bytes of frame {payload[0]:02X}")]
    found = list(parts)
    if not any(isinstance(one, Reject) or (isinstance(one, Part) and one.fields) for one in found):
        return [Reject("unsupported", payload, "no reading in it")]
    return joined([*found, Part({"battery_low": bool(status & LOW)})], "air_quality")


CODEC = Codec(
    name="adeunis_comfort_co2",
    title="Adeunis COMFORT CO2",
    fields=(
        field("temperature"),
        field("relative_humidity"),
        field("co2"),
        field("total_count"),
        field("intensity"),
        field("battery_low"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    options=ComfortOptions,
    kinds=("air_quality", "traffic"),
)
