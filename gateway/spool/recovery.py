"""Makes sense of whatever is on the disk. There is no state of the directory that keeps the daemon from starting.

`survey` only looks. `recover` looks, and then puts in order: a torn tail is cut, and with it the rest of the commit
group that it belongs to; damaged bytes are moved to ``damaged/``, leftovers of unfinished work go. A segment of a
later version stays as it is. Each such step may fail (a full disk, one that is read-only): that is noted, and the
readers pass over the place instead.
"""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gateway.spool.filesystem import Filesystem, replace_file
from gateway.spool.member import Identity
from gateway.spool.segments import Found, Piece, Segment, SegmentNewer, parse_segment_name, segment_name, walk

IDENTITIES = 65_536
"""How many MQTT identities are remembered by default: as many as there are packet identifiers."""

_MORE_THAN_A_SEGMENT_HOLDS = 2**32


@dataclass(slots=True)
class Scan:
    """What one segment file holds.

    ``segment.size`` is where its last good group ends, ``last`` where that begins. ``pieces`` is what else there is.
    ``parked`` is the number of the first parked line that was looked for.
    """

    segment: Segment
    file_size: int
    last: int = 0
    pieces: list[Piece] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    parked: int | None = None

    @property
    def tail(self) -> Piece | None:
        """The bytes after the last good group, if there are any."""
        return self.pieces[-1] if self.pieces and self.pieces[-1].before is None else None

    @property
    def holes(self) -> list[Piece]:
        """Damaged bytes with good members after them."""
        return [piece for piece in self.pieces if piece.before is not None]


class Survey(NamedTuple):
    """All segments, oldest first; those that cannot be read at all, by number, with a sentence for each."""

    scans: list[Scan]
    unreadable: list[int]
    problems: list[str]


class Recovery(NamedTuple):
    """What recovery found and did.

    next_seq     the sequence number for the next reading
    newest_time  the latest UTC time of any reading, nanoseconds; ``None`` without any
    identities   the MQTT packets last stored, oldest first
    bytes        the size of all segments
    segments     the segments, oldest first
    resume       the newest of them, if it is sound and can be continued
    cut          tails that were cut off: unfinished writes, as far as anybody can tell
    damaged      damaged pieces that were set aside
    problems     what could not be put in order, a sentence each
    parked       the number of the first line that is parked and not in the quarantine yet; ``None`` without any
    """

    next_seq: int
    newest_time: int | None
    identities: tuple[Identity, ...]
    bytes: int
    segments: list[Segment]
    resume: Segment | None
    cut: list[Piece]
    damaged: list[Piece]
    problems: list[str]
    parked: int | None


def survey(
    filesystem: Filesystem, root: Path, *, bodies: bool = False, identities: int = 0, parked: int = 0
) -> Survey:
    """Look at every segment, for the last ``identities`` MQTT packets, and for lines parked from ``parked`` on.

    Bodies are verified if asked for, where damage is known of already, and in the newest segment that holds anything.
    Raises `OSError` only when the directory cannot be listed.
    """
    firsts = sorted(first for name in filesystem.names(root) if (first := parse_segment_name(name)) is not None)
    suspects = _suspects(filesystem, root)
    result = Survey([], [], [])
    ceiling: int | None = None
    for first in reversed(firsts):
        path = root / segment_name(first)
        try:
            thorough = bodies or ceiling is None or first in suspects
            scan = _scan(filesystem, path, ceiling, bodies=thorough, identities=identities, parked=parked)
        except FileNotFoundError:  # deleted since we listed it: somebody else is the owner
            continue
        except SegmentNewer as error:
            result.unreadable.append(first)
            result.problems.append(str(error))
            ceiling = first
            continue
        except OSError as error:
            result.unreadable.append(first)
            result.problems.append(f"{path.name} cannot be read: {error.strerror}")
            continue
        identities -= len(scan.identities)
        result.scans.insert(0, scan)
        if scan.segment.size:
            ceiling = first
    return result


def recover(
    filesystem: Filesystem, root: Path, highest_cursor: int = 0, window: int = IDENTITIES, parked: int = 0
) -> Recovery:
    """Put the spool in order and return its state; nobody else may use the directory meanwhile.

    ``highest_cursor`` keeps numbers that were delivered from being given again should their readings be lost.
    ``window`` is how many identities to return; below ``parked`` all parked lines are in the quarantine. Raises
    `OSError` only when the directory itself cannot be listed.
    """
    found = survey(filesystem, root, identities=window, parked=parked)
    mending = _Mending(filesystem, root, found.problems)
    mending.remove_leftovers()
    good = [scan for scan in found.scans if mending.mend(scan)]
    segments = [scan.segment for scan in good]
    end = segments[-1].end if segments else 0
    if segments and highest_cursor > end:
        lost = highest_cursor - end
        found.problems.append(f"a sink has {lost} readings more than the spool: the disk lost what it had confirmed")
    if found.unreadable:  # numbers that it holds must not be given again
        end = max(end, max(found.unreadable) + _MORE_THAN_A_SEGMENT_HOLDS)
    durable = not good or mending.make_durable(good[-1])
    sound = bool(good) and durable and good[-1].file_size == good[-1].segment.size and not found.unreadable
    return Recovery(
        next_seq=max(end, highest_cursor),
        newest_time=max((segment.t_max for segment in segments if segment.t_max is not None), default=None),
        # Nothing may be acknowledged on the strength of bytes that may not be on the disk.
        identities=tuple(identity for scan in good for identity in scan.identities) if durable else (),
        bytes=sum(segment.size for segment in segments),
        segments=segments,
        resume=segments[-1] if sound and highest_cursor <= end else None,
        cut=mending.cut,
        damaged=mending.damaged,
        problems=found.problems,
        parked=min((scan.parked for scan in good if scan.parked is not None), default=None),
    )


def set_aside(filesystem: Filesystem, root: Path, piece: Piece, *, move: bool = False) -> None:
    """Copy a damaged piece into ``damaged/``, durably, unless it is there already. Raises `OSError`.

    Bytes that are all zero say nothing and are not kept. With ``move`` the piece is the whole segment, which needs no
    space: a full disk cannot prevent it.
    """
    path = root / segment_name(piece.segment)
    data = filesystem.read(path, piece.offset, piece.length)
    if not data.strip(b"\0"):
        return
    directory = root / "damaged"
    names = set(filesystem.names(directory))
    stem = name = f"{piece.segment:020}-{piece.offset}"
    number = 1
    while name in names:
        if filesystem.read(directory / name) == data:
            return
        number += 1
        name = f"{stem}-{number}"
    if move:
        filesystem.rename(path, directory / name)
        filesystem.sync_directory(directory)
    else:
        replace_file(filesystem, directory / name, data, durable=True)


def _suspects(filesystem: Filesystem, root: Path) -> set[int]:
    with suppress(OSError):
        stems = (name.partition("-")[0] for name in filesystem.names(root / "damaged"))
        return {int(stem) for stem in stems if stem.isdecimal()}
    return set()


def _scan(
    filesystem: Filesystem, path: Path, ceiling: int | None, *, bodies: bool, identities: int, parked: int
) -> Scan:
    first = parse_segment_name(path.name) or 0
    size = filesystem.size(path)
    scan = Scan(Segment(first, first, 0, 0), size)
    recent: deque[Identity] = deque(maxlen=max(0, identities))
    group = _Group(scan.segment, 0, 0)
    pieces = 0  # those before the member that was found last
    for step in walk(filesystem, path, size, ceiling=ceiling, bodies=bodies, parked=True):
        if isinstance(step, Piece):
            scan.pieces.append(step)
            continue
        header = step.header
        if not group.takes(step):
            recent.extend(group.identities)
            group = _Group(scan.segment, pieces, scan.last, whole=not header.began_before)
            scan.last = step.offset
        group.following = (step.stop, header.end) if header.continues else None
        scan.segment = scan.segment.grown(header, step.stop)
        pieces = len(scan.pieces)
        if header.packed and identities > 0:
            group.identities.extend(header.identities())
        if header.parked and header.first >= parked and scan.parked is None:
            scan.parked = header.first
    if ceiling is None and group.is_torn(at_the_end=scan.segment.size == size):
        scan.segment, scan.last = group.before, group.last
        offset, end = scan.segment.size, scan.segment.end
        reason = "a group of members that is not complete"
        scan.pieces[group.pieces :] = [Piece(first, offset, size - offset, reason, end, None)]
        if scan.parked is not None and scan.parked >= end:
            scan.parked = None
    else:
        recent.extend(group.identities)
    scan.identities.extend(recent)
    return scan


@dataclass(slots=True)
class _Group:
    """The commit group that a walk is in, and what there was before it.

    ``before``, ``pieces`` and ``last`` are what `Scan` had of the segment; ``following`` is where the group's next
    member must begin, by offset and number, ``None`` after its last; ``whole`` tells that none is missing so far.
    """

    before: Segment
    pieces: int
    last: int
    following: tuple[int, int] | None = None
    whole: bool = True
    identities: list[Identity] = field(default_factory=list)

    def takes(self, found: Found) -> bool:
        """Tell whether a member goes on with this group; it may be that others between are missing."""
        if not found.header.began_before or self.following is None:
            return False
        self.whole = self.whole and self.following == (found.offset, found.header.first)
        return True

    def is_torn(self, *, at_the_end: bool) -> bool:
        """Tell whether the newest group of a spool is a write that never ended, and so was never acknowledged.

        What was written after a group proves that it had been durable: then it lacks a member by later damage.
        """
        return self.following is not None or (at_the_end and not self.whole)


class _Mending:
    """The steps that change the directory; a step that fails leaves a problem behind, not an error."""

    def __init__(self, filesystem: Filesystem, root: Path, problems: list[str]) -> None:
        self._filesystem, self._root, self._problems = filesystem, root, problems
        self.cut: list[Piece] = []
        self.damaged: list[Piece] = []

    def remove_leftovers(self) -> None:
        """Remove temporaries of replacements that were not finished."""
        for directory in (
            self._root,
            *(self._root / name for name in ("cursors", "damaged", "quarantine")),
        ):
            with suppress(OSError):
                for name in self._filesystem.names(directory):
                    if name.endswith(".tmp"):
                        self._filesystem.unlink(directory / name)

    def mend(self, scan: Scan) -> bool:
        """Leave nothing but good members in the segment, and return whether there are any."""
        self.damaged += scan.holes
        if scan.tail:
            self.cut.append(scan.tail)
        try:
            empty = not scan.segment.size
            for piece in scan.pieces:
                set_aside(self._filesystem, self._root, piece, move=empty)
            if empty:
                with suppress(FileNotFoundError):
                    self._filesystem.unlink(self._root / scan.segment.name)
            elif scan.holes:
                self._rewrite(scan)
            elif scan.tail:
                self._cut_tail(scan)
        except OSError as error:
            self._problems.append(f"{scan.segment.name} could not be mended: {error.strerror}")
        return scan.segment.size > 0

    def make_durable(self, scan: Scan) -> bool:
        """Return whether the newest segment is now certainly on the disk.

        A writer that was killed may have left its last group in the page cache only, perhaps after an fsync that
        failed, so that another one alone would prove nothing: the group is written again.
        """
        path = self._root / scan.segment.name
        try:
            raw = self._filesystem.read(path, scan.last, scan.segment.size - scan.last)
            file = self._filesystem.open(path)
            try:
                file.write(raw, scan.last)
                file.sync()
            finally:
                file.close()
            self._filesystem.sync_directory(self._root)
        except OSError as error:
            self._problems.append(f"{path.name} could not be synced: {error.strerror}")
            return False
        return True

    def _cut_tail(self, scan: Scan) -> None:
        file = self._filesystem.open(self._root / scan.segment.name)
        try:
            file.truncate(scan.segment.size)
            file.sync()
        finally:
            file.close()
        scan.file_size = scan.segment.size

    def _rewrite(self, scan: Scan) -> None:
        path = self._root / scan.segment.name
        data = self._filesystem.read(path, 0, scan.segment.size)
        for piece in reversed(scan.holes):
            data = data[: piece.offset] + data[piece.offset + piece.length :]
        replace_file(self._filesystem, path, data, durable=True)
        scan.last -= scan.segment.size - len(data)
        scan.segment = scan.segment._replace(size=len(data))
        scan.file_size = len(data)
        scan.pieces.clear()
