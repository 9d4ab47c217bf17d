"""What registers say: numbers and texts, and the orders in which makers send their words and bytes."""

import math
import struct
from typing import Literal

Type = Literal["uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64", "string"]
LAYOUTS = {
    "uint16": ">H",
    "int16": ">h",
    "uint32": ">I",
    "int32": ">i",
    "uint64": ">Q",
    "int64": ">q",
    "float32": ">f",
    "float64": ">d",
}

Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
ORDERS: tuple[Order, ...] = ("ABCD", "CDAB", "BADC", "DCBA")
LONG_NAMES = {
    "AB": "ABCD",
    "BA": "BADC",
    "ABCDEFGH": "ABCD",
    "GHEFCDAB": "CDAB",
    "BADCFEHG": "BADC",
    "HGFEDCBA": "DCBA",
}
"""The orders as they are written for two and for eight bytes."""

_MEASURED = (1e-30, 1e30)
"""What is smaller or greater, and not 0, was never measured: its words or bytes are in another order."""
_LIKELY = (1e-4, 1e7)


def read(data: bytes, type_: Type, order: Order) -> float | str:
    """Return the number, or the text, that registers in this order hold."""
    words = _ordered(data, order)
    if type_ == "string":
        return words.partition(b"\0")[0].decode("latin-1").strip()
    number: float = struct.unpack(LAYOUTS[type_], words)[0]
    return number


def never_measured(number: float, type_: Type, order: Order) -> str:
    """Say so where a float cannot be one that was measured, with the orders that would make sense of it."""
    if not _beyond(number, _MEASURED):
        return ""
    data = _ordered(struct.pack(LAYOUTS[type_], number), order)
    others = [(other, float(read(data, type_, other))) for other in ORDERS]
    fitting = [(other, value) for other, value in others if not _beyond(value, _LIKELY)]
    likely = [f'order = "{other}" would make it {value:g}' for other, value in fitting]
    return f"{number:g} was never measured: " + (" and ".join(likely) or "is it the right register, and type?")


def _beyond(number: float, bounds: tuple[float, float]) -> bool:
    """Tell whether a number other than 0 lies outside; what is no number has its own refusal."""
    low, high = bounds
    return number != 0 and math.isfinite(number) and not low <= abs(number) <= high


def _ordered(data: bytes, order: Order) -> bytes:
    """Return registers with their high word, and in it the high byte, first; the same brings them back."""
    if order in ("BADC", "DCBA"):
        data = b"".join(data[at : at + 2][::-1] for at in range(0, len(data), 2))
    if order in ("CDAB", "DCBA"):
        data = b"".join(data[at : at + 2] for at in range(len(data) - 2, -1, -2))
    return data
