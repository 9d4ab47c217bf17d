"""Refused messages as anybody may read them: without the lock, and without changing anything."""

from collections.abc import Iterator
from pathlib import Path

from gateway.errors import SpoolError
from gateway.refused.block import decode
from gateway.refused.ranges import Ranges
from gateway.refused.record import Counted, Entry, Kept, Refusal, Resolved
from gateway.refused.segments import BlockFile, SoundBlock, scan, segments_in, walk
from gateway.spool.filesystem import Filesystem, OsFilesystem


def survey(filesystem: Filesystem, root: Path) -> list[BlockFile]:
    """Look at every file, oldest first. Raises `OSError`."""
    names = segments_in(filesystem, root)
    ceilings: list[int | None] = [*names[1:], None]
    return [scan(filesystem, root, name, ceiling) for name, ceiling in zip(names, ceilings, strict=False)]


def entries_of(found: SoundBlock) -> list[Entry]:
    """Return the entries of a block; none where they make no sense."""
    try:
        return list(decode(found.block, found.body))
    except ValueError:
        return []


def resolved_in(filesystem: Filesystem, root: Path, segments: list[BlockFile]) -> Ranges:
    """Return the numbers of the messages that need nobody any more. Raises `OSError`."""
    resolved = Ranges()
    for segment in segments:
        for found in walk(filesystem, root, segment) if segment.resolves else ():
            for entry in entries_of(found) if found.block.resolves else ():
                if isinstance(entry, Resolved):
                    resolved.add(entry.number)
    return resolved


def kept_in(
    filesystem: Filesystem, root: Path, segments: list[BlockFile], resolved: Ranges
) -> Iterator[Kept | Counted]:
    """Yield what the files hold and nobody has resolved, oldest first. Raises `OSError`."""
    for segment in segments:
        if segment.counted or resolved.count(segment.first, segment.end) < segment.count:
            for found in walk(filesystem, root, segment):
                yield from _kept(found, resolved)


def _kept(found: SoundBlock, resolved: Ranges) -> Iterator[Kept | Counted]:
    block = found.block
    if not block.counted and resolved.count(block.first, block.end) == block.count:
        return
    number = block.first
    for entry in entries_of(found):
        if isinstance(entry, Counted):
            yield entry
        elif isinstance(entry, Refusal):
            if number not in resolved:
                yield Kept(number, entry)
            number += 1


class RefusedView:
    """What is kept in one directory, at the moment of looking. Raises `SpoolError`."""

    def __init__(self, root: Path, filesystem: Filesystem | None = None) -> None:
        self.root = root
        self._filesystem = filesystem or OsFilesystem()
        try:
            self.segments = survey(self._filesystem, root) if root.is_dir() or filesystem else []
            self._resolved = resolved_in(self._filesystem, root, self.segments)
        except OSError as error:
            raise SpoolError(f"cannot read {root}: {error.strerror}") from error

    @property
    def bytes(self) -> int:
        """The size of all of it."""
        return sum(segment.size for segment in self.segments)

    def entries(self) -> Iterator[Kept | Counted]:
        """Yield what is kept and nobody has resolved, oldest first. Raises `SpoolError`."""
        try:
            yield from kept_in(self._filesystem, self.root, self.segments, self._resolved)
        except OSError as error:
            raise SpoolError(f"cannot read {self.root}: {error.strerror}") from error
