"""MOKO LW009-SM (TBS-223): one bay, by magnetometer and radar.

LoRaWAN, port 1, big endian; twelve bytes of head, then entries of tag, length and value::

    55 pp uuuu ff ff ll ll ii ee      head byte, protocol, Unix time, frame, bytes behind the head, command, encrypted
    02 01 ss    why: 00 heartbeat, 0B became free, 0C became taken, 0D strong magnet, 0E battery low, 10 magnetometer
                failed, 11 climate sensor failed, 12 radar failed
    32 01 oo    1 taken      24 01 bb  battery, %      29 02 vv vv  battery, mV      0B 01 tt  temperature, int8, C
    35 01 hh    humidity, %  23 02 ..  radar           25 06 x y z  magnetic field   05 .. ss  firmware
    03 ..       model, 85    06 ..     heartbeat       22 01 ..     sensitivity

    55 01 65 E0 AA 4E 00 01 00 0F 01 00  02 01 0C  24 01 5A  32 01 01  0B 01 FB  35 01 2D
              became taken, battery 90 %, -5 C, 45 %

Quirks: what the entries mean is known from decoders in circulation and not from a document of the maker. Each states
its length: one of an unknown tag is passed over, and named. What is encrypted is refused. The bay is marked as
doubtful where a magnet disturbs or a sensor for it failed; the climate is left out where its sensor failed.

Sources: MOKO's decoders for TagoIO and The Things Stack, as found in public repositories.
"""

from collections.abc import Iterable

from drivers.codecs.common.entries import Output
from gateway.contract import Codec, FieldValue, Measurement, Options, Quality, Reject, Remark, field

PORT = 1
HEAD = 12
STATE, OCCUPIED, LEVEL, VOLTAGE, CELSIUS, HUMID, FIRMWARE = 0x02, 0x32, 0x24, 0x29, 0x0B, 0x35, 0x05
UNREAD = (0x03, 0x06, 0x22, 0x23, 0x25)
EVENTS = {
    0x00: "heartbeat",
    0x0B: "free",
    0x0C: "taken",
    0x0D: "strong magnet",
    0x0E: "battery low",
    0x10: "magnetometer failure",
    0x11: "climate sensor failure",
    0x12: "radar failure",
}
DOUBTFUL = (0x0D, 0x10, 0x12)
CLIMATE_FAILED = 0x11


def entries(payload: bytes) -> dict[int, bytes] | None:
    """Return the value of each tag, None where one is cut."""
    at, found = HEAD, {}
    while at + 2 <= len(payload):
        end = at + 2 + payload[at + 1]
        found[payload[at]] = payload[at + 2 : end]
        at = end
    return found if at == len(payload) else None


def _fields(said: dict[int, bytes]) -> dict[str, FieldValue]:
    numbers = {tag: int.from_bytes(value, "big") for tag, value in said.items()}
    fields: dict[str, FieldValue] = {}
    if OCCUPIED in numbers:
        fields["occupied"] = numbers[OCCUPIED] == 1
    if LEVEL in numbers:
        fields["battery_level"] = numbers[LEVEL] / 100
    if VOLTAGE in numbers:
        fields["battery_voltage"] = numbers[VOLTAGE] / 1000
    if FIRMWARE in numbers:
        fields["firmware_version"] = said[FIRMWARE].hex()
    if numbers.get(STATE) != CLIMATE_FAILED:
        if CELSIUS in said:
            fields["temperature"] = float(int.from_bytes(said[CELSIUS], "big", signed=True))
        if HUMID in numbers:
            fields["relative_humidity"] = numbers[HUMID] / 100
    if STATE in numbers:
        fields["event"] = EVENTS.get(numbers[STATE], f"state {numbers[STATE]:02X}")
    return fields


def decode(port: int, payload: bytes, _: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    if port != PORT:
        return [Reject("unsupported", payload, f"port {port} carries no reading")]
    if len(payload) < HEAD or len(payload) != HEAD + int.from_bytes(payload[8:10], "big"):
        return [Reject("length", payload, f"{len(payload)} bytes are not as many as the head says")]
    if payload[11]:
        return [Reject("unsupported", payload, "it is encrypted")]
    said = entries(payload)
    if said is None:
        return [Reject("length", payload, "an entry is cut")]
    fields = _fields(said)
    known = {STATE, OCCUPIED, LEVEL, VOLTAGE, CELSIUS, HUMID, FIRMWARE, *UNREAD}
    rest = [Remark("left out", f"entry {tag:02X}", said[tag].hex()) for tag in said if tag not in known]
    if not fields:
        return [*rest, Reject("unsupported", payload, "no reading in it")]
    state = int.from_bytes(said.get(STATE, b"\0"), "big")
    doubt = Quality.INCONSISTENT if state in DOUBTFUL and "occupied" in fields else Quality.GOOD
    return [Measurement("parking", fields, quality=doubt), *rest]


CODEC = Codec(
    name="moko_lw009",
    title="MOKO LW009-SM (TBS-223) parking sensor",
    fields=(
        field("occupied"),
        field("temperature"),
        field("relative_humidity"),
        field("battery_level"),
        field("battery_voltage"),
        field("firmware_version"),
        field("event"),
    ),
    decode=decode,
    kinds=("parking",),
    experimental=True,
)
