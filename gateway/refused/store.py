"""The store of refused messages: each is on the disk before its broker hears that we have it.

Constraints
    What a decoder refuses is acknowledged like any other message, so nobody sends it again; yet a person may mend the
    configuration tomorrow. It must survive a power cut, must not fill the disk, and must not cost readings anything.

On disk
    ``refused/`` beside the spool: files of blocks (`gateway.refused.block`), named by the number of their first one.
    A block is written at the end of the newest file, synced, and only then the group is acknowledged.

With a commit group
    A message may bring readings and refusals. The block is written first, and says that it counts only if the spool
    has its group; the group has the block's marker among its identities. So at the start only the newest block can be
    in doubt: if the spool lacks its group it is cut off, for nothing of it was acknowledged, and the broker sends the
    message again. A retry works by the same rule: the block that resolves a message is written with the group that
    has its readings, and both count or neither.

Bounds
    Beyond ``max_bytes`` the oldest file goes, once the loss ledger has a line on it. A full disk takes the oldest
    files too; else nothing is acknowledged until there is room.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from errno import EDQUOT, ENOSPC
from pathlib import Path
from threading import RLock
from typing import NamedTuple, Protocol

from gateway.errors import SpoolError, SpoolFull
from gateway.refused.block import Block, encode, parse_header
from gateway.refused.ranges import Ranges
from gateway.refused.record import Counted, Entry, Kept, Refusal, Resolved
from gateway.refused.segments import BlockFile, scan, walk
from gateway.refused.settings import RefusedSettings
from gateway.refused.view import entries_of, kept_in, resolved_in, survey
from gateway.spool import Identity, Ledger, Loss
from gateway.spool.filesystem import File, Filesystem, OsFilesystem
from gateway.units import format_size

SEGMENT_BYTES = 4 * 1024**2
REMEMBERED = 4096
"""Identities of refused messages that are looked for at the start: more than ever were in flight."""
_FAR = 1 << 32


class Readings(Protocol):
    """What the store asks of the spool beside it."""

    @property
    def ledger(self) -> Ledger:
        """The losses."""

    @property
    def next_seq(self) -> int:
        """The sequence number that the next reading gets."""

    def has_group(self, seq: int, marker: Identity) -> bool:
        """Tell whether the group that was written from ``seq`` on has ``marker``."""


class RefusedLevels(NamedTuple):
    """How full the store is: bytes, messages kept and not resolved, and those that are only counted."""

    bytes: int
    max_bytes: int
    kept: int
    counted: int


class Seen(NamedTuple):
    """Identities of messages that brought nothing but refusals, and the spool's next number when they were stored."""

    seq: int
    identities: tuple[Identity, ...]


class RefusedStore:
    """An open store; the lock is the spool's. Raises `SpoolError`.

    What writes (`keep`, `settle`, `confirm`) is for the committer alone: a block that waits for its commit group has
    to be the newest. The rest is for any thread.
    """

    def __init__(
        self,
        root: Path,
        settings: RefusedSettings,
        spool: Readings,
        *,
        filesystem: Filesystem | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Take the directory, which is created if needed, and put it in order."""
        self.root = root
        self.problems: list[str] = []
        self.seen: list[Seen] = []
        """What the last run stored without a commit group, oldest first."""
        self._filesystem = filesystem or OsFilesystem()
        self._settings = settings
        self._spool = spool
        self._segment_bytes = min(segment_bytes, max(1, settings.max_bytes // 8))
        self._lock = RLock()
        self._file: File | None = None
        self._segments: list[BlockFile] = []
        self._resolved = Ranges()
        self._next_block = 0
        self._next_number = 0
        self._doubtful: Block | None = None
        """The newest block, while its commit group is not written yet."""
        self._pressed = False
        try:
            for directory in (root, root / "requests", root / "requests" / "done"):
                self._filesystem.make_directory(directory)
            self._recover()
        except OSError as error:
            raise SpoolError(f"cannot use {root} for refused messages: {error.strerror}") from error

    @property
    def settled(self) -> int:
        """The number below which no message waits for its commit group."""
        doubtful = self._doubtful
        return self._next_number if doubtful is None else doubtful.first

    def keep(self, entries: Sequence[Entry], *, with_group: bool) -> Identity:
        """Make entries durable, as one block; return the marker for the commit group, which they wait for if they do.

        Raises `SpoolFull` on a full disk and `SpoolError` for any other failure; nothing of them is kept then.
        """
        with self._lock:
            raw = encode(
                self._next_block, self._next_number, entries, spool_seq=self._spool.next_seq, with_group=with_group
            )
            block = parse_header(raw)
            assert isinstance(block, Block)
            self._make_room(len(raw))
            self._write(raw, block)
            self._doubtful = block if with_group else None
            self._next_block += 1
            self._next_number = block.end
            for entry in entries:
                if isinstance(entry, Resolved):
                    self._resolved.add(entry.number)
            return block.marker

    def settle(self) -> None:
        """Note that the spool has the group of the newest block."""
        self._doubtful = None

    def confirm(self) -> None:
        """Have the newest block count without a commit group: its group has come to nothing. Raises `SpoolError`."""
        with self._lock:
            if self._doubtful is not None:
                self.keep((), with_group=False)

    def entries(self) -> Iterator[Kept | Counted]:
        """Yield what is kept and not resolved, oldest first. Raises `SpoolError`."""
        with self._lock:
            segments = [replace(segment) for segment in self._segments]
            resolved = self._resolved.copy()
        for segment in segments:
            try:
                yield from kept_in(self._filesystem, self.root, [segment], resolved)
            except FileNotFoundError:  # it went for room meanwhile
                continue
            except OSError as error:
                raise SpoolError(f"cannot read {self.root}: {error.strerror}") from error

    def is_resolved(self, number: int) -> bool:
        """Tell whether a kept message needs nobody any more."""
        with self._lock:
            return number in self._resolved

    def record_dropped(self, request: str, count: int) -> None:
        """Enter into the loss ledger, once a request, what a person drops; it is resolved only after that."""
        why = "a person dropped refused messages"
        self._record(Loss("refused_dropped", why, None, None, count, None, None, request), request)

    def levels(self) -> RefusedLevels:
        """Return how full it is."""
        with self._lock:
            kept = sum(segment.count for segment in self._segments)
            done = self._resolved.count(0, self._next_number)
            counted = sum(segment.counted for segment in self._segments)
            return RefusedLevels(self._bytes, self._settings.max_bytes, kept - done, counted)

    def close(self) -> None:
        """Close the file; everything is on the disk already."""
        with self._lock, suppress(OSError):
            if self._file is not None:
                file, self._file = self._file, None
                file.close()

    @property
    def _bytes(self) -> int:
        return sum(segment.size for segment in self._segments)

    def _recover(self) -> None:
        self._segments = survey(self._filesystem, self.root)
        for segment in self._segments:
            if segment.newer:
                self.problems.append(
                    f"{segment.file} was written by a later version of Prehod (format {segment.newer}), and is left "
                    "as it is: install that version again"
                )
        self._cut_what_has_no_group()
        far = _FAR if any(segment.newer for segment in self._segments) else 0
        names = [segment.name for segment in self._segments]
        blocks = [segment.last.number + 1 for segment in self._segments if segment.last is not None]
        self._next_block = max([*blocks, *names], default=0) + far
        self._next_number = max((segment.end for segment in self._segments), default=0) + far
        self._resolved = resolved_in(self._filesystem, self.root, self._segments)
        self._finish_letting_go()
        if not far:
            self._sync_newest()
        self._record_damage()

    def _finish_letting_go(self) -> None:
        """Delete what the loss ledger has already: a kill came between the two."""
        while len(self._segments) > 1 and self._spool.ledger.knows(
            "refused_oldest", self._segments[0].fingerprint, None
        ):
            self._filesystem.unlink(self.root / self._segments.pop(0).file)
            self._filesystem.sync_directory(self.root)

    def _cut_what_has_no_group(self) -> None:
        """Take the newest block out of what counts where the spool lacks the commit group that it belongs to."""
        for place in reversed(range(len(self._segments))):
            segment = self._segments[place]
            if (block := segment.last) is None:
                continue
            if block.with_group and not self._spool.has_group(block.spool_seq, block.marker):
                self._segments[place] = scan(self._filesystem, self.root, segment.name, block.number)
            return

    def _sync_newest(self) -> None:
        """Cut the newest file where its last block ends, and have that on the disk: a killed writer may not have."""
        while self._segments and self._segments[-1].last is None:
            self._filesystem.unlink(self.root / self._segments.pop().file)
        if not self._segments:
            return
        segment = self._segments[-1]
        path = self.root / segment.file
        assert segment.last is not None
        offset = segment.size - segment.last.size
        raw = self._filesystem.read(path, offset, segment.last.size)
        file = self._filesystem.open(path)
        try:
            file.truncate(segment.size)
            file.write(raw, offset)
            file.sync()
            self._filesystem.sync_directory(self.root)
        except OSError as error:
            file.close()
            self.problems.append(f"{path}: {error.strerror}")
            return
        self._file = file
        self._remember()

    def _remember(self) -> None:
        """Find the identities of messages that the spool knows nothing of."""
        recent: deque[Seen] = deque(maxlen=REMEMBERED)
        for segment in self._segments[-2:]:
            for found in walk(self._filesystem, self.root, segment):
                identities = () if found.block.with_group else _identities(entries_of(found))
                if identities:
                    recent.append(Seen(found.block.spool_seq, identities[-REMEMBERED:]))
        wanted = REMEMBERED
        while recent and wanted > 0:
            self.seen.insert(0, recent.pop())
            wanted -= len(self.seen[0].identities)

    def _record_damage(self) -> None:
        """Enter into the ledger the messages that damage has taken."""
        before: int | None = None
        for segment in self._segments:
            gaps = list(segment.gaps)
            if before is not None and segment.last is not None and segment.first > before:
                gaps.insert(0, (0, segment.first - before))
            for offset, missing in gaps:
                if missing < _FAR:
                    why = f"refused messages before offset {offset:,} of {segment.file}"
                    name = f"{segment.file}@{offset}"
                    loss = Loss("refused_damaged", why, None, None, missing, None, None, name)
                    with suppress(SpoolError):
                        self._record(loss, name)
            before = segment.end if segment.last is not None else before

    def _record(self, loss: Loss, name: str) -> None:
        ledger = self._spool.ledger
        try:
            if not ledger.knows(loss.rule, name, None):
                ledger.record(loss)
            ledger.flush()
        except OSError as error:
            raise SpoolError(f"cannot write the loss ledger: {error.strerror}") from error

    def _make_room(self, size: int) -> None:
        """Let the oldest files go beyond the bound, or while the disk is full; the newest stays."""
        while len(self._segments) > 1 and self._bytes + size > self._settings.max_bytes:
            self._let_go(f"the store of refused messages may hold {format_size(self._settings.max_bytes)}")
        if self._pressed and len(self._segments) > 1:
            self._let_go("the disk is full")
            self._pressed = False

    def _let_go(self, why: str) -> None:
        """Delete the oldest file, once the ledger holds what is lost by that."""
        oldest = self._segments[0]
        name = oldest.file
        lost = oldest.counted + oldest.count - self._resolved.count(oldest.first, oldest.end)
        if lost:
            times = oldest.t_min, oldest.t_max
            mark = oldest.fingerprint
            loss = Loss("refused_oldest", f"refused messages: {why}", None, None, lost, *times, mark)
            self._record(loss, mark)
        try:
            with suppress(FileNotFoundError):
                self._filesystem.unlink(self.root / name)
            self._filesystem.sync_directory(self.root)
        except OSError as error:
            raise SpoolError(f"cannot delete {self.root / name}: {error.strerror}") from error
        del self._segments[0]
        if self._segments[0].last is not None:
            self._resolved.forget_below(self._segments[0].first)

    def _write(self, raw: bytes, block: Block) -> None:
        try:
            segment, file = self._segment_for(len(raw))
            offset = segment.size
            file.write(raw, offset)
            file.sync()
            if not offset:
                self._filesystem.sync_directory(self.root)
        except OSError as error:
            self._abandon()
            if error.errno in (ENOSPC, EDQUOT):
                self._pressed = True
                raise SpoolFull(f"the disk with {self.root} is full") from error
            raise SpoolError(f"cannot write to {self.root}: {error.strerror}") from error
        segment.add(offset, block)

    def _segment_for(self, size: int) -> tuple[BlockFile, File]:
        if self._file is not None:
            newest = self._segments[-1]
            if not newest.size or newest.size + size <= self._segment_bytes:
                return newest, self._file
            file, self._file = self._file, None
            file.close()
        segment = BlockFile(self._next_block)
        path = self.root / segment.file
        try:
            self._file = self._filesystem.create(path)
        except FileExistsError:  # left by a failed attempt: nothing in it was ever acknowledged
            self._filesystem.unlink(path)
            self._file = self._filesystem.create(path)
        self._segments.append(segment)
        return segment, self._file

    def _abandon(self) -> None:
        """Trust the newest file no more after a failure: cut what may be there, and begin another with the next."""
        file, self._file = self._file, None
        if file is None:
            return
        segment = self._segments[-1]
        with suppress(OSError):
            file.truncate(segment.size)
        with suppress(OSError):
            file.close()
        if segment.last is None:
            self._segments.pop()
            with suppress(OSError):
                self._filesystem.unlink(self.root / segment.file)


def _identities(entries: Sequence[Entry]) -> tuple[Identity, ...]:
    found: list[Identity] = []
    for entry in entries:
        if isinstance(entry, Counted):
            found += entry.identities
        elif isinstance(entry, Refusal) and entry.identity is not None:
            found.append(entry.identity)
    return tuple(found)
