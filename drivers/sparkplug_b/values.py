"""Sparkplug B datatypes: from what was written to the value that is meant.

::

    Int8 Int16 Int32 Int64             1 2 3 4     a whole number without a sign: two's complement
    UInt8 UInt16 UInt32 UInt64         5 6 7 8     a whole number; int or long, whichever it was written as
    Float Double                       9 10        4 or 8 bytes
    Boolean String DateTime Text UUID  11 to 15    DateTime in milliseconds UTC
    DataSet Bytes File Template        16 to 19    refused, as are 22 to 34, arrays

Worked: -5 of an Int16 is FFFB; implementations in Java write FFFFFFFB, which means the same.

Source: the Sparkplug 3.0.0 specification, 6.4.16; sparkplug_b.proto of Eclipse Tahu.
"""

import math
import struct

from drivers.common.protobuf import COUNTED, FIXED32, FIXED64, VARINT, Value, key
from gateway.contract import Reason

INT, LONG, FLOAT, DOUBLE = key(10, VARINT), key(11, VARINT), key(12, FIXED32), key(13, FIXED64)
BOOLEAN, STRING = key(14, VARINT), key(15, COUNTED)
WRITTEN = frozenset({INT, LONG, FLOAT, DOUBLE, BOOLEAN, STRING, *(key(number, COUNTED) for number in (16, 17, 18))})
"""The keys of a metric's fields of which one is its value."""

LEFT_OUT = 0
"""In place of such a key: the encoder leaves zeros out."""

A_BOOLEAN = 11
_BITS = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64, 13: 64}
_SIGNED, _REAL, _TEXT = frozenset({1, 2, 3, 4}), frozenset({9, 10}), frozenset({12, 14, 15})
_NOTHING: dict[int, bool | int | float | str] = {
    **dict.fromkeys(_BITS, 0),
    **dict.fromkeys(_REAL, 0.0),
    **dict.fromkeys(_TEXT, ""),
    A_BOOLEAN: False,
}
"""Datatype -> what an encoder that leaves zeros out means by no value."""
_BEYOND = {0: "of no known datatype", 16: "a DataSet", 17: "Bytes", 18: "a File", 19: "a Template"}
_BEYOND |= dict.fromkeys(range(22, 35), "an array")


class Refused(Exception):
    """Something that is sound, and from which no reading can be made."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


def value_of(written: tuple[int, Value] | None, datatype: int) -> bool | int | float | str:
    """Return the value of a metric from the key under which it was written; raises `Refused`."""
    where, value = written or (-1, 0)
    if where == LEFT_OUT and datatype in _NOTHING:
        return _NOTHING[datatype]
    if isinstance(value, int):
        if where in (INT, LONG) and datatype in _BITS:
            return _whole(value & 0xFFFFFFFF if where == INT else value, _BITS[datatype], signed=datatype in _SIGNED)
        if where == BOOLEAN and datatype == A_BOOLEAN:
            return bool(value)
    elif where in (FLOAT, DOUBLE) and datatype in _REAL:
        return _real(value)
    elif where == STRING and datatype in _TEXT:
        return value.decode("utf-8", "replace")
    raise Refused("unsupported", _BEYOND.get(datatype, f"not written as datatype {datatype} is"))


def _whole(value: int, bits: int, signed: bool) -> int:
    """Return a whole number of so many bits; a negative one may have been written with more of them."""
    widths = (width for width in (bits, 32, 64) if signed and width >= bits)
    value -= next((1 << width for width in widths if 1 << width - 1 <= value < 1 << width), 0)
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    if not low <= value < high:
        raise Refused("range", f"{value}, which is more than {bits} bits hold")
    return value


def _real(data: bytes) -> float:
    """Return a number with a fraction; of 4 bytes the shortest that they can mean: 12.1, not 12.100000381."""
    (value,) = struct.unpack("<f" if len(data) == 4 else "<d", data)
    if not math.isfinite(value):
        raise Refused("range", "no number")
    if len(data) == 8:
        return float(value)
    tries = (float(f"{value:.{digits}g}") for digits in (6, 7, 8, 9))
    return next(one for one in tries if struct.pack("<f", one) == data)
