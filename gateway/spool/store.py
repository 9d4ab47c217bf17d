"""The spool as its one owner has it: locked, recovered, written to and kept within bounds."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from gateway.errors import SpoolError
from gateway.spool.consumer import Consumer
from gateway.spool.cursors import Cursors
from gateway.spool.filesystem import Filesystem, OsFilesystem
from gateway.spool.held_note import honour
from gateway.spool.ledger import Ledger, Loss
from gateway.spool.member import MAX_IDENTITIES, Batch, Identity
from gateway.spool.parked import ParkedCursor, ParkedLines
from gateway.spool.pressure import Levels
from gateway.spool.quarantine import Quarantine
from gateway.spool.reader import SpoolReader
from gateway.spool.recovery import Recovery, recover, set_aside, survey
from gateway.spool.requests import Clerk, Done
from gateway.spool.retention import Retention
from gateway.spool.segments import Piece, SegmentIndex, walk
from gateway.spool.settings import SpoolSettings, SpoolTuning
from gateway.spool.view import SpoolView
from gateway.spool.writer import SpoolWriter

_LOOKED_AT = 64
"""Members that are looked at for a marker: between two groups of the committer come at most a few requeued ones."""
_DIRECTORIES = ("cursors", "damaged", "quarantine", "requests", "requests/done")


class Spool(SpoolView):
    """An open spool; a context manager that closes itself.

    recovery    what was found at the start; ``recovery.identities`` are the MQTT packets stored already
    writer      for one thread
    parked      brings lines of unknown sensors into the quarantine
    cursors     how far each sink is; `consumer` gives a sink what it needs to move its own
    ledger      the losses
    quarantine  the lines that sinks refused, and those of unknown sensors
    """

    def __init__(
        self,
        filesystem: Filesystem,
        root: Path,
        *,
        settings: SpoolSettings,
        tuning: SpoolTuning,
        sinks: Sequence[str],
        now: Callable[[], int],
        release: Callable[[], None],
    ) -> None:
        """Recover the locked directory; use `open` to get here."""
        cursors = Cursors(filesystem, root / "cursors")
        brought = ParkedCursor.load(filesystem, root / "quarantine")
        self.recovery: Recovery = recover(
            filesystem, root, max(cursors.highest(), brought.next), tuning.identities, brought.next
        )
        index = SegmentIndex(self.recovery.segments)
        ledger = Ledger(filesystem, root / "losses.jsonl", now)
        super().__init__(filesystem, root, index=index, cursors=cursors, ledger=ledger, sinks=tuple(sinks))
        self.quarantine = Quarantine(filesystem, root / "quarantine", now, tuning.quarantine_bytes)
        self.parked = ParkedLines(
            filesystem,
            root,
            index=index,
            quarantine=self.quarantine,
            cursor=brought,
            first=self.recovery.parked,
            end=self.recovery.next_seq,
        )
        self._retention = Retention(
            filesystem,
            root,
            index=index,
            cursors=cursors,
            ledger=ledger,
            settings=settings,
            sinks=self._sinks,
            parked=self.parked,
        )
        self._retention.finish()
        self._release: Callable[[], None] | None = release
        self._passed_over: set[tuple[int, int]] = set()
        self.writer = SpoolWriter(
            filesystem,
            root,
            index,
            self._retention,
            next_seq=self.recovery.next_seq,
            resume=self.recovery.resume,
            # Segments are what is deleted: in a small spool they must be smaller, so that little goes at a time.
            segment_bytes=min(tuning.segment_bytes, settings.max_bytes // 8),
            level=tuning.level,
        )
        self._committing = Lock()
        self._noted: tuple[Identity, ...] = ()
        """Identities that only the note of version 0.1 has; they go into the spool with the next group."""
        self._bring_at_the_start()
        self._clerk = Clerk(self, filesystem)
        for piece in (*self.recovery.cut, *self.recovery.damaged):
            self._record_damage(piece)

    @classmethod
    def open(
        cls,
        root: Path,
        settings: SpoolSettings | None = None,
        *,
        tuning: SpoolTuning | None = None,
        sinks: Sequence[str] = (),
        filesystem: Filesystem | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> "Spool":
        """Take the spool in directory ``root``, which is created if needed, and put it in order.

        ``sinks`` names those that must have a reading before it counts as delivered; without any, nothing does.
        ``now`` gives nanoseconds UTC for the ledger and the quarantine. Raises `SpoolLocked` when another process has
        it, and `SpoolError` when the directory cannot be created, listed or locked; for nothing else that is in it.
        """
        filesystem = filesystem or OsFilesystem()
        try:
            for directory in (root, *(root / name for name in _DIRECTORIES)):
                filesystem.make_directory(directory)
            release = filesystem.lock(root / "lock")
        except OSError as error:
            raise SpoolError(f"cannot use {root} as a spool: {error.strerror}") from error
        try:
            return Spool(
                filesystem,
                root,
                settings=settings or SpoolSettings(),
                tuning=tuning or SpoolTuning(),
                sinks=sinks,
                now=now,
                release=release,
            )
        except OSError as error:
            release()
            raise SpoolError(f"cannot read the spool {root}: {error.strerror}") from error

    @property
    def next_seq(self) -> int:
        """The sequence number that the next reading gets; everything below is durable."""
        return self.writer.next_seq

    def reader(self, on_damage: Callable[[Piece], None] = lambda _piece: None) -> SpoolReader:
        """Return a new reader; every sink and every thread needs its own. It sees only what is durable."""

        def take_note(piece: Piece) -> None:
            self._pass_over(piece)
            on_damage(piece)

        return super().reader(take_note)

    def consumer(self, sink: str) -> Consumer:
        """Return what ``sink`` needs: a reader of its own, its position, and its dead letters; one a sink."""
        return Consumer(sink, self.cursors, self.reader(), self.quarantine, lambda: self.next_seq)

    def commit(self, group: Sequence[Batch]) -> None:
        """Make a commit group durable: all of its readings and parked lines count, or nothing does. From any thread.

        Raises `QuarantineFull`, before anything is done, when the quarantine has no room for the parked lines: the
        group may come again without them. Raises what `SpoolWriter.append_group` does.
        """
        sizes = [len(batch.lines) if batch.parked else 0 for batch in group]
        if any(sizes):
            self.parked.admit(sum(sizes))
        with self._committing:
            if self._noted:
                *others, last = group
                known = (*self._noted, *last.identities)[-MAX_IDENTITIES:]
                group = [*others, replace(last, identities=known)]
            headers = self.writer.append_group(group)
            self._noted = ()
            for header, size in zip(headers, sizes, strict=True):
                if header.parked:
                    self.parked.add(header, size)

    def has_group(self, seq: int, marker: Identity) -> bool:
        """Tell whether the group that was written when ``seq`` was the next number has ``marker`` in it.

        True as well where nobody can tell any more, because its segment is gone or damaged. Raises `SpoolError`.
        """
        left = _LOOKED_AT
        segment = self._index.at(seq)
        if segment is None:
            return False
        if segment.first > seq:
            return True
        while segment is not None and left > 0:
            following = self._index.after(segment.first)
            ceiling = following.first if following else None
            path = self.root / segment.name
            try:
                for found in walk(self._filesystem, path, segment.size, ceiling=ceiling, bodies=False, parked=True):
                    if isinstance(found, Piece):
                        if found.before is None or found.before > seq:
                            return True
                    elif found.header.first >= seq:
                        left -= 1
                        if marker in found.header.identities():
                            return True
            except OSError as error:
                raise SpoolError(f"cannot read {path}: {error.strerror}") from error
            segment = following
        return False

    def enforce(self, now: int | None = None) -> None:
        """Delete what the bounds no longer allow; the writer does the urgent part by itself.

        ``now`` is nanoseconds UTC, or ``None`` while the wall clock cannot be trusted: then nothing goes by age.
        """
        self._retention.enforce(now)

    def carry_out_requests(self) -> list[Done]:
        """Bring parked lines into the quarantine, and do what people asked for; see `gateway.spool.requests`.

        One thread; it may be another than the writer's. Raises `SpoolError`, and does then what it can do.
        """
        try:
            self.parked.bring()
        except SpoolError:
            if done := self._clerk.carry_out():
                return done
            raise
        return self._clerk.carry_out()

    def levels(self) -> Levels:
        """Return how full the spool is, and how far everybody is. Raises `SpoolError`."""
        try:
            undelivered, room = self._retention.room()
        except OSError as error:
            raise SpoolError(f"cannot read the spool {self.root}: {error.strerror}") from error
        next_seq, taken = self.next_seq, {sink: self.cursors.next(sink) for sink in self._sinks}
        # One segment is what goes at a time: with less room than that, the next one meets a bound.
        full = room < self.writer.segment_bytes
        return Levels(undelivered, room, full, next_seq, self.writer.written, taken)

    def unfinished_replays(self) -> list[str]:
        """Return the sinks of replays that an earlier version left in ``replays/``: nobody goes on with them."""
        with suppress(OSError):
            names = self._filesystem.names(self.root / "replays")
            return sorted(unquote(name.removesuffix(".json")) for name in names if name.endswith(".json"))
        return []

    def set_aside_damage(self) -> list[Piece]:
        """Read everything; put every damaged piece into ``damaged/`` and the ledger. Raises `SpoolError`.

        The segments stay as they are until the next start, for somebody may be reading them.
        """
        try:
            scans = survey(self._filesystem, self.root, bodies=True).scans
            pieces = [
                piece for scan in scans for piece in scan.pieces if scan is not scans[-1] or piece is not scan.tail
            ]
            for piece in pieces:
                set_aside(self._filesystem, self.root, piece)
        except OSError as error:
            raise SpoolError(f"cannot set damage in {self.root} aside: {error.strerror}") from error
        for piece in pieces:
            self._pass_over(piece)
        return pieces

    def close(self) -> None:
        """Close the writer and give up the lock. May be called twice."""
        with suppress(SpoolError):
            if self._release:
                self.parked.bring()
        with suppress(OSError):
            self.writer.close()
        if self._release:
            release, self._release = self._release, None
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _bring_at_the_start(self) -> None:
        try:
            self._noted = honour(self._filesystem, self.quarantine, self.next_seq, self._index)
        except SpoolError as error:
            self.parked.block()
            self.recovery.problems.append(f"lines of unknown sensors may be in the quarantine twice: {error}")
        try:
            self.parked.bring()
        except SpoolError as error:
            self.recovery.problems.append(f"lines of unknown sensors wait for the quarantine: {error}")
        self.recovery = self.recovery._replace(identities=(*self.recovery.identities, *self._noted))

    def _pass_over(self, piece: Piece) -> None:
        """Take note of damage that a reader met after recovery had seen only headers."""
        if (piece.segment, piece.offset) in self._passed_over:
            return
        self._passed_over.add((piece.segment, piece.offset))
        with suppress(OSError):
            set_aside(self._filesystem, self.root, piece)
        self._record_damage(piece)

    def _record_damage(self, piece: Piece) -> None:
        """Enter into the ledger the readings that damage has taken, where some sink still wanted them.

        At the very end of the spool nobody can tell what was there: as a rule a write that never ended.
        """
        following = self._index.after(piece.segment)
        before = piece.before if piece.before is not None else following.first if following else 0
        first, last = max(piece.after, self.cursors.lowest(self._sinks)), before - 1
        if first > last or self.ledger.knows("damaged", piece.name, last):
            return
        sinks = tuple(sink for sink in self._sinks if self.cursors.next(sink) <= last)
        why = f"{piece.length:,} bytes at offset {piece.offset:,}: {piece.reason}; see damaged/"
        with suppress(OSError):
            self.ledger.record(Loss("damaged", why, first, last, before - first, None, None, piece.name, sinks))
