"""IMBuildings people counter (and comfort sensor): who passes a beam of infrared, in both directions.

LoRaWAN, port 1, big endian; i identity (8 bytes), d state, b battery, 0.01 V, s state of the beam::

    02 05 i d bb bb  aa aa cc cc  ss nn                counted towards a and c since the last message; n message
    02 06 i d bb bb  aa aa cc cc  ss AA AA CC CC nn    and in all
    02 07 i d bb bb  ss AA AA CC CC                    in all
    02 08 i d bb bb  ss                                the device itself
    01 03 i d bb bb  tt tt hh hh gg gg pp              comfort sensor: 0.01 C, 0.01 %, CO2 ppm, presence
    port 26, 27      what is behind i of 02 06, behind b of 02 07

    02 06 00 04 A3 0B 00 F6 B5 69  08 00 F8  00 03 00 02  20 06 03 05 E6 61
              2.48 V, not full; 3 and 2 passed, 1539 and 1510 in all; the receiver's battery is low

    d  1 start, 2 joined again, 4 settings changed, 8 battery not full
    s  80 beam blocked, 40 receiver disturbed, 20 receiver's battery low, 4 sensor started, 2 beam weak

One measurement a direction (tag direction: a, b). Sums have 16 bits and begin again.
Quirk: with the beam blocked nothing is counted: the count is marked as doubtful.

Sources: the vendor's codec 1.1 in The Things Network's device repository; akenza's device library (variants 7 and 8).
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, Quality, Reject, field

COMFORT, PEOPLE = 1, 2
HEAD = 10
"""Type, variant and identity."""
SIZES = {(PEOPLE, 5): 19, (PEOPLE, 6): 23, (PEOPLE, 7): 18, (PEOPLE, 8): 14, (COMFORT, 3): 20}
PLAIN = {26: (PEOPLE, 6, HEAD), 27: (PEOPLE, 7, HEAD + 3)}
"""Port without a head -> type, variant, and how many bytes are not sent."""
STATES = {0x01: "start", 0x02: "reconnected", 0x04: "settings changed", 0x08: "battery not full"}
BLOCKED = 0x80
BEAM = {
    BLOCKED: "beam blocked",
    0x40: "receiver disturbed",
    0x20: "receiver battery low",
    0x04: "sensor started",
    0x02: "beam weak",
}


def _own(state: int | None, hundredths: int | None, beam: int) -> dict[str, FieldValue]:
    events = [word for bit, word in STATES.items() if state is not None and state & bit]
    events += [word for bit, word in BEAM.items() if beam & bit]
    own: dict[str, FieldValue] = {} if hundredths is None else {"battery_voltage": hundredths / 100}
    return own | {"event": ", ".join(events)} if events else own


def _people(variant: int, body: bytes, plain: bool) -> list[Output]:
    counted: list[int] = []
    totals: list[int] = []
    state: int | None = None
    hundredths: int | None = None
    if not (plain and variant == 7):
        state, hundredths = body[0], int.from_bytes(body[1:3], "big")
        body = body[3:]
    if variant in (5, 6):
        counted, body = [*unpack(">HH", body[:4])], body[4:]
    beam = body[0]
    if variant in (6, 7):
        totals = [*unpack(">HH", body[1:5])]
    doubt = Quality.INCONSISTENT if beam & BLOCKED else Quality.GOOD
    said: list[Output] = []
    if own := _own(state, hundredths, beam):
        said.append(Measurement("traffic", own))
    for number, way in enumerate("ab"):
        fields: dict[str, FieldValue] = {"intensity": counted[number]} if counted else {}
        fields |= {"total_count": totals[number]} if totals else {}
        if fields:
            said.append(Measurement("traffic", fields, tags={"direction": way}, quality=doubt))
    return said


def _comfort(body: bytes) -> list[Output]:
    state, hundredths, celsius, humid, ppm, present = unpack(">BHhHHB", body)
    fields = _own(state, hundredths, 0)
    fields |= {"temperature": celsius / 100, "relative_humidity": humid / 10_000}
    return [Measurement("air_quality", {**fields, "co2": float(ppm), "motion": int(present == 1)})]


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    plain = port in PLAIN
    if not plain and len(payload) < HEAD:
        return [Reject("length", payload, f"{len(payload)} bytes on port {port}")]
    type_, variant, missing = PLAIN[port] if plain else (payload[0], payload[1], 0)
    size = SIZES.get((type_, variant))
    if size is None:
        return [Reject("unsupported", payload, f"type {type_}, variant {variant}")]
    if len(payload) != size - missing:
        return [Reject("length", payload, f"{len(payload)} bytes of type {type_}, variant {variant}")]
    body = payload if plain else payload[HEAD:]
    return _comfort(body) if type_ == COMFORT else _people(variant, body, plain)


CODEC = Codec(
    name="imbuildings",
    title="IMBuildings people counter and comfort sensor",
    fields=(
        field("intensity"),
        field("total_count", 0, 0xFFFF),
        field("temperature"),
        field("relative_humidity"),
        field("co2"),
        field("motion", 0, 1),
        field("battery_voltage"),
        field("event"),
    ),
    decode=decode,
    kinds=("traffic", "air_quality"),
)
