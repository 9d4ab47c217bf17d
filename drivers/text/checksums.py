"""Checksums that lines of text carry at their end, in hexadecimal."""

from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import Literal

Kind = Literal["ignore", "xor", "sum", "crc16"]


def split(line: str, kind: Kind, after: str) -> tuple[str, str]:
    """Return a line without its checksum, and what is wrong with that, "" where it is right."""
    body, mark, tail = line.rpartition(after)
    if not mark:
        return line, f"no {after!r} before a checksum"
    if kind == "ignore":
        return body, ""
    wanted = _SUMS[kind](body.encode())
    try:
        said = int(tail.strip(), 16)
    except ValueError:
        return body, f"{tail.strip()[:16]!r} is no checksum in hexadecimal"
    return body, "" if said == wanted else f"the checksum is {said:X}, of these bytes {wanted:X}"


def _xor(body: bytes) -> int:
    return reduce(xor, body.lstrip(b"$!"), 0)  # as NMEA 0183 counts: without its first character


def _sum(body: bytes) -> int:
    return sum(body) & 0xFF


def _crc16(body: bytes) -> int:
    """Return the CRC of Modbus."""
    crc = 0xFFFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_SUMS: dict[str, Callable[[bytes], int]] = {"xor": _xor, "sum": _sum, "crc16": _crc16}
