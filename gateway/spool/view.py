"""A read-only view of a spool: without a lock, beside a running daemon or on a card reader."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from gateway.errors import SpoolError
from gateway.spool.cursors import Cursors
from gateway.spool.filesystem import Filesystem, OsFilesystem
from gateway.spool.ledger import Ledger
from gateway.spool.quarantine import lines_in, quarantined_sinks
from gateway.spool.quarantine_lines import QuarantinedLine
from gateway.spool.reader import SpoolReader
from gateway.spool.recovery import Survey, survey
from gateway.spool.segments import Piece, Segment, SegmentIndex


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """How one sink stands: its cursor, how many readings are pending, and the time of the oldest of them.

    Time is nanoseconds UTC, ``None`` when nothing is pending or what is pending has no UTC time yet.
    """

    next_seq: int
    pending: int
    oldest_pending: int | None


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """The state of a spool for people and machines.

    ``oldest_seq`` equals ``next_seq`` when it is empty. ``damaged`` counts the pieces in ``damaged/``; ``losses`` and
    ``lost_readings`` count the ledger's lines and the readings in them. Sizes in bytes, times in nanoseconds UTC.
    """

    bytes: int
    segments: int
    readings: int
    oldest_seq: int
    next_seq: int
    oldest_time: int | None
    newest_time: int | None
    free_bytes: int
    damaged: int
    losses: int
    lost_readings: int
    sinks: dict[str, SinkStatus]
    undelivered_bytes: int = 0
    quarantined_bytes: dict[str, int] = field(default_factory=dict)
    """Bytes in the quarantine, by sink; those of unknown sensors under ``unknown``."""

    def ages(self, now: int) -> dict[str, float]:
        """Return for each sink the seconds since the time of the oldest reading that is pending.

        ``now`` is nanoseconds UTC. A time that is not known is left out; one in the future (a device's clock) has no
        age.
        """
        oldest = {name: sink.oldest_pending for name, sink in self.sinks.items()}
        return {name: max(0, now - moment) / 1e9 for name, moment in oldest.items() if moment is not None}


class Verification(NamedTuple):
    """How many readings are sound, each piece that is no good member, and each file that cannot be read."""

    readings: int
    damaged: list[Piece]
    problems: list[str]


class SpoolView:
    """What a spool held at the moment of `look`."""

    def __init__(
        self,
        filesystem: Filesystem,
        root: Path,
        *,
        index: SegmentIndex,
        cursors: Cursors,
        ledger: Ledger,
        sinks: tuple[str, ...],
    ) -> None:
        self._filesystem = filesystem
        self._index = index
        self._sinks = sinks
        self.root = root
        self.cursors = cursors
        self.ledger = ledger
        self.problems: list[str] = []
        """Files that could not be read, a sentence each."""

    @classmethod
    def look(cls, root: Path, *, filesystem: Filesystem | None = None) -> "SpoolView":
        """Look at the spool in directory ``root``. Raises `SpoolError` when that cannot be read."""
        filesystem = filesystem or OsFilesystem()
        found = _survey(filesystem, root, bodies=False)
        index = SegmentIndex([scan.segment for scan in found.scans if scan.segment.size])
        cursors = Cursors(filesystem, root / "cursors")
        ledger = Ledger(filesystem, root / "losses.jsonl", time.time_ns)
        view = SpoolView(filesystem, root, index=index, cursors=cursors, ledger=ledger, sinks=cursors.sinks)
        view.problems = [*found.problems, *cursors.refused.values()]
        return view

    @property
    def next_seq(self) -> int:
        """The sequence number after the newest reading."""
        segments = self._index.all()
        return max(segments[-1].end if segments else 0, self.cursors.highest())

    @property
    def segments(self) -> list[Segment]:
        """The segments, oldest first."""
        return self._index.all()

    def reader(self, on_damage: Callable[[Piece], None] = lambda _piece: None) -> SpoolReader:
        """Return a new reader; every sink and every thread needs its own. ``on_damage`` hears what is passed over."""
        return SpoolReader(self._filesystem, self.root, self._index, on_damage)

    def verify(self) -> Verification:
        """Read everything and check every byte. Raises `SpoolError` when the directory cannot be read."""
        found = _survey(self._filesystem, self.root, bodies=True)
        tail = found.scans[-1].tail if found.scans else None
        if tail:  # perhaps the daemon was just writing there: only what stays as it is counts
            again = _survey(self._filesystem, self.root, bodies=False)
            if not again.scans or again.scans[-1].tail != tail:
                found.scans[-1].pieces.remove(tail)
        return Verification(
            readings=sum(scan.segment.readings for scan in found.scans),
            damaged=[piece for scan in found.scans for piece in scan.pieces],
            problems=found.problems,
        )

    def quarantined(self, sink: str) -> list[QuarantinedLine]:
        """Return the lines in quarantine for ``sink``. Raises `SpoolError`."""
        path = self.root / "quarantine" / f"{quote(sink, safe='')}.lp"
        try:
            return lines_in(self._filesystem, path)
        except OSError as error:
            raise SpoolError(f"cannot read {path}: {error.strerror}") from error

    def status(self) -> SpoolStatus:
        """Return the state; reads some headers from the disk. Raises `SpoolError`."""
        segments = self._index.all()
        next_seq = self.next_seq
        try:
            free = self._filesystem.free_bytes(self.root)
        except OSError as error:
            raise SpoolError(f"cannot read the spool {self.root}: {error.strerror}") from error
        return SpoolStatus(
            bytes=sum(segment.size for segment in segments),
            segments=len(segments),
            readings=sum(segment.readings for segment in segments),
            oldest_seq=segments[0].first if segments else next_seq,
            next_seq=next_seq,
            oldest_time=min((segment.t_min for segment in segments if segment.t_min is not None), default=None),
            newest_time=max((segment.t_max for segment in segments if segment.t_max is not None), default=None),
            free_bytes=free,
            damaged=self._count_damaged(),
            losses=self.ledger.lines,
            lost_readings=self.ledger.readings,
            sinks={sink: self._sink_status(sink) for sink in self._sinks},
            undelivered_bytes=sum(
                segment.size for segment in segments if segment.end > self.cursors.lowest(self._sinks)
            ),
            quarantined_bytes=self._quarantined(),
        )

    def _quarantined(self) -> dict[str, int]:
        directory = self.root / "quarantine"
        sizes = {}
        for sink in quarantined_sinks(self._filesystem, directory):
            with suppress(OSError):
                sizes[sink] = self._filesystem.size(directory / f"{quote(sink, safe='')}.lp")
        return sizes

    def _sink_status(self, sink: str) -> SinkStatus:
        cursor = self.cursors.of(sink)
        begun = self._index.at(cursor.front)
        if begun is None:
            return SinkStatus(cursor.next, cursor.deferred_count, None)
        later = (segment.readings for segment in self._index.all() if segment.first > begun.first)
        pending = cursor.deferred_count + sum(later)
        oldest: int | None = None
        for header in self.reader().headers(cursor.front):
            if header.first >= begun.end:
                break
            pending += header.end - max(cursor.front, header.first)
            if oldest is None and header.boot is None:
                oldest = header.t_min
        return SinkStatus(cursor.next, pending, oldest)

    def _count_damaged(self) -> int:
        try:
            return len(self._filesystem.names(self.root / "damaged"))
        except OSError:
            return 0


def _survey(filesystem: Filesystem, root: Path, *, bodies: bool) -> Survey:
    try:
        return survey(filesystem, root, bodies=bodies)
    except OSError as error:
        raise SpoolError(f"cannot read the spool {root}: {error.strerror}") from error
