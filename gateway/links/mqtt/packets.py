"""The two MQTT packets that come by the thousand, read and written by us; paho has all the others. Pure.

::

    PUBLISH  0011dqqr  length  u16 size + topic  [u16 packet identity]  [5: properties]  payload
    PUBACK   01000000  2       u16 packet identity

    d  sent before   qq  quality of service   r  retained
    length, and that of the properties: 7 bits a byte, low ones first, bit 7 says that more follow, at most 4 bytes

paho builds objects for every property and callback and reads each packet in three pieces; for a message that is 15 to
25 us of Python, this is 1. Source: MQTT 3.1.1 (OASIS 2014), 2.2 and 3.3; MQTT 5.0 (OASIS 2019), 2.2 and 3.3.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

_PUBACK = struct.Struct("!HH")
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


class Message(NamedTuple):
    """A message as it came; ``mid`` is 0 for QoS 0, without PUBACK. A topic that is no text is U+FFFD."""

    topic: str
    payload: bytes
    mid: int
    repeated: bool
    retained: bool


def parse_publish(data: bytes, start: int, *, v5: bool) -> tuple[Message, int] | None:
    """Return the message whose packet begins at ``start``, and where that packet ends.

    None for everything that is not a whole, well-formed PUBLISH of QoS 0 or 1 with a topic: paho then decides.
    """
    size = len(data)
    if start + 4 > size or data[start] & 0xF0 != 0x30:
        return None
    first = data[start]
    qos = first & 0x06
    length, at = _varint(data, start + 1)
    end = at + length
    if at < 0 or end > size or length < 2 or qos > 2:
        return None
    topic_end = at + 2 + (data[at] << 8 | data[at + 1])
    body = topic_end + qos  # a packet identity has two bytes, as the bits of QoS 1 say
    if body > end or topic_end == at + 2:
        return None
    mid = data[topic_end] << 8 | data[topic_end + 1] if qos else 0
    if v5:
        length, body = _varint(data, body) if body < end else (0, -1)
        body = end + 1 if body < 0 else body + length
    if body > end or (qos and not mid):
        return None
    try:
        topic = data[at + 2 : topic_end].decode()
    except UnicodeDecodeError:
        topic = _UNREADABLE
    return Message(topic, data[body:end], mid, bool(first & 0x08), bool(first & 0x01)), end


def pubacks(mids: Iterable[int]) -> bytes:
    """Return the acknowledgements of these packet identities, in order."""
    return b"".join([_PUBACK.pack(0x4002, mid) for mid in mids])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable byte integer and where it ends; (0, -1) where it is not whole or longer than four bytes."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for shift, place in ((7, at + 1), (14, at + 2), (21, at + 3)):
        if place >= len(data):
            break
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place + 1
    return 0, -1
