"""Reads whole, verified members from the spool, from any thread, while it is being written and deleted from."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem
from gateway.spool.member import Header, Member
from gateway.spool.segments import Found, Piece, Segment, SegmentIndex, walk


class _Mark(NamedTuple):
    """In ``segment``, what there is from reading ``since`` on begins at ``offset``, with reading ``first``."""

    segment: int
    offset: int
    since: int
    first: int


class SpoolReader:
    """One reader with its place; give each sink and each thread its own.

    ``on_damage`` is told of every damaged piece that is passed over, again each time it is.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        root: Path,
        index: SegmentIndex,
        on_damage: Callable[[Piece], None] = lambda _piece: None,
    ) -> None:
        self._filesystem = filesystem
        self._root = root
        self._index = index
        self._on_damage = on_damage
        self._marks: list[_Mark] = []  # where the last read began and ended: to go on, or to do it again

    def read(
        self, seq: int, *, until: int | None = None, max_lines: int = 5_000, max_bytes: int = 1_000_000
    ) -> list[Member]:
        """Return the members from reading ``seq`` on, in order, at least one if there is any.

        The first may begin before ``seq`` and may begin after it (what lay between is damaged or deleted); go on with
        ``members[-1].header.end``. No member reaches beyond ``until``. ``max_lines`` (readings) and ``max_bytes``
        (compressed) bound the result from the second member on. Reading on from where the last read ended, or again
        from where it began, costs nothing for what lies before. Raises `SpoolError` when the disk cannot be read.
        """
        members: list[Member] = []
        marks: list[_Mark] = []
        lines = size = 0
        for segment, found in self._from(seq):
            header = found.header
            if until is not None and header.end > until:
                break
            if members and (lines + header.count > max_lines or size + header.length > max_bytes):
                break
            if not members:
                marks.append(_Mark(segment, found.offset, min(seq, header.first), header.first))
            members.append(Member(header, found.raw))
            marks[1:] = [_Mark(segment, found.stop, header.end, header.end)]
            lines, size = lines + header.count, size + header.length
            if lines >= max_lines or size >= max_bytes:
                break
        if marks:
            self._marks = marks
        return members

    def headers(self, seq: int = 0) -> Iterator[Header]:
        """Yield the headers from reading ``seq`` on, without looking at the bodies."""
        return (found.header for _, found in self._from(seq, bodies=False))

    def members(self, since: int | None = None, until: int | None = None) -> Iterator[Member]:
        """Yield all members, or those that may hold readings in ``since`` <= time < ``until`` (nanoseconds UTC).

        Members without UTC times are left out as soon as a time is asked for.
        """
        timed = since is not None or until is not None
        low = -(2**63) if since is None else since
        high = 2**63 if until is None else until
        for segment in self._index.all():
            if timed and not (segment.t_min is not None and segment.t_min < high):
                continue
            if timed and not (segment.t_max is not None and segment.t_max >= low):
                continue
            for found in self._walk(segment, 0, segment.first):
                header = found.header
                if not timed or (header.boot is None and header.t_max >= low and header.t_min < high):
                    yield Member(header, found.raw)

    def _from(self, seq: int, *, bodies: bool = True) -> Iterator[tuple[int, Found]]:
        segment = self._index.at(seq)
        while segment:
            marks = [mark for mark in self._marks if mark.segment == segment.first and mark.since <= seq]
            mark = max(marks, key=lambda mark: mark.offset, default=_Mark(segment.first, 0, 0, segment.first))
            for found in self._walk(segment, mark.offset, mark.first, bodies=bodies):
                if found.header.end > seq:
                    yield segment.first, found
            segment = self._index.after(segment.first)

    def _walk(self, segment: Segment, offset: int, floor: int, *, bodies: bool = True) -> Iterator[Found]:
        following = self._index.after(segment.first)
        ceiling = following.first if following else None
        path = self._root / segment.name
        steps = walk(self._filesystem, path, segment.size, offset=offset, floor=floor, ceiling=ceiling, bodies=bodies)
        try:
            for step in steps:
                if isinstance(step, Found):
                    yield step
                else:
                    self._on_damage(step)
        except FileNotFoundError:
            self._index.remove(segment.first)
        except OSError as error:
            raise SpoolError(f"cannot read {path}: {error.strerror}") from error
