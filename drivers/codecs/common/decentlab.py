"""Decentlab's payload: one frame for all of its devices, and a list of groups for each.

LoRaWAN, port 1, words of 16 bits, big endian::

    02 ii ii ff ff w...     protocol 2, serial number; a bit of f for each group that is there, bit 0 for the first;
                            then the words of these groups, one after the other

    02 01 2F  00 03  04 D2 00 01  0B B1      DL-MBX 303, both groups: 1234 mm from one sample; 2.993 V

Temperature and humidity come from one sensor: 175.72 t / 65536 - 46.85 C, 125 h / 65536 - 6 %.
Quirks: a group that could not be measured is left out, often all but the battery. Groups that a later model of the
device has beyond the known ones stand behind those, which are read; the rest is named.

Source: the vendor's decentlab-decoders (as of ae766f0).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import unpack

from gateway.contract import FieldValue, Measurement, Reject, Remark

Words = Sequence[int]
Fields = Mapping[str, FieldValue]
Group = tuple[int, Callable[[Words], Fields]]
"""Number of words, and what they mean."""

PROTOCOL, HEADER = 2, 5


def battery(words: Words) -> Fields:
    """Return the battery's voltage."""
    return {"battery_voltage": words[0] / 1000}


def climate(words: Words) -> Fields:
    """Return temperature and humidity of the air."""
    return {
        "temperature": 175.72 * words[0] / 65536 - 46.85,
        "relative_humidity": (125 * words[1] / 65536 - 6) / 100,
    }


def present(payload: bytes, groups: Sequence[Group]) -> list[tuple[int, Words]] | Reject:
    """Return the number and the words of each group that is in a payload."""
    if len(payload) < HEADER or payload[0] != PROTOCOL:
        return Reject("length" if payload[:1] == b"\x02" else "noise", payload, "no frame of protocol 2")
    flags = int.from_bytes(payload[3:5], "big")
    there = [number for number in range(len(groups)) if flags >> number & 1]
    size = HEADER
    for number in there:
        size += 2 * groups[number][0]
    more = flags >> len(groups) != 0
    if len(payload) < size + 2 * more or len(payload) % 2 != HEADER % 2 or (len(payload) > size and not more):
        return Reject("length", payload, f"{len(payload)} bytes for groups {flags:b}")
    words = unpack(f">{(len(payload) - HEADER) // 2}H", payload[HEADER:])
    found: list[tuple[int, Words]] = []
    at = 0
    for number in there:
        size = groups[number][0]
        found.append((number, words[at : at + size]))
        at += size
    return found


def decode(payload: bytes, groups: Sequence[Group], kind: str) -> Iterable[Measurement | Reject | Remark]:
    """Return one measurement for all known groups of a payload, and a remark on others."""
    found = present(payload, groups)
    if isinstance(found, Reject):
        return [found]
    fields: dict[str, FieldValue] = {"serial_number": str(int.from_bytes(payload[1:3], "big"))}
    for number, words in found:
        fields |= groups[number][1](words)
    unknown = int.from_bytes(payload[3:5], "big") >> len(groups) << len(groups)
    if not unknown:
        return [Measurement(kind, fields)]
    if not found:
        return [Reject("unsupported", payload, f"groups {unknown:b}; this device has {len(groups)}")]
    return [Measurement(kind, fields), Remark("left out", f"groups {unknown:b}", f"this device has {len(groups)}")]
