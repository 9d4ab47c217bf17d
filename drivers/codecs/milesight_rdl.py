"""Milesight EM410-RDL and EM411-RDL: distance by radar.

LoRaWAN, entries as in `drivers.codecs.common.milesight`; u is unsigned, i signed, 16 bits little endian::

    03 67 i        temperature, 0.1 C       04 82 i      distance, mm
    05 00 pp       1 tilted                 06 C7 i      strength of the echo, 0.01 dBm
    84 82 i aa     distance with an alarm: 0 that is over, 1 a bound was passed, 2 a jump
    94 82 i i aa   the same with the jump
    B4 82 i ee     an exception: 0 no longer too near, 1 too near, 2 no target, 3 sensor failed
    20 CE tttt i i i ee    kept: Unix time, distance, temperature, jump, events bit by bit: bound passed, over,
                           too near, over, jump, tilted

    01 75 64  03 67 0C 01  04 82 DC 05  05 00 00      battery 100 %, 26.8 C, 1500 mm, upright

Quirks: in place of a distance, FFFD says that there is no target, FFFF that the sensor failed, FFFE that it is off:
nothing is said of a bay then. FFFE and FFFF also stand for a temperature that was kept, though not for one of just
now, where they are -0.2 and -0.1 C. A distance from within the blind zone (exception 1) is none.

Sources: as in `drivers.codecs.common.milesight`; the decoders of November 2025.
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common import milesight
from drivers.codecs.common.distance import DistanceOptions, surface
from drivers.codecs.common.entries import Output, Part, Said, Table, kept, unread
from drivers.codecs.common.entries import decode as decode_entries
from drivers.codecs.common.milesight import flag, number
from gateway.contract import Codec, FieldValue, Measurement, field

NO_TARGET, OFF, FAILED = -3, -2, -1
"""What is sent in place of a value."""
ALARMS = {0: "distance alarm over", 1: "distance alarm", 2: "distance jump"}
EXCEPTIONS = {0: "too near over", 1: "too near", 2: "no target", 3: "sensor failure"}
EVENTS = ("distance alarm", "distance alarm over", "too near", "too near over", "distance jump", "tilted")
TOO_NEAR = 1 << EVENTS.index("too near")


def _distance(raw: int) -> Part:
    if raw >= 0:
        return Part({"distance": float(raw)})
    return Part({} if raw == OFF else {"event": "no target" if raw == NO_TARGET else "sensor failure"})


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little", signed=True)


def _alarm(value: bytes) -> Iterable[Part]:
    return _distance(_number(value[:2])), Part({"event": ALARMS.get(value[-1], f"alarm {value[-1]}")})


def _exception(value: bytes) -> Iterable[Part]:
    if value[2] == 0:
        yield _distance(_number(value[:2]))
    yield Part({"event": EXCEPTIONS.get(value[2], f"exception {value[2]}")})


def _history(value: bytes) -> Iterable[Said]:
    seconds, millimetres, tenths, _, bits = unpack("<IhhhB", value)
    said: list[dict[str, FieldValue]] = [{"event": name} for n, name in enumerate(EVENTS) if bits >> n & 1]
    if not bits & TOO_NEAR:
        said.insert(0, {**_distance(millimetres).fields})
    if tenths not in (OFF, FAILED):
        said.append({"temperature": tenths / 10})
    elif tenths == FAILED:
        said.append({"event": "temperature sensor failure"})
    events = ", ".join(str(one["event"]) for one in said if "event" in one)
    fields = {name: value for one in said for name, value in one.items()} | ({"event": events} if events else {})
    return (kept(seconds, fields),)


CHANNELS: Table = {
    **milesight.OF_ALL,
    0x0367: number("temperature", 2, 10, signed=True),
    0x0482: (2, lambda value: (_distance(_number(value)),)),
    0x0500: flag("tilted"),
    0x06C7: unread(2),
    0x20CE: (11, _history),
    0x8482: (3, _alarm),
    0x9482: (5, _alarm),
    0xB482: (3, _exception),
}


def decode(_: int, payload: bytes, options: DistanceOptions) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    for said in decode_entries(payload, CHANNELS, "parking"):
        if isinstance(said, Measurement) and isinstance(distance := said.fields.get("distance"), float):
            yield said._replace(fields={**said.fields, **surface(distance, options)})
        else:
            yield said


CODEC = Codec(
    name="milesight_rdl",
    title="Milesight EM410-RDL, EM411-RDL radar distance sensors",
    fields=(
        field("distance", 0, 30_000),
        field("occupied"),
        field("temperature"),
        field("tilted"),
        *milesight.FIELDS,
    ),
    decode=decode,
    options=DistanceOptions,
    kinds=("parking",),
)
