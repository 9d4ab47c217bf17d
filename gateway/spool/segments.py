"""Segments: their names, the walk over one from member to member, and the list of those that there are."""

import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem
from gateway.spool.member import FIXED, MAX_SEQUENCE, Header, Incomplete, Member, Newer, parse_header, read_member

_NAME = re.compile(r"(\d{20})\.lp\.gz")
_HEADERS_WINDOW = 64 * 1024
_BODIES_WINDOW = 256 * 1024


def segment_name(first: int) -> str:
    """Return the file name of the segment that begins with reading ``first``."""
    return f"{first:020}.lp.gz"


def parse_segment_name(name: str) -> int | None:
    """Return the sequence number that a segment is named by, or ``None`` for any other file."""
    match = _NAME.fullmatch(name)
    first = int(match[1]) if match else MAX_SEQUENCE
    return first if first < MAX_SEQUENCE else None


class SegmentNewer(SpoolError):
    """A segment holds members of a later version of Prehod; ``version`` is the format's."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            f"{path.name} was written by a later version of Prehod (format {version}), and is left as it is: install "
            "that version again, and have it send the time range by `prehod spool replay`"
        )
        self.version = version


class Segment(NamedTuple):
    """What is known of one segment.

    first     the sequence number it is named by
    end       the sequence number after its last reading
    size      bytes up to the end of its last good member: nothing beyond is ours
    readings  how many it holds; fewer than ``end - first`` where some were damaged, or lines are parked
    t_min     the earliest UTC time of a reading, nanoseconds; ``None`` when none has UTC times
    t_max     the latest
    """

    first: int
    end: int
    size: int
    readings: int
    t_min: int | None = None
    t_max: int | None = None

    @property
    def name(self) -> str:
        """Its file name."""
        return segment_name(self.first)

    @property
    def fingerprint(self) -> str:
        """Eight digits that tell it from another segment of the same name."""
        return f"{zlib.crc32(repr(tuple(self)).encode()):08x}"

    def grown(self, header: Header, size: int) -> "Segment":
        """Return this segment with one more member, which ends at byte ``size``."""
        t_min, t_max = self.t_min, self.t_max
        if header.parked:
            return self._replace(end=header.end, size=size)
        if header.boot is None:
            t_min = header.t_min if t_min is None else min(t_min, header.t_min)
            t_max = header.t_max if t_max is None else max(t_max, header.t_max)
        return Segment(self.first, header.end, size, self.readings + header.count, t_min, t_max)


class Found(NamedTuple):
    """A good member in a segment; ``raw`` is empty when only headers were looked at."""

    offset: int
    header: Header
    raw: bytes

    @property
    def stop(self) -> int:
        """The offset after it."""
        return self.offset + self.header.length


class Piece(NamedTuple):
    """Bytes of a segment that are no good member of it.

    ``after`` is the end of the member before, or the segment's name; ``before`` is the first sequence number of the
    good member that follows in the same segment, ``None`` when none does: then it is the segment's tail.
    """

    segment: int
    offset: int
    length: int
    reason: str
    after: int
    before: int | None

    @property
    def name(self) -> str:
        """The file that it is in."""
        return segment_name(self.segment)

    def __str__(self) -> str:
        return f"{self.name}, {self.length:,} bytes at offset {self.offset:,}: {self.reason}"


class _Window:
    """Reads ahead in one file."""

    def __init__(self, filesystem: Filesystem, path: Path, size: int, ahead: int) -> None:
        self._filesystem, self._path, self._ahead = filesystem, path, ahead
        self.size, self.buffer, self.base = size, b"", 0

    def have(self, offset: int, length: int) -> bool:
        """Bring ``length`` bytes from ``offset`` into the buffer; false when the file ends before."""
        if offset + length > self.size:
            return False
        if offset < self.base or offset + length > self.base + len(self.buffer):
            self.buffer = self._filesystem.read(self._path, offset, min(max(length, self._ahead), self.size - offset))
            self.base = offset
        return offset + length <= self.base + len(self.buffer)

    def rest(self, offset: int) -> bytes:
        return self._filesystem.read(self._path, offset, self.size - offset)


def walk(
    filesystem: Filesystem,
    path: Path,
    size: int,
    *,
    offset: int = 0,
    floor: int | None = None,
    ceiling: int | None = None,
    bodies: bool = True,
    parked: bool = False,
) -> Iterator[Found | Piece]:
    """Yield what the first ``size`` bytes of a segment hold from ``offset`` on, in order and without a gap.

    A member counts only if its numbers lie within ``floor`` (by default the segment's name) and ``ceiling`` (the name
    of the segment after it): a batch that failed and was stored again in the next segment may still be here.
    After damage the walk goes on at the next good member. ``bodies`` verifies and yields them; without, only headers
    are read, and a broken body is not noticed. Members with parked lines are passed over unless they are asked for.
    Raises `OSError`, and `SegmentNewer` at a member of a later version.
    """
    name = parse_segment_name(path.name) or 0
    floor = name if floor is None else floor
    ceiling = MAX_SEQUENCE if ceiling is None else ceiling
    window = _Window(filesystem, path, size, _BODIES_WINDOW if bodies else _HEADERS_WINDOW)
    while offset < size:
        found = _look(window, offset, floor, ceiling, bodies=bodies)
        if isinstance(found, str):
            reason, start = found, offset
            following = _next_member(window.rest(start), floor, ceiling, path)
            offset = size if following is None else start + following[0]
            yield Piece(name, start, offset - start, reason, floor, following[1] if following else None)
            continue
        if isinstance(found, Newer):
            raise SegmentNewer(path, found.version)
        if parked or not found.header.parked:
            yield found
        floor, offset = found.header.end, found.stop


def _look(window: _Window, offset: int, floor: int, ceiling: int, *, bodies: bool) -> Found | Newer | str:
    needed = 1
    while window.have(offset, needed):
        start = offset - window.base
        member = read_member(window.buffer, start) if bodies else parse_header(window.buffer, start)
        if isinstance(member, Incomplete):
            needed = member.needed
            continue
        if isinstance(member, Newer):
            return member
        if isinstance(member, Member):
            found = Found(offset, member.header, member.raw)
        elif isinstance(member, Header):
            if offset + member.length > window.size:
                break
            found = Found(offset, member, b"")
        else:
            return member.reason
        return found if floor <= found.header.first < ceiling else "its numbers belong elsewhere"
    return "it ends in the middle"


def _next_member(data: bytes, floor: int, ceiling: int, path: Path) -> tuple[int, int] | None:
    """Return where the next good member begins after the first byte of ``data``, and its first sequence number."""
    start = data.find(FIXED, 1)
    while start >= 0:
        member = read_member(data, start)
        if isinstance(member, Newer):
            raise SegmentNewer(path, member.version)
        if isinstance(member, Member) and floor <= member.header.first < ceiling:
            return start, member.header.first
        start = data.find(FIXED, start + 1)
    return None


class SegmentIndex:
    """The segments that there are, in order; shared by writer, readers and retention, from any thread."""

    def __init__(self, segments: list[Segment]) -> None:
        self._lock = Lock()
        self._segments = {segment.first: segment for segment in segments}
        self._firsts = sorted(self._segments)
        self._bytes = sum(segment.size for segment in segments)

    @property
    def bytes(self) -> int:
        """The size of all of them together."""
        return self._bytes

    def all(self) -> list[Segment]:
        """Return them, oldest first."""
        with self._lock:
            return [self._segments[first] for first in self._firsts]

    def at(self, sequence: int) -> Segment | None:
        """Return the segment that holds ``sequence``, or else the first one after it."""
        with self._lock:
            place = max(0, bisect_right(self._firsts, sequence) - 1)
            for first in self._firsts[place : place + 2]:
                if self._segments[first].end > sequence:
                    return self._segments[first]
            return None

    def after(self, first: int) -> Segment | None:
        """Return the segment that follows the one named ``first``, which need not exist any more."""
        with self._lock:
            place = bisect_right(self._firsts, first)
            return self._segments[self._firsts[place]] if place < len(self._firsts) else None

    def put(self, segment: Segment) -> None:
        """Add a segment, or replace what is known of it."""
        with self._lock:
            known = self._segments.get(segment.first)
            if known is None:
                self._firsts.insert(bisect_right(self._firsts, segment.first), segment.first)
            self._segments[segment.first] = segment
            self._bytes += segment.size - (known.size if known else 0)

    def remove(self, first: int) -> None:
        """Forget a segment."""
        with self._lock:
            if segment := self._segments.pop(first, None):
                self._firsts.remove(first)
                self._bytes -= segment.size
