"""Dragino LLDS12: distance by laser, 0.1 to 12 m, with a Benewake head.

LoRaWAN, port 2, big endian::

    bb bb tt tt dd dd ss ss ii ll mm     b battery, mV, its upper bits flags; t probe DS18B20; d distance, 0.1 cm;
                                         s strength of the echo; i woken from outside; l the head's temperature,
                                         int8, C; m kind of message, 1 a reading

    0D 5C  00 00  0B 18  01 B1  00  1E  01      3.42 V, 284 cm, strength 433, head at 30 C

Quirks: without a probe 0 is sent for it: see the option ``probe``. An echo weaker than 100, and the value 65535 of a
blinded sensor, make the distance doubtful: it is given and marked, and says nothing of the bay. m = 2 is the answer
to a question.

Sources: LLDS12 user manual; the vendor's codec in The Things Network's device repository.
"""

from collections.abc import Iterable

from drivers.codecs.common import dragino
from drivers.codecs.common.distance import DistanceOptions, surface
from drivers.codecs.common.dragino import DraginoOptions, number
from gateway.contract import Codec, Measurement, Quality, Reject, field

READING = 2
FRAME = 11
ANSWER = 2
WEAKEST, BLINDED = 100, 0xFFFF
NO_THRESHOLD = DistanceOptions()


def decode(port: int, payload: bytes, options: DraginoOptions) -> Iterable[Measurement | Reject]:
    """See `gateway.contract.Codec`."""
    if port != READING:
        return [Reject("unsupported", payload, f"port {port} carries no distance")]
    if len(payload) != FRAME:
        return [Reject("length", payload, f"{len(payload)} bytes on port {READING}")]
    if payload[10] == ANSWER:
        return [Reject("unsupported", payload, "an answer to a question")]
    strength = number(payload, 6)
    sure = WEAKEST <= strength < BLINDED
    fields = {
        **dragino.battery(payload),
        **dragino.probe(number(payload, 2, signed=True), options),
        **surface(number(payload, 4), options if sure else NO_THRESHOLD),
        "signal_strength": strength,
        "device_temperature": float(int.from_bytes(payload[9:10], signed=True)),
    }
    return [Measurement("parking", fields, quality=Quality.GOOD if sure else Quality.OUT_OF_RANGE)]


CODEC = Codec(
    name="dragino_llds12",
    title="Dragino LLDS12 laser distance sensor",
    fields=(
        field("distance", 0, 12_000),
        field("occupied"),
        field("external_temperature"),
        field("signal_strength"),
        field("device_temperature"),
        field("battery_voltage"),
    ),
    decode=decode,
    options=DraginoOptions,
    kinds=("parking",),
)
