"""A reader of MessagePack, for messages of devices: the objects, lists, texts and numbers that JSON would have.

Bytes become hexadecimal, and so do extensions, except for a time, which becomes seconds since 1970. Bounded in depth,
and in size by the message's own.
"""

from typing import Any

from drivers.common.binary_json import DEEPEST, Bytes, Malformed, fraction, name, text

_TIME = -1
"""The type of the extension that is a time."""


def read(payload: bytes) -> Any:  # noqa: ANN401 -- as JSON may hold anything
    """Return what a message holds; raises `drivers.common.binary_json.Malformed`."""
    data = Bytes(payload)
    found = _item(data, 0)
    data.end()
    return found


def _item(data: Bytes, depth: int) -> Any:  # noqa: ANN401 -- the same
    if depth > DEEPEST:
        raise Malformed(f"deeper than {DEEPEST} levels at byte {data.at}")
    head = data.number(1)
    if head < 0x80 or head >= 0xE0:
        return head if head < 0x80 else head - 0x100
    if head < 0x90:
        return _map(data, head & 15, depth)
    if head < 0xA0:
        return _list(data, head & 15, depth)
    if head < 0xC0:
        return text(data.take(head & 31), data.at)
    return _long(data, head, depth)


def _long(data: Bytes, head: int, depth: int) -> Any:  # noqa: ANN401 -- the same
    if head in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[head]
    if 0xCC <= head <= 0xD3:
        raw = data.take(1 << (head & 3))
        return int.from_bytes(raw, "big", signed=head >= 0xD0)
    if head in (0xCA, 0xCB):
        return fraction(data.take(4 if head == 0xCA else 8))
    if 0xD4 <= head <= 0xD8:
        return _extension(data, 1 << head - 0xD4)
    if head == 0xC1:
        raise Malformed(f"the byte C1 at byte {data.at - 1}, which means nothing")
    return _sized(data, head, depth)


def _sized(data: Bytes, head: int, depth: int) -> Any:  # noqa: ANN401 -- the same
    """Return what has its size before it: bytes, extensions, texts, lists and maps."""
    if 0xC4 <= head <= 0xC6:
        return data.take(data.number(1 << head - 0xC4)).hex()
    if 0xC7 <= head <= 0xC9:
        return _extension(data, data.number(1 << head - 0xC7))
    if 0xD9 <= head <= 0xDB:
        return text(data.take(data.number(1 << head - 0xD9)), data.at)
    size = data.number(2 if head in (0xDC, 0xDE) else 4)
    return _list(data, size, depth) if head in (0xDC, 0xDD) else _map(data, size, depth)


def _list(data: Bytes, size: int, depth: int) -> list[Any]:
    return [_item(data, depth + 1) for _ in range(data.room_for(size))]


def _map(data: Bytes, size: int, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(data.room_for(size)):
        key = name(_item(data, depth + 1))
        found.setdefault(key, _item(data, depth + 1))
    return found


def _extension(data: Bytes, size: int) -> Any:  # noqa: ANN401 -- the same
    (kind,) = data.take(1)
    raw = data.take(size)
    if kind != _TIME & 0xFF:
        return raw.hex()
    if size == 4:
        return int.from_bytes(raw, "big")
    if size == 8:
        both = int.from_bytes(raw, "big")
        return _seconds(both & (1 << 34) - 1, both >> 34)
    if size == 12:
        return _seconds(int.from_bytes(raw[4:], "big", signed=True), int.from_bytes(raw[:4], "big"))
    raise Malformed(f"a time of {size} bytes before byte {data.at}")


def _seconds(seconds: int, nanoseconds: int) -> float | int:
    return round(seconds + nanoseconds / 1e9, 6) if nanoseconds else seconds
