"""SenseCAP S2101, S2102, S2103 (and S2100, S2104, S2105): temperature and humidity, light, carbon dioxide; outdoors.

LoRaWAN, frames of seven bytes, little endian, then a sum of two bytes::

    cc ii ii vv vv vv vv      c channel, i what it is, v value

    1001  temperature, 0.001 C (int32)   1003  light, 0.001 lux    1006 ..  soil and others, see below
    1002  humidity, 0.001 %              1004  CO2, 0.001 ppm      1005     pressure, 0.001 Pa
    0007  battery, % (16 bits), interval in minutes                0000     versions: 01 01 00 01 is 1.1 in 1.0
    0002, 0003  identity of the sensor    0120  sensor removed     others below 1000: settings

    01 04 10 40 4E 0D 00  01 01 10 10 63 00 00  01 02 10 1A C2 00 00  FA CC     872 ppm, 25.36 C, 49.69 %

Quirks: in place of a value, 2 000 000 and more are the number of an error: 2000001 no answer, 2000002 wrong head,
2000003 wrong setting, 2000257 unknown. A decoder in circulation never checks the sum, and its polynomial is not
public: it is not checked here either. What is measured in the soil is left out, and named.

Sources: the vendor's SenseCAP-Decoder, S210X (March 2024); akenza's device library for the errors.
"""

from collections.abc import Iterable
from struct import unpack

from drivers.codecs.common.entries import Output, Part, Said, joined, or_refused
from gateway.contract import Codec, FieldValue, Options, Reject, Remark, field

SIZE, SUM = 7, 2
MEASURED = 0x1000
ERRORS = 2_000_000_000
NUMBERS = {
    0x1001: ("temperature", 1000.0),
    0x1002: ("relative_humidity", 100_000.0),
    0x1003: ("illuminance", 1000.0),
    0x1004: ("co2", 1000.0),
    0x1005: ("atmospheric_pressure", 100_000.0),
}
NAMES = {0x1006: "soil temperature", 0x1007: "soil moisture", 0x100C: "electrical conductivity"}
VERSIONS, BATTERY, REMOVED = 0x0000, 0x0007, 0x0120


def _own(code: int, value: bytes) -> dict[str, FieldValue]:
    if code == VERSIONS:
        return {"hardware_version": f"{value[3]}.{value[2]}", "firmware_version": f"{value[1]}.{value[0]}"}
    if code == BATTERY:
        return {"battery_level": int.from_bytes(value[:2], "little") / 100}
    return {"event": "sensor removed"} if code == REMOVED else {}


def _frame(frame: bytes) -> Said:
    code, raw = unpack("<xHi", frame)
    if code < MEASURED:
        return Part(_own(code, frame[3:]))
    known = NUMBERS.get(code)
    if raw >= ERRORS:
        what = known[0] if known else NAMES.get(code, f"measurement {code:04X}")
        return Part({"device_error": raw // 1000 - 2_000_000, "event": f"no {what}"})
    if known is None:
        return Remark("left out", NAMES.get(code, f"measurement {code:04X}"), f"{raw / 1000:g}")
    name, divisor = known
    return Part({name: raw / divisor})


def decode(_: int, payload: bytes, __: Options) -> Iterable[Output]:
    """See `gateway.contract.Codec`."""
    end = len(payload) - SUM
    if end < SIZE or end % SIZE:
        return [Reject("length", payload, f"{len(payload)} bytes are no frames of {SIZE} and a sum")]
    frames = (_frame(payload[at : at + SIZE]) for at in range(0, end, SIZE))
    return or_refused(joined(frames, "air_quality"), payload)


CODEC = Codec(
    name="sensecap_s210x",
    title="SenseCAP S2101, S2102, S2103 sensors of climate, light, CO2",
    fields=(
        field("temperature", -40, 85),
        field("relative_humidity"),
        field("illuminance"),
        field("co2"),
        field("atmospheric_pressure"),
        field("battery_level"),
        field("hardware_version"),
        field("firmware_version"),
        field("device_error"),
        field("event"),
    ),
    decode=decode,
    kinds=("air_quality",),
)
