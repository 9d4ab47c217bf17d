"""A reader of CBOR (RFC 8949), for messages of devices: the objects, lists, texts and numbers that JSON would have.

Byte strings become hexadecimal, big numbers whole numbers, decimal fractions numbers; of other tags only the content
is taken. Lengths that are not given in advance are read too. Bounded in depth, and in size by the message's own.
"""

from typing import Any

from drivers.common.binary_json import DEEPEST, Bytes, Malformed, fraction, name, text

_BREAK = object()
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG = 1, 2, 3, 4, 5, 6
_INDEFINITE = 31
_BIG = (2, 3)
"""The tags of whole numbers that are written as bytes: what is below zero has the second."""
LONGEST_NUMBER = 64
"""Bytes of such a number; a longer one stays hexadecimal, for no field takes it, and it could not be written out."""


def read(payload: bytes) -> Any:  # noqa: ANN401 -- as JSON may hold anything
    """Return what a message holds; raises `drivers.common.binary_json.Malformed`."""
    data = Bytes(payload)
    found = _item(data, 0)
    if found is _BREAK:
        raise Malformed("a break without a beginning at byte 0")
    data.end()
    return found


def _item(data: Bytes, depth: int) -> Any:  # noqa: ANN401 -- the same
    if depth > DEEPEST:
        raise Malformed(f"deeper than {DEEPEST} levels at byte {data.at}")
    head = data.number(1)
    kind, short = head >> 5, head & 31
    if kind == 7:
        return _simple(data, short)
    size = None if short == _INDEFINITE else _argument(data, short)
    if kind <= _NEGATIVE or kind == _TAG:
        if size is None:
            raise Malformed(f"a number or tag without an end at byte {data.at - 1}")
        return _tagged(size, data, depth) if kind == _TAG else size if kind == 0 else -1 - size
    if kind in (_BYTES, _TEXT):
        raw = _chunks(data, kind) if size is None else data.take(size)
        return text(raw, data.at) if kind == _TEXT else raw.hex()
    return _list(data, size, depth) if kind == _LIST else _map(data, size, depth)


def _argument(data: Bytes, short: int) -> int:
    if short < 24:
        return short
    if short > 27:
        raise Malformed(f"a length that is reserved at byte {data.at - 1}")
    return data.number(1 << short - 24)


def _simple(data: Bytes, short: int) -> Any:  # noqa: ANN401 -- the same
    if short == _INDEFINITE:
        return _BREAK
    if short in (25, 26, 27):
        return fraction(data.take(1 << short - 24))
    number = data.number(1) if short == 24 else short
    if number not in _SIMPLE:
        raise Malformed(f"the simple value {number} at byte {data.at - 1}, which means nothing")
    return _SIMPLE[number]


def _chunks(data: Bytes, kind: int) -> bytes:
    parts = []
    while (head := data.number(1)) != 0xFF:
        if head >> 5 != kind or head & 31 == _INDEFINITE:
            raise Malformed(f"a piece of another kind at byte {data.at - 1}")
        parts.append(data.take(_argument(data, head & 31)))
    return b"".join(parts)


def _list(data: Bytes, size: int | None, depth: int) -> list[Any]:
    if size is not None:
        data.room_for(size)
    found: list[Any] = []
    while size is None or len(found) < size:
        one = _item(data, depth + 1)
        if one is _BREAK:
            if size is None:
                break
            raise Malformed(f"a break within a list of {size} at byte {data.at - 1}")
        found.append(one)
    return found


def _map(data: Bytes, size: int | None, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    count = 0
    while size is None or count < size:
        key = _item(data, depth + 1)
        if key is _BREAK and size is None:
            break
        value = _item(data, depth + 1)
        if _BREAK in (key, value):
            raise Malformed(f"a break within a map at byte {data.at - 1}")
        found.setdefault(name(key), value)
        count += 1
    return found


def _tagged(tag: int, data: Bytes, depth: int) -> Any:  # noqa: ANN401 -- the same
    start = data.at
    content = _item(data, depth + 1)
    if content is _BREAK:
        raise Malformed(f"a tag of nothing at byte {data.at - 1}")
    if tag in _BIG and data.kind_at(start) == _BYTES and len(content) <= 2 * LONGEST_NUMBER:
        whole = int(content or "0", 16)
        return whole if tag == _BIG[0] else -1 - whole
    match content:
        case [int(exponent), int(mantissa)] if tag == 4 and abs(exponent) < 300:
            return float(f"{mantissa}e{exponent}")
        case _:
            return content
