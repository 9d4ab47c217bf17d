"""Dragino LDDS04 and DDS04-LB: four ultrasonic heads on one box.

LoRaWAN, big endian::

    port 2  xb bb d1 d1 d2 d2 d3 d3 d4 d4 mm     b battery, mV, 14 bits; d distances, 0.1 cm; m kind of message, 1 a
                                                 reading; the first byte's upper bits: LDDS04 bit 7, DDS04-LB bit 6
                                                 woken from outside (bit 7 the level)
    port 3  ff d1 d1 d2 d2 d3 d3 uu uu uu uu     DDS04-LB: one reading kept, f bit 0 woken, u Unix time; several
                                                 in a row
    port 5  device information, see `drivers.codecs.common.dragino`

    0D 4A  03 16  03 18  03 1A  03 15  01      3.402 V; 79.0, 79.2, 79.4, 78.9 cm

Each head is a measurement with the tag head, 1 to 4; the battery is one without. Quirks: a head that is not connected
gives 0, which is no distance. m = 2 is the answer to a question. Nothing but the option tells the generations'
flags apart. Of a kept reading the fourth head is not kept.

Sources: LDDS04 user manual; the vendor's codec in The Things Network's device repository; its DDS04-LB decoder of
May 2025.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from drivers.codecs.common import dragino
from drivers.codecs.common.distance import DistanceOptions, surface
from drivers.codecs.common.entries import Output, Said, kept
from gateway.contract import Codec, FieldValue, Measurement, Reject, field

READING, KEPT, INFORMATION = 2, 3, 5
FRAME = 11
ANSWER = 2
TRIGGERS = {"first": 0x80, "lb": 0x40}


class Ldds04Options(DistanceOptions):
    """What a distance stands for, and which box it is.

    ``generation``  "lb" for a DDS04-LB, "first" for an LDDS04, whose flags differ
    """

    generation: Literal["first", "lb"] = "lb"


def _heads(payload: bytes, places: Sequence[int], options: Ldds04Options) -> Iterable[Measurement]:
    return [
        Measurement("parking", surface(millimetres, options), tags={"head": str(head)})
        for head, at in enumerate(places, 1)
        if (millimetres := dragino.number(payload, at))
    ]


def _kept(record: bytes, options: Ldds04Options) -> Iterable[Said]:
    then = dragino.seconds(record)
    for one in _heads(record, (1, 3, 5), options):
        yield kept(then, one.fields, "parking", one.tags)
    if record[0] & 1:
        yield kept(then, {"event": "trigger"})


def decode(port: int, payload: bytes, options: Ldds04Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port == KEPT:
        return dragino.records(payload, port, "parking", lambda record: _kept(record, options))
    if port == INFORMATION:
        return [dragino.information(payload, "parking")]
    if port != READING:
        return [Reject("unsupported", payload, f"port {port} carries no distance")]
    if len(payload) != FRAME:
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING}")]
    if payload[10] == ANSWER:
        return [Reject("unsupported", payload, "an answer to a question")]
    own: dict[str, FieldValue] = dragino.battery(payload)
    if payload[0] & TRIGGERS[options.generation]:
        own["event"] = "trigger"
    return [Measurement("parking", own), *_heads(payload, (2, 4, 6, 8), options)]


CODEC = Codec(
    name="dragino_ldds04",
    title="Dragino LDDS04, DDS04-LB distance sensor with four heads",
    fields=(
        field("distance", 0, 7500),
        field("occupied"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    options=Ldds04Options,
    kinds=("parking",),
)
