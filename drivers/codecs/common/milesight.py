"""Milesight's payload: entries of channel, type and value, one after the other; shared by the codecs of its devices.

Port 85, which can be changed, so any port is taken. Numbers are little endian; what a channel means and how long its
value is depends on the device. Every device reports about itself, ``v`` version, ``s`` serial number::

    01 75 pp            battery, %              FF 09 vv vv        hardware
    FF 01 vv            protocol                FF 0A vv vv        firmware, 01 10 is 1.10
    FF 0B FF            switched on             FF 1F vv vv vv vv  firmware, 84 01 00 01 is 132.1.0.1
    FF 0F cc            LoRaWAN class           FF 16 s (8)        serial number; FF 08 s (6) in older ones
    FF FE FF            reset to factory state  FF FF vv vv        of the channels' description

    01 75 5C  03 67 01 01       battery 92 %; channel 3, type 67: 257 tenths of a degree, 25.7 C

Quirks: nothing tells the length of an unknown entry, so reading ends there, and what came before it holds. Answers to
settings (FE .., FF .., F8 .., F9 ..) are such entries. The README calls the serial number two bytes; it has eight.

Sources: README and decoder of each device in the vendor's SensorDecoders (e79c9d8, of July 2026); the devices'
user guides.
"""

from collections.abc import Callable, Iterable, Mapping

from drivers.codecs.common.entries import Fixed, Part, Table, unread
from gateway.contract import field

FIELDS = (
    field("battery_level"),
    field("event"),
    field("firmware_version"),
    field("hardware_version"),
    field("serial_number"),
)
"""Fields that every device may give."""


def number(name: str, size: int, divisor: float = 1.0, *, signed: bool = False) -> Fixed:
    """Return the entry of a number with a fraction: the field is the number divided by ``divisor``."""
    return size, lambda value: (Part({name: int.from_bytes(value, "little", signed=signed) / divisor}),)


def whole(name: str, size: int) -> Fixed:
    """Return the entry of a whole number."""
    return size, lambda value: (Part({name: int.from_bytes(value, "little")}),)


def flag(name: str) -> Fixed:
    """Return the entry of one byte, 0 or 1."""
    return 1, lambda value: (Part({name: value[0] == 1}),)


def in_out(tags: Mapping[str, str], name: str) -> Fixed:
    """Return the entry of two counts of 16 bits, of those who came in and of those who went out."""
    return 4, lambda value: (
        Part({name: int.from_bytes(value[:2], "little")}, "traffic", {"direction": "in", **tags}),
        Part({name: int.from_bytes(value[2:], "little")}, "traffic", {"direction": "out", **tags}),
    )


def stay(value: bytes) -> Iterable[Part]:
    """Return an entry of type E4: a region, and the average and the longest stay in it, s."""
    average, longest = int.from_bytes(value[1:3], "little"), int.from_bytes(value[3:5], "little")
    fields = {"average_dwell_time": float(average), "max_dwell_time": float(longest)}
    return (Part(fields, "traffic", {"region": str(value[0])}),)


def with_alarm(entry: Fixed, what: str) -> Fixed:
    """Return an entry followed by a byte: 1 (3 for the temperature) a bound was passed, 0 (4) that is over."""
    size, read = entry
    return size + 1, lambda value: (
        *read(value[:size]),
        Part({"event": f"{what} alarm" if value[size] in (1, 3) else f"{what} alarm over"}),
    )


def record_length(rest: bytes, sizes: Iterable[int], channels: Iterable[int] = (0x20,)) -> int:
    """Return the bytes of a kept reading: the least of ``sizes`` at which the payload ends or the next begins.

    The rest as a whole where none fits, so that nothing is read out of step.
    """
    codes = [bytes((channel, 0xCE)) for channel in channels]
    for size in sorted({*sizes}):
        starts = range(size, len(rest), size + 2)
        if (len(rest) - size) % (size + 2) == 0 and all(rest[at : at + 2] in codes for at in starts):
            return size
    return len(rest)


def text(name: str, size: int, form: Callable[[bytes], str]) -> Fixed:
    """Return the entry of a version or number written by ``form``."""
    return size, lambda value: (Part({name: form(value)}),)


def dotted(value: bytes) -> str:
    """Write 84 01 00 01 as 132.1.0.1."""
    return ".".join(map(str, value))


OF_ALL: Table = {
    0x0175: number("battery_level", 1, 100),
    0xFF01: unread(1),
    0xFF08: text("serial_number", 6, bytes.hex),
    0xFF09: text("hardware_version", 2, lambda value: f"{value[0]:x}.{value[1] >> 4:x}"),
    0xFF0A: text("firmware_version", 2, lambda value: f"{value[0]:x}.{value[1]:x}"),
    0xFF0B: (1, lambda _: (Part({"event": "power on"}),)),
    0xFF0F: unread(1),
    0xFF16: text("serial_number", 8, bytes.hex),
    0xFF18: unread(2),
    0xFF1F: text("firmware_version", 4, dotted),
    0xFFCC: unread(1),
    0xFFFE: (1, lambda _: (Part({"event": "reset"}),)),
    0xFFFF: unread(2),
}
"""The entries that any of the devices may send."""
