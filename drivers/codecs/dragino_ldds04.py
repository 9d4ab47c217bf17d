"""Dragino LDDS04: four ultrasonic heads on one box.

LoRaWAN, port 2, big endian::

    xb bb d1 d1 d2 d2 d3 d3 d4 d4 mm     b battery, mV, 14 bits; bit 7 of the first byte: woken from outside;
                                         d distances, 0.1 cm; m kind of message, 1 a reading

    0D 4A  03 16  03 18  03 1A  03 15  01      3.402 V; 79.0, 79.2, 79.4, 78.9 cm

Each head is a measurement with the tag head, 1 to 4; the battery is one without. Quirks: a head that is not connected
gives 0, which is no distance. m = 2 is the answer to a question.

Sources: LDDS04 user manual; the vendor's codec in The Things Network's device repository.
"""

from collections.abc import Iterable

from drivers.codecs.common import dragino
from drivers.codecs.common.distance import DistanceOptions, surface
from gateway.contract import Codec, FieldValue, Measurement, Reject, field

READING = 2
FRAME = 11
ANSWER = 2


def decode(port: int, payload: bytes, options: DistanceOptions) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if port != READING:
        return [Reject("unsupported", payload, f"port {port} carries no distance")]
    if len(payload) != FRAME:
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING}")]
    if payload[10] == ANSWER:
        return [Reject("unsupported", payload, "an answer to a question")]
    own: dict[str, FieldValue] = dragino.battery(payload)
    if payload[0] & 0x80:
        own["event"] = "trigger"
    said: list[Measurement | Reject] = [Measurement("parking", own)]
    for head, at in enumerate((2, 4, 6, 8), 1):
        if millimetres := dragino.number(payload, at):
            said.append(Measurement("parking", surface(millimetres, options), tags={"head": str(head)}))
    return said


CODEC = Codec(
    name="dragino_ldds04",
    title="Dragino LDDS04 distance sensor with four heads",
    fields=(field("distance", 0, 7500), field("occupied"), field("battery_voltage"), field("event")),
    decode=decode,
    options=DistanceOptions,
    kinds=("parking",),
)
