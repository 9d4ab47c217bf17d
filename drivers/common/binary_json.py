"""What the readers of binary JSON have in common: bounds, names of maps, and numbers that JSON cannot say."""

import math
import struct
from typing import Any

from drivers.common.floats import shortest

DEEPEST = 64
"""Levels of lists and maps within each other."""


class Malformed(ValueError):
    """Bytes are not of the format; the message says what is wrong, and where."""


class Bytes:
    """A message's bytes, taken from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes; raises `Malformed` where there are not so many."""
        end = self.at + size
        if size > len(self._data) - self.at:
            raise Malformed(f"it ends at byte {len(self._data)}, and {size} more are announced at byte {self.at}")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def kind_at(self, place: int) -> int:
        """Return the first three bits of a byte that was taken: CBOR's major type."""
        return self._data[place] >> 5

    def number(self, size: int) -> int:
        """Return the next bytes as a number without a sign."""
        return int.from_bytes(self.take(size), "big")

    def room_for(self, count: int) -> int:
        """Return a count of elements, of which each takes a byte at least; raises `Malformed` for more than fit."""
        if count > len(self._data) - self.at:
            raise Malformed(f"{count} elements are announced at byte {self.at}, which do not fit")
        return count

    def end(self) -> None:
        """Raise `Malformed` where bytes are left."""
        if self.at < len(self._data):
            raise Malformed(f"{len(self._data) - self.at} bytes follow what ends at byte {self.at}")


def text(data: bytes, at: int) -> str:
    """Return bytes as text; raises `Malformed` for what is none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed(f"the text before byte {at} is no UTF-8") from None


def fraction(data: bytes) -> Any:  # noqa: ANN401 -- a number, or the word for what is none
    """Return 2, 4 or 8 bytes as a number with a fraction; NaN and infinities as words, which no field takes."""
    (value,) = struct.unpack({2: ">e", 4: ">f", 8: ">d"}[len(data)], data)
    if not math.isfinite(value):
        return str(value)
    return shortest(value) if len(data) == 4 else value


def name(key: object) -> str:
    """Return a map's key as a step of a path: numbers as they are written; raises `Malformed` for lists and maps."""
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise Malformed(f"a map has the key {str(key)[:32]!r}, which no path can name")
    return str(key)
