"""Protocol Buffers wire format, read within bounds: enough for messages of a known schema.

::

    message   KEY value  KEY value  ...
    KEY       varint of at most 5 bytes, 32 bits: field number << 3 | way
    way 0     varint: 7 bits a byte, low ones first, bit 7 says that more follow; at most 10 bytes, 64 bits
    way 1     8 bytes
    way 2     varint: length, and so many bytes: text, bytes, or a message within
    way 5     4 bytes

Worked: ``08 96 01`` is field 1, a varint, 150. A field may come several times; if it is not repeated, the last one
counts. A field that the schema does not know, or knows to be written in another way, is passed over.

Nothing here recurses, and no value is longer than the message. Groups (ways 3 and 4), which Protocol Buffers have
deprecated, are refused: no schema in use here has any.

Source: https://protobuf.dev/programming-guides/encoding/
"""

VARINT, FIXED64, COUNTED, FIXED32 = 0, 1, 2, 5

Value = int | bytes
"""A varint as an unsigned number; everything else as its bytes."""

_FIXED = {FIXED64: 8, FIXED32: 4}
_LARGEST_KEY, _LONGEST_KEY, _LONGEST = 2**32, 5, 10
_WHOLE = 2**64 - 1


class Malformed(ValueError):
    """The bytes are no message; says where."""


def key(number: int, way: int) -> int:
    """Return the key of a field that is written that way."""
    return number << 3 | way


def read(data: bytes, most: int = 2**16) -> list[tuple[int, Value]]:
    """Return keys and values in their order; raises `Malformed`, also for more than ``most`` of them."""
    found: list[tuple[int, Value]] = []
    at, end = 0, len(data)
    while at < end:
        if len(found) == most:
            raise Malformed(f"more than {most} fields, at byte {at}")
        tag = data[at]
        if tag < 0x80:
            at += 1
        else:
            tag, at = _varint(data, at, _LONGEST_KEY)
        way = tag & 7
        if tag < 8 or tag >= _LARGEST_KEY:
            raise Malformed(f"no field has the key {tag}, before byte {at}")
        if way == VARINT:
            value, at = _varint(data, at)
            found.append((tag, value))
            continue
        if way == COUNTED:
            size, at = _varint(data, at)
        elif way in _FIXED:
            size = _FIXED[way]
        else:
            raise Malformed(f"a group, or nothing known, before byte {at}")
        start, at = at, at + size
        if at > end:
            raise Malformed(f"{size} bytes from byte {start} on, and {end - start} left")
        found.append((tag, data[start:at]))
    return found


def write_varint(number: int) -> bytes:
    """Return an unsigned number of up to 64 bits as a varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varint(data: bytes, at: int, longest: int = _LONGEST) -> tuple[int, int]:
    """Return the varint at ``at``, cut to 64 bits, and where it ends."""
    value = shift = 0
    for end, byte in enumerate(data[at : at + longest], at + 1):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _WHOLE, end
        shift += 7
    raise Malformed(f"the number at byte {at} does not end")
