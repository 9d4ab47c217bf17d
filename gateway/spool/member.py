"""One member of a segment: a gzip member of line protocol that says in its header what it holds. Pure; no I/O.

A member is what RFC 1952 calls one, all numbers little-endian::

    1f 8b 08 04  00 00 00 00  00 ff       fixed: deflate, FEXTRA only, no time, unknown system
    u16 XLEN
    "PR" u16 length                       what the member is:
        u32 header check                  CRC-32 of the header without these four bytes
        u8  version (2)   u8 flags        bit 0: a boot id; 1: the group continues; 2: it began before; 3: parked
        u32 member length                 header, body, and trailer
        u32 body check                    CRC-32 of everything after the header
        u64 first   u32 count             sequence numbers first .. first + count - 1
        i64 t_min   i64 t_max             nanoseconds
        [16 bytes boot id]
    ["PM" u16 length]                     the MQTT packets it covers:
        u16 sources, then for each        u32 source, u16 runs, then for each run u16 first mid, u16 mids
        u32 digest for each identity      in the order of the runs
    raw deflate
    u32 CRC-32   u32 size                 of the text, as in every gzip file

The header check is ours because FHCRC trips old readers. The body check covers compressed bytes, so a member can be
verified without inflating it, and no bit of it can flip unseen: deflate's own padding is in no gzip CRC.

With a boot id, times (in the lines too) are CLOCK_BOOTTIME nanoseconds of that boot, taken before the wall clock
could be trusted; the text then begins with a comment line that says so. That line is not counted.

A commit group is a run of members, one after the other in one segment, that count together or not at all: all but the
last say that it continues, all but the first that it began before. Without either bit a member is a group of its own.

Parked lines are of sensors that nobody configured: each stands in a comment line (`gateway.spool.quarantine_lines`),
has a sequence number like a reading, and goes to the quarantine instead of a sink.

Version 1 knew bit 0 alone. A later version raises the number and keeps everything up to the member length, and what
the header check covers: so this one tells a member of a later version from damage, and leaves its segment alone.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LEVEL = 6
"""Deflate level: against level 1 it costs 0.4 us a line more and writes, sends and keeps a tenth to a fifth less."""

MAX_IDENTITIES = 4096
"""In one member. At worst each is a run and a source of its own, 4 + 2 + 2 + 2 + 4 = 14 bytes: 57,344 of the 65,535
that the extra field may have, which leaves ample room for "PR" (62) and the rest of "PM" (6)."""

MAX_TEXT = 16 * 1024 * 1024
"""Bytes of text in one member: bounds what a reader must hold."""

MAX_SEQUENCE = 2**63
"""Sequence numbers stay below this, so that every language can hold them."""

FIXED = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff"
"""Every member begins with these bytes; a scan for the next member looks for them."""

_HEAD = struct.Struct("<10sH2sHIBBIIQIqq")
_CHECK = 16  # where the header check stands
_AFTER_CHECK = 20
_CHECKED = struct.Struct("<BBIIQIqq")  # what stands between the check and the boot id
_SUBFIELD = struct.Struct("<2sH")
_SOURCE = struct.Struct("<IH")
_RUN = struct.Struct("<HH")
_SHORTEST_EXTRA = _HEAD.size - 12
_SHORTEST_BODY = 10  # an empty deflate stream and the trailer
_VERSION = 2
_BOOT = 1
_CONTINUES = 2
_BEGAN_BEFORE = 4
_PARKED = 8


class MemberDamaged(ValueError):
    """A member's content does not match its checks."""


class Identity(NamedTuple):
    """What tells a repeated MQTT packet from a new one.

    ``source`` is the CRC-32 of the source's name, ``mid`` the packet identifier, ``digest`` the CRC-32 of topic and
    payload: identifiers are used again after 65,535 packets, then with another content.
    """

    source: int
    mid: int
    digest: int

    @classmethod
    def of(cls, source: str, mid: int, topic: str, payload: bytes) -> "Identity":
        """Return the identity of one packet from the source of that name."""
        return cls(zlib.crc32(source.encode()), mid, zlib.crc32(payload, zlib.crc32(topic.encode())))


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings to be made durable together.

    lines       line protocol, a newline after each; a newline within a value must have been replaced
    count       how many lines
    t_min       the earliest time in them, nanoseconds
    t_max       the latest
    boot        None: times are UTC; else the 16 bytes of the boot id, and times are that boot's CLOCK_BOOTTIME
    identities  the MQTT packets they came in, at most `MAX_IDENTITIES`
    parked      they are parked lines: see `gateway.spool.quarantine_lines`
    """

    lines: bytes
    count: int
    t_min: int
    t_max: int
    boot: bytes | None = None
    identities: Sequence[Identity] = ()
    parked: bool = False


@dataclass(slots=True)  # not frozen: that takes four times as long, and recovery makes one for each member
class Header:
    """What a member says of itself; ``packed`` holds its identities as stored."""

    first: int
    count: int
    t_min: int
    t_max: int
    boot: bytes | None
    length: int
    header_length: int
    body_check: int
    packed: bytes
    continues: bool = False
    began_before: bool = False
    parked: bool = False

    @property
    def end(self) -> int:
        """The sequence number after its last reading."""
        return self.first + self.count

    def identities(self) -> tuple[Identity, ...]:
        """Unpack the MQTT identities, grouped by source, within a source in the order they were given."""
        return unpack_identities(self.packed)


class Member(NamedTuple):
    """A verified member: its header and all of its bytes, ready to be sent with ``Content-Encoding: gzip``."""

    header: Header
    raw: bytes


class Incomplete(NamedTuple):
    """So far it is a member; at least ``needed`` bytes, counted from its beginning, are necessary to go on."""

    needed: int


class Damaged(NamedTuple):
    """No member of ours begins here, or it is broken; ``reason`` says how."""

    reason: str


class Newer(NamedTuple):
    """A member begins here that a later version of Prehod wrote, in a format that this one does not know."""

    version: int


def encode_group(group: Sequence[Batch], first: int, *, level: int = LEVEL) -> list[bytes]:
    """Return the members of a commit group, whose first line has sequence number ``first``.

    Raises `ValueError` for an empty group, and what `encode_member` does.
    """
    if not group:
        raise ValueError("a group has at least one batch")
    members = []
    for number, batch in enumerate(group, 1):
        members.append(
            encode_member(batch, first, level=level, continues=number < len(group), began_before=number > 1)
        )
        first += batch.count
    return members


def encode_member(
    batch: Batch, first: int, *, level: int = LEVEL, continues: bool = False, began_before: bool = False
) -> bytes:
    """Return the member for ``batch``, whose first line has sequence number ``first``.

    Raises `ValueError` for a batch that breaks a rule of `Batch`, or a bound of this module.
    """
    _check_batch(batch, first)
    text = comment(batch.boot) + batch.lines if batch.boot else batch.lines
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    trailer = struct.pack("<II", zlib.crc32(text), len(text))
    body = deflate.compress(text) + deflate.flush() + trailer

    boot = batch.boot or b""
    packed = pack_identities(batch.identities)
    identities = _SUBFIELD.pack(b"PM", len(packed)) + packed if packed else b""
    extra_length = _SHORTEST_EXTRA + len(boot) + len(identities)
    length = 12 + extra_length + len(body)
    flags = (_BOOT if boot else 0) | (_PARKED if batch.parked else 0)
    flags |= (_CONTINUES if continues else 0) | (_BEGAN_BEFORE if began_before else 0)
    before = FIXED + struct.pack("<H2sH", extra_length, b"PR", _SHORTEST_EXTRA - 4 + len(boot))
    facts = (_VERSION, flags, length, zlib.crc32(body), first, batch.count, batch.t_min, batch.t_max)
    after = _CHECKED.pack(*facts) + boot + identities
    return b"".join((before, struct.pack("<I", zlib.crc32(after, zlib.crc32(before))), after, body))


def comment(boot: bytes) -> bytes:
    """Return the line that stands before readings without UTC times."""
    return b"# prehod: times are CLOCK_BOOTTIME nanoseconds of boot %s, not UTC\n" % boot.hex().encode()


def parse_header(buffer: bytes, offset: int = 0) -> Header | Incomplete | Damaged | Newer:
    """Return the header of the member at ``offset``, more bytes being needed, or what is wrong. Looks at no body."""
    available = len(buffer) - offset
    if available < _HEAD.size:
        seen = buffer[offset : offset + len(FIXED)]
        return Incomplete(_HEAD.size) if FIXED.startswith(seen) else Damaged("no member begins here")
    fields = _HEAD.unpack_from(buffer, offset)
    fixed, extra_length, tag, tag_length, check, version, flags, length, body_check, first, count, t_min, t_max = (
        fields
    )
    if fixed != FIXED or tag != b"PR" or extra_length < _SHORTEST_EXTRA:
        return Damaged("no member begins here")
    header_length = 12 + extra_length
    if available < header_length:
        return Incomplete(header_length)
    extra = buffer[offset + _AFTER_CHECK : offset + header_length]
    if zlib.crc32(extra, zlib.crc32(buffer[offset : offset + _CHECK])) != check:
        return Damaged("the header's checksum is wrong")
    # From here on the bytes are what somebody wrote on purpose.
    possible = length >= header_length + _SHORTEST_BODY and count and first + count <= MAX_SEQUENCE
    if version > _VERSION or not version or not possible:
        return Newer(version) if version > _VERSION else Damaged("the header contradicts itself")
    boot, packed = None, b""
    if extra_length > _SHORTEST_EXTRA:
        boot = extra[_CHECKED.size : _CHECKED.size + 16] if flags & _BOOT else None
        packed = _subfield(extra[tag_length - 4 :], b"PM")
    return Header(
        first,
        count,
        t_min,
        t_max,
        boot,
        length,
        header_length,
        body_check,
        packed,
        bool(flags & _CONTINUES),
        bool(flags & _BEGAN_BEFORE),
        bool(flags & _PARKED),
    )


def read_member(buffer: bytes, offset: int = 0) -> Member | Incomplete | Damaged | Newer:
    """Return the member at ``offset`` with its body verified, more bytes being needed, or what is wrong."""
    header = parse_header(buffer, offset)
    if not isinstance(header, Header):
        return header
    if len(buffer) - offset < header.length:
        return Incomplete(header.length)
    raw = buffer[offset : offset + header.length]
    if zlib.crc32(memoryview(raw)[header.header_length :]) != header.body_check:
        return Damaged("the body's checksum is wrong")
    return Member(header, raw)


def decode_member(raw: bytes) -> bytes:
    """Return the line protocol of one whole member, comment line included; `MemberDamaged` if it is not intact."""
    member = read_member(raw)
    if not isinstance(member, Member) or member.header.length != len(raw):
        reason = member.reason if isinstance(member, Damaged) else "its length or its version is wrong"
        raise MemberDamaged(reason)
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = inflate.decompress(raw, MAX_TEXT + 256)
    except zlib.error as error:
        raise MemberDamaged(str(error)) from error
    if not inflate.eof:
        raise MemberDamaged("the text is longer than a member may hold")
    return text


def _check_batch(batch: Batch, first: int) -> None:
    if batch.count < 1 or not batch.lines.endswith(b"\n") or batch.lines.count(b"\n") != batch.count:
        raise ValueError(f"a batch of {batch.count} readings must have one line for each, every one with its newline")
    if len(batch.lines) > MAX_TEXT:
        raise ValueError(f"a batch of {len(batch.lines):,} bytes is over the bound of {MAX_TEXT:,}")
    if len(batch.identities) > MAX_IDENTITIES:
        raise ValueError(f"{len(batch.identities):,} MQTT identities are over the bound of {MAX_IDENTITIES:,}")
    if batch.boot is not None and len(batch.boot) != 16:
        raise ValueError("a boot id has 16 bytes")
    if batch.t_min > batch.t_max:
        raise ValueError("t_min is after t_max")
    if not 0 <= first <= MAX_SEQUENCE - batch.count:
        raise ValueError(f"{first} is no sequence number")


def _subfield(extra: bytes, wanted: bytes) -> bytes:
    while len(extra) >= _SUBFIELD.size:
        tag, length = _SUBFIELD.unpack_from(extra)
        if tag == wanted:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return b""


def pack_identities(identities: Iterable[Identity]) -> bytes:
    """Return identities as `Header.packed` holds them, b"" for none."""
    by_source: dict[int, list[Identity]] = {}
    for identity in identities:
        by_source.setdefault(identity.source, []).append(identity)
    if not by_source:
        return b""
    parts, digests = [struct.pack("<H", len(by_source))], []
    for source, group in by_source.items():
        runs: list[list[int]] = []
        for _, mid, digest in group:
            if runs and mid == sum(runs[-1]):
                runs[-1][1] += 1
            else:
                runs.append([mid, 1])
            digests.append(digest)
        parts.append(_SOURCE.pack(source, len(runs)))
        parts.extend(_RUN.pack(*run) for run in runs)
    return b"".join(parts) + struct.pack(f"<{len(digests)}I", *digests)


def unpack_identities(packed: bytes) -> tuple[Identity, ...]:
    """Return the identities that `Header.packed` holds."""
    if not packed:
        return ()
    packets: list[tuple[int, int]] = []
    (sources,) = struct.unpack_from("<H", packed)
    offset = 2
    for _ in range(sources):
        source, runs = _SOURCE.unpack_from(packed, offset)
        offset += _SOURCE.size
        for first, length in _RUN.iter_unpack(packed[offset : offset + _RUN.size * runs]):
            packets.extend((source, mid) for mid in range(first, first + length))
        offset += _RUN.size * runs
    digests = struct.unpack_from(f"<{len(packets)}I", packed, offset)
    return tuple(Identity(source, mid, digest) for (source, mid), digest in zip(packets, digests, strict=True))
