"""Group commit: writes groups of batches at the end of the spool, each durable before `SpoolWriter` returns.

A group is one write and one fsync, in one segment. After any failure the file is not trusted again: a kernel that
failed to write a page may mark it clean, and a later fsync then succeeds over nothing. The group counts as not
written, what may be there of it is cut off, and the next attempt goes to a new segment. If even the cut fails, the
new segment's name tells every reader where the old one ends.
"""

from collections.abc import Sequence
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from threading import Lock

from gateway.errors import SpoolError, SpoolFull
from gateway.spool.filesystem import File, Filesystem
from gateway.spool.member import LEVEL, Batch, Header, encode_group, parse_header
from gateway.spool.retention import Retention
from gateway.spool.segments import Segment, SegmentIndex


class SpoolWriter:
    """The only writer of a spool; from any thread, one group at a time.

    ``resume`` is the newest segment if recovery found it sound, so that it can be continued.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        root: Path,
        index: SegmentIndex,
        retention: Retention,
        *,
        next_seq: int,
        resume: Segment | None = None,
        segment_bytes: int,
        level: int = LEVEL,
    ) -> None:
        self._filesystem, self._root, self._index, self._retention = filesystem, root, index, retention
        self._next_seq = next_seq
        self._resume = resume
        self._segment: Segment | None = None
        self._file: File | None = None
        self.segment_bytes = segment_bytes
        self._level = level
        self._out_of_space = False
        self._closed = False
        self._lock = Lock()
        self.written = 0
        """Bytes made durable since the start."""

    @property
    def next_seq(self) -> int:
        """The sequence number that the next reading gets; every lower one is durable. Safe from any thread."""
        return self._next_seq

    def append(self, batch: Batch) -> Header:
        """Make a group of one batch durable and return the header of its member; raises what `append_group` does."""
        return self.append_group([batch])[0]

    def append_group(self, group: Sequence[Batch]) -> list[Header]:
        """Make a group durable, all of it or nothing, and return the headers of its members.

        Raises `SpoolFull` when there is no room by our bounds or the disk's, `SpoolError` for any other failure of
        the disk, and `ValueError` for a batch that breaks its own rules. Nothing of a failed group is stored, so it
        can be appended again.
        """
        with self._lock:
            return self._append(group)

    def close(self) -> None:
        """Close the file; every acknowledged group is on the disk already. May be called twice."""
        with self._lock:
            self._closed = True
            if self._file:
                file, self._file = self._file, None
                file.close()

    def _append(self, group: Sequence[Batch]) -> list[Header]:
        if self._closed:
            raise SpoolError("the spool is closed")
        members = encode_group(group, self._next_seq, level=self._level)
        raw = b"".join(members) if len(members) > 1 else members[0]
        self._retention.make_room(len(raw), pressed=self._out_of_space)
        try:
            segment, file = self._segment_for(len(raw))
            file.write(raw, segment.size)
            file.sync()
            if not segment.size:
                self._filesystem.sync_directory(self._root)
        except OSError as error:
            self._abandon()
            if error.errno in (ENOSPC, EDQUOT):
                self._out_of_space = True
                raise SpoolFull(f"the disk with {self._root} is full") from error
            raise SpoolError(f"cannot write to {self._root}: {error.strerror}") from error
        self._out_of_space = False
        headers = []
        for member in members:
            header = parse_header(member)
            assert isinstance(header, Header)
            segment = segment.grown(header, segment.size + len(member))
            headers.append(header)
        # In one step: a reader sees all of the group or nothing.
        self._segment = segment
        self._index.put(segment)
        self._next_seq = segment.end
        self.written += len(raw)
        return headers

    def _segment_for(self, length: int) -> tuple[Segment, File]:
        """Return the segment that takes the next group, a new one if the current one would grow too long."""
        if self._resume and not self._file:
            segment, self._resume = self._resume, None
            if segment.size + length <= self.segment_bytes:
                self._segment, self._file = segment, self._filesystem.open(self._root / segment.name)
        if self._segment and self._file:
            if self._segment.size + length <= self.segment_bytes or not self._segment.size:
                return self._segment, self._file
            file, self._file = self._file, None
            file.close()
        self._segment = Segment(self._next_seq, self._next_seq, 0, 0)
        path = self._root / self._segment.name
        try:
            self._file = self._filesystem.create(path)
        except FileExistsError:  # left by a failed attempt: nothing in it was ever acknowledged
            self._filesystem.unlink(path)
            self._file = self._filesystem.create(path)
        return self._segment, self._file

    def _abandon(self) -> None:
        segment, file = self._segment, self._file
        self._segment = self._file = None
        if segment is None or file is None:
            return
        with suppress(OSError):
            file.truncate(segment.size)
        with suppress(OSError):
            file.close()
        if not segment.size:
            with suppress(OSError):
                self._filesystem.unlink(self._root / segment.name)
