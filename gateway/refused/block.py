"""A block: the refusals of one commit group, compressed, with a header of its own and checks over both. Pure.

::

    offset  size
         0     4  "PRF" and a byte 1
         4     1  version
         5     1  flags: 1 counts only if the spool has its commit group, 2 resolves kept messages
         6     2  zero
         8     8  number of the block; they rise by one
        16     8  number of its first kept message; they rise by one
        24     4  how many messages it keeps
        28     4  how many more it only counts
        32     4  bytes of its body, as zlib wrote it
        36     4  bytes of its body before that
        40     4  CRC-32 of the body
        44     8  sequence number that the spool's next reading had
        52     8  earliest time of a kept message, nanoseconds UTC; 0 where it is not known
        60     8  the latest
        68     4  CRC-32 of the header up to here

All numbers are little-endian. What the body holds is in `gateway.refused.record`.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.refused.record import Counted, Entry, Refusal, Resolved, pack, unpack
from gateway.spool import Identity

MAGIC = b"PRF\x01"
MAX_TEXT = 16 * 1024 * 1024
"""Bytes of a body before it is compressed: bounds what a reader must hold."""

_VERSION = 1
_WITH_GROUP = 1
_RESOLVES = 2
_LEVEL = 6
_HEADER = struct.Struct("<4sBBHQQIIIIIQqq")
_CHECK = struct.Struct("<I")
HEADER_SIZE = _HEADER.size + _CHECK.size
_SOURCE = zlib.crc32(b"\0refused")  # no source is called so: names have no control characters


@dataclass(frozen=True, slots=True)
class Block:
    """What a block's header says."""

    number: int
    first: int
    count: int
    counted: int
    length: int
    text_length: int
    body_check: int
    spool_seq: int
    t_min: int
    t_max: int
    with_group: bool
    resolves: bool

    @property
    def end(self) -> int:
        """The number after its last kept message."""
        return self.first + self.count

    @property
    def size(self) -> int:
        """Its bytes, header and body."""
        return HEADER_SIZE + self.length

    @property
    def marker(self) -> Identity:
        """What the commit group that it belongs to has among its identities."""
        return Identity(_SOURCE, self.number & 0xFFFF, self.body_check)


@dataclass(frozen=True, slots=True)
class LaterBlock:
    """A block of a later version of Prehod."""

    version: int


def encode(number: int, first: int, entries: Sequence[Entry], *, spool_seq: int, with_group: bool) -> bytes:
    """Return a block."""
    text = pack(entries)
    body = zlib.compress(text, _LEVEL)
    records = [entry for entry in entries if isinstance(entry, Refusal)]
    times = [entry.time for entry in records if entry.boot is None]
    flags = _WITH_GROUP * with_group | _RESOLVES * any(isinstance(entry, Resolved) for entry in entries)
    counted = sum(entry.count for entry in entries if isinstance(entry, Counted))
    header = _HEADER.pack(
        MAGIC,
        _VERSION,
        flags,
        0,
        number,
        first,
        len(records),
        min(counted, 0xFFFFFFFF),
        len(body),
        len(text),
        zlib.crc32(body),
        spool_seq,
        min(times, default=0),
        max(times, default=0),
    )
    return header + _CHECK.pack(zlib.crc32(header)) + body


def parse_header(data: bytes, offset: int = 0) -> Block | LaterBlock | None:
    """Return what the header at ``offset`` says, None where there is none."""
    if len(data) - offset < HEADER_SIZE or data[offset : offset + 4] != MAGIC:
        return None
    (check,) = _CHECK.unpack_from(data, offset + _HEADER.size)
    if zlib.crc32(data[offset : offset + _HEADER.size]) != check:
        return None
    version, flags = data[offset + 4], data[offset + 5]
    if version != _VERSION:
        return LaterBlock(version)
    number, first, count, counted, length, text_length, body_check, seq, t_min, t_max = _HEADER.unpack_from(
        data, offset
    )[4:]
    return Block(
        number,
        first,
        count,
        counted,
        length,
        text_length,
        body_check,
        seq,
        t_min,
        t_max,
        with_group=bool(flags & _WITH_GROUP),
        resolves=bool(flags & _RESOLVES),
    )


def is_sound(block: Block, body: bytes) -> bool:
    """Tell whether these are all the bytes of the block's body."""
    return len(body) == block.length and zlib.crc32(body) == block.body_check


def decode(block: Block, body: bytes) -> Iterator[Entry]:
    """Return a block's entries. Raises ``ValueError`` where the body is not what was written."""
    if not is_sound(block, body) or block.text_length > MAX_TEXT:
        raise ValueError("the block's checksum is wrong")
    try:
        text = zlib.decompressobj().decompress(body, MAX_TEXT)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    yield from unpack(text)
