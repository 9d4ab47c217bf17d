"""Terabee People Counting L-XL (LoRaWAN): people who pass beneath it, seen by time of flight.

LoRaWAN, nine bytes, big endian::

    ii ii ii ii oo oo oo oo ff      counted in and out, in all; f bit 3 access point on, 2 trouble with several
                                    devices, 1 counter stuck, 0 counter stopped

    00 00 00 02  00 00 00 03  00      2 in, 3 out, all well

One measurement a direction (tag direction: in, out). Sums begin again when the device starts.
Quirk: while the counter is stopped or stuck its sums are marked as doubtful, because they do not move.

Source: akenza's device library (People Counting XL, 0c405d3 of August 2026).
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, Quality, Reject, field

SIZE = 9
STOPPED, STUCK = 0x01, 0x02
EVENTS = {STOPPED: "counter stopped", STUCK: "counter stuck", 0x04: "trouble with several devices"}


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if len(payload) != SIZE:
        return [Reject("length", payload, f"{len(payload)} bytes; a count has {SIZE}")]
    came, went, flags = unpack(">IIB", payload)
    doubt = Quality.STUCK if flags & (STOPPED | STUCK) else Quality.GOOD
    said: list[Output] = []
    if events := ", ".join(word for bit, word in EVENTS.items() if flags & bit):
        own: dict[str, FieldValue] = {"device_error": flags & 0x07, "event": events}
        said.append(Measurement("traffic", own))
    for way, total in (("in", came), ("out", went)):
        said.append(Measurement("traffic", {"total_count": total}, tags={"direction": way}, quality=doubt))
    return said


CODEC = Codec(
    name="terabee_people_counting",
    title="Terabee People Counting L-XL",
    fields=(field("total_count"), field("device_error"), field("event")),
    decode=decode,
    kinds=("traffic",),
)
