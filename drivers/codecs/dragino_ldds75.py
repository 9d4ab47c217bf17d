"""Dragino LDDS75, LDDS45, LDDS20, DDS75-LB, DDS45-LB, DDS20-LB, DDS75-3-LB: distance by ultrasound, 20 to 7500 mm.

LoRaWAN, big endian; b battery in mV, its upper bits flags::

    port 2   bb bb dd dd [ii [tt tt ss]]  d distance, mm; i woken from outside; t probe DS18B20; s sensor is there
             .. dd dd dd dd .. [ii tt tt ss]    bit 4 of the first byte, DDS75-LB: from byte 8 on a distance each;
                                                since July 2025 the state of the probe and sensor comes behind them
             bb bb tt tt dd dd dd dd dd dd ff   DDS75-3-LB: three heads; f bit 4 sensor is there, bits 0 to 3 woken
    port 3   bb bb dd dd tt tt ff uu uu uu uu    one reading kept, with flags and Unix time; several in a row
             dd dd dd dd dd dd ff uu uu uu uu    DDS75-3-LB, see the option ``heads``
    port 5   device information, see `drivers.codecs.common.dragino`
    port 6   dd dd ..                            DDS75-LB, detection mode: distances

    0D 3B  0A EF  00  00 00  01      3.387 V, 2799 mm, nothing woke it, sensor there

Quirks: a distance of 0 says that no sensor answers, up to 20 (0014) that something is nearer than the sensor can
tell: neither is given as a distance, and the event says which. Whether the probe is in tenths or hundredths of a
degree depends on the firmware, and 0 stands for none: see the option ``probe``; the two later frames are in tenths.
Of several samples the last holds, and the others, whose times nothing tells, are named. A tail of flags and of a
temperature that a probe can have tells the frame of July 2025 from the older. Older firmware ends with the distance;
the decoder for it in The Things Network's repository gives the battery for the distance. Each head of the DDS75-3-LB
has the tag head, 1 to 3. Kept readings are laid out as the vendor's scripts have them, which no capture confirms.

Sources: LDDS75 and DDS75-LB user manuals; the vendor's dragino-end-node-decoder of May and July 2025.
"""

from collections.abc import Iterable
from typing import Literal

from drivers.codecs.common import dragino
from drivers.codecs.common.distance import surface
from drivers.codecs.common.dragino import NO_PROBE, NO_PROBE_TENTHS, DraginoOptions, number
from drivers.codecs.common.entries import Output, Said, kept
from gateway.contract import Codec, FieldValue, Measurement, Quality, Reject, Remark, field

READING, KEPT, INFORMATION, DETECTION = 2, 3, 5, 6
NEAREST = 20
HEADS = 3
OF_HEADS = 11
"""Bytes of a reading of the DDS75-3-LB."""
SAMPLES, TAIL = 8, 4
COLDEST, HOTTEST = -550, 1250
"""Tenths of a degree that a DS18B20 can have."""


class Ldds75Options(DraginoOptions):
    """What is connected, beside what a distance stands for.

    ``probe``  the scale of the DS18B20's temperature, where one is connected: "tenths" of a degree, or "hundredths"
               in some firmware; left out, nothing is connected, and what is sent in its place means nothing
    ``heads``  3 for the DDS75-3-LB: nothing else tells what it kept
    """

    heads: Literal[1, 3] = 1


def _distance(millimetres: int, options: Ldds75Options) -> tuple[dict[str, FieldValue], Quality]:
    if millimetres > NEAREST:
        return surface(millimetres, options), Quality.GOOD
    return {"event": "too near" if millimetres else "no sensor"}, Quality.OUT_OF_RANGE


def _tenths(raw: int, options: Ldds75Options) -> dict[str, FieldValue]:
    """Return the probe's temperature of a frame that is known to be in tenths; 0 stands for none by default."""
    return {} if raw == 0 and options.probe is None else dragino.tenths(raw)


def _has_tail(payload: bytes) -> bool:
    """Tell whether interrupt, probe and sensor flag stand behind the samples."""
    woken, there, raw = payload[-TAIL], payload[-1], number(payload, len(payload) - 3, signed=True)
    return woken <= 2 and there <= 1 and (COLDEST <= raw <= HOTTEST or raw in (NO_PROBE, NO_PROBE_TENTHS))


def _newest(samples: list[int], own: dict[str, FieldValue], options: Ldds75Options) -> Iterable[Output]:
    """Return the last of several distances, whose times nothing tells, and name the others."""
    last, doubt = _distance(samples[-1], options)
    yield Measurement("parking", {**own, **last}, quality=doubt)
    if samples[1:]:
        earlier = ", ".join(map(str, samples[:-1]))
        yield Remark("left out", "earlier samples of a message", f"{earlier} mm")


def _samples(payload: bytes, options: Ldds75Options) -> Iterable[Output]:
    fields: dict[str, FieldValue] = {"battery_voltage": (number(payload, 0) & 0x0FFF) / 1000}
    end = len(payload)
    if len(payload) >= SAMPLES + 2 + TAIL and _has_tail(payload):
        fields |= _tenths(number(payload, end - 3, signed=True), options)
        end -= TAIL
    return _newest([number(payload, at) for at in range(SAMPLES, end, 2)], fields, options)


def _heads(distances: Iterable[int], options: Ldds75Options, there: bool = True) -> Iterable[Measurement]:
    for head, millimetres in enumerate(distances, 1):
        fields, doubt = _distance(millimetres if there else 0, options)
        yield Measurement("parking", fields, quality=doubt, tags={"head": str(head)})


def _of_heads(payload: bytes, options: Ldds75Options) -> Iterable[Output]:
    own: dict[str, FieldValue] = {**dragino.battery(payload), **_tenths(number(payload, 2, signed=True), options)}
    if payload[10] & 0x0F:
        own["event"] = "trigger"
    yield Measurement("parking", own)
    yield from _heads((number(payload, at) for at in (4, 6, 8)), options, bool(payload[10] & 0x10))


def _reading(payload: bytes, options: Ldds75Options) -> Iterable[Output]:
    if payload[:1] and payload[0] & 0x10 and len(payload) > SAMPLES and len(payload) % 2 == 0:
        return _samples(payload, options)
    if len(payload) == OF_HEADS:
        return _of_heads(payload, options)
    if len(payload) not in (4, 5, 8):
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING}")]
    fields, doubt = _distance(number(payload, 2), options)
    fields |= dragino.battery(payload)
    if len(payload) == 8:
        fields |= dragino.probe(number(payload, 5, signed=True), options)
        if not payload[7]:
            fields["event"], doubt = "no sensor", Quality.OUT_OF_RANGE
    return [Measurement("parking", fields, quality=doubt)]


def _kept(record: bytes, options: Ldds75Options) -> Iterable[Said]:
    then = dragino.seconds(record)
    if options.heads == HEADS:
        for one in _heads((number(record, at) for at in (0, 2, 4)), options):
            yield kept(then, one.fields, "parking", one.tags)
        return
    fields, _ = _distance(number(record, 2), options)
    fields |= dragino.battery(record) | dragino.probe(number(record, 4, signed=True), options)
    yield kept(then, fields)


def _detected(payload: bytes, options: Ldds75Options) -> Iterable[Output]:
    if not payload or len(payload) % 2:
        return [Reject("length", payload, f"{len(payload)} bytes on port {DETECTION}")]
    return _newest([number(payload, at) for at in range(0, len(payload), 2)], {}, options)


def decode(port: int, payload: bytes, options: Ldds75Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port == READING:
        return _reading(payload, options)
    if port == KEPT:
        return dragino.records(payload, port, "parking", lambda record: _kept(record, options))
    if port == INFORMATION:
        return [dragino.information(payload, "parking")]
    if port == DETECTION:
        return _detected(payload, options)
    return [Reject("unsupported", payload, f"port {port} carries no distance")]


CODEC = Codec(
    name="dragino_ldds75",
    title="Dragino LDDS75, LDDS45, LDDS20, DDS75-LB, DDS45-LB, DDS20-LB, DDS75-3-LB distance sensors",
    fields=(
        field("distance", NEAREST, 7500),
        field("occupied"),
        field("external_temperature"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    options=Ldds75Options,
    kinds=("parking",),
)
