"""Sparkplug B payloads in protocol buffers, written and read for the simulated edge node.

A message is fields one after another: a key, ``number << 3 | way``, and a value written that way: 0 is a varint
(7 bits a byte, low ones first, bit 7 says more follow), 1 is 8 bytes, 2 a length and so many bytes, 5 is 4 bytes.

Source: the schema sparkplug_b.proto of Eclipse Tahu; the encoding page of Protocol Buffers.
"""

import struct
from typing import NamedTuple

from firmware_sim.truth.points import Value

INT16, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATASET, TEMPLATE = 2, 8, 9, 10, 11, 12, 16, 19


class Metric(NamedTuple):
    """One metric with its value at ``time`` (milliseconds UTC); a value of None is null."""

    name: str
    datatype: int
    value: Value | None
    time: int


def write_payload(time: int | None, seq: int | None, metrics: list[bytes]) -> bytes:
    """Return a payload; ``time`` in milliseconds UTC, None for what a message of its kind does not have."""
    said = b"" if time is None else _whole(1, time)
    said += b"".join(_counted(2, metric) for metric in metrics)
    return said if seq is None else said + _whole(3, seq)


def write_metric(
    metric: Metric, alias: int | None, *, birth: bool, historical: bool = False, sign_extended: bool = False
) -> bytes:
    """Return a metric; name and datatype only in a birth, and where there is no alias."""
    name, datatype, value, time = metric
    in_full = birth or alias is None
    said = _counted(1, name.encode()) if in_full else b""
    said += (b"" if alias is None else _whole(2, alias)) + _whole(3, time)
    said += _whole(4, datatype) if in_full else b""
    said += _whole(5, 1) if historical else b""
    return said + (_whole(7, 1) if value is None else _value(datatype, value, 32 if sign_extended else 16))


def read(data: bytes) -> dict[int, list[int | bytes]]:
    """Return a sound message's fields by number; only the two ways of writing that a command needs."""
    found: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        number, at = _number(data, at)
        counted = key & 7 == 2
        found.setdefault(key >> 3, []).append(data[at : at + number] if counted else number)
        at += number if counted else 0
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    for place in range(at, len(data)):
        number |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            return number, place + 1
    return number, len(data)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _whole(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _counted(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _value(datatype: int, value: Value, bits: int) -> bytes:
    """Return the one of the schema's values that this datatype has; negative numbers in two's complement."""
    if datatype == FLOAT:
        return _varint(12 << 3 | 5) + struct.pack("<f", value)
    if datatype == DOUBLE:
        return _varint(13 << 3 | 1) + struct.pack("<d", value)
    if datatype == DATASET:  # of one column and one row
        row = _counted(4, _counted(1, _whole(1, 50)))
        return _counted(17, _whole(1, 1) + _counted(2, b"Hz") + _whole(3, 7) + row)
    if datatype == TEMPLATE:
        return _counted(18, _counted(4, b"kind") + _whole(5, 0))
    if isinstance(value, str):
        return _counted(15, value.encode())
    field = {INT16: 10, UINT64: 11, BOOLEAN: 14}[datatype]
    return _whole(field, int(value) % (1 << bits))
