"""The spool as its one owner has it: locked, recovered, written to and kept within bounds."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from gateway.errors import SpoolError
from gateway.spool.consumer import Consumer
from gateway.spool.cursors import Cursors
from gateway.spool.filesystem import Filesystem, OsFilesystem
from gateway.spool.holding import Holding
from gateway.spool.ledger import Ledger, Loss
from gateway.spool.pressure import Levels
from gateway.spool.quarantine import Quarantine
from gateway.spool.reader import SpoolReader
from gateway.spool.recovery import Recovery, recover, set_aside, survey
from gateway.spool.requests import Clerk, Done
from gateway.spool.retention import Retention
from gateway.spool.segments import Piece, SegmentIndex
from gateway.spool.settings import SpoolSettings, SpoolTuning
from gateway.spool.view import SpoolView
from gateway.spool.writer import SpoolWriter

_DIRECTORIES = ("cursors", "damaged", "quarantine", "requests", "requests/done")


class Spool(SpoolView):
    """An open spool; a context manager that closes itself.

    recovery    what was found at the start; ``recovery.identities`` are the MQTT packets stored already
    writer      for one thread
    holding     the same, for readings that come with held lines
    cursors     how far each sink is; `consumer` gives a sink what it needs to move its own
    ledger      the losses
    quarantine  the lines that sinks refused
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
        self.recovery: Recovery = recover(filesystem, root, cursors.highest(), tuning.identities)
        index = SegmentIndex(self.recovery.segments)
        ledger = Ledger(filesystem, root / "losses.jsonl", now)
        super().__init__(filesystem, root, index=index, cursors=cursors, ledger=ledger, sinks=tuple(sinks))
        self._retention = Retention(
            filesystem, root, index=index, cursors=cursors, ledger=ledger, settings=settings, sinks=self._sinks
        )
        self._retention.finish()
        self._release: Callable[[], None] | None = release
        self._passed_over: set[tuple[int, int]] = set()
        self.quarantine = Quarantine(filesystem, root / "quarantine", now, tuning.quarantine_bytes)
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
        self.holding = Holding(filesystem, self.quarantine, self.writer, super().reader())
        self.recovery = self.recovery._replace(identities=(*self.recovery.identities, *self.holding.identities))
        if self.holding.problem:
            self.recovery.problems.append(self.holding.problem)
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

    def enforce(self, now: int | None = None) -> None:
        """Delete what the bounds no longer allow; the writer does the urgent part by itself.

        ``now`` is nanoseconds UTC, or ``None`` while the wall clock cannot be trusted: then nothing goes by age.
        """
        self._retention.enforce(now)

    def carry_out_requests(self) -> list[Done]:
        """Do what people asked for since the last call; see `gateway.spool.requests`. Raises `SpoolError`.

        One thread; it may be another than the writer's.
        """
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
