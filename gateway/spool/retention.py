"""What is deleted, and when: whole segments, never the one being written.

Segments that every sink has go by age (``keep``), and go first when room is needed. At the bound, ``drop_oldest``
takes the oldest undelivered segment next and says so in the loss ledger; ``refuse_new`` refuses what comes instead.

The ledger is written before the segment goes, so that no loss goes unsaid, and if a power cut comes between the two
the deletion is finished at the next start, so that no loss is said twice.
"""

from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from threading import Lock

from gateway import line_protocol
from gateway.errors import SpoolFull
from gateway.spool.cursors import Cursors
from gateway.spool.filesystem import Filesystem
from gateway.spool.ledger import Ledger, Loss
from gateway.spool.member import Header, MemberDamaged, decode_member
from gateway.spool.parked import ParkedLines
from gateway.spool.pressure import room_left
from gateway.spool.quarantine_lines import unpark
from gateway.spool.segments import Found, Segment, SegmentIndex, walk
from gateway.spool.settings import SpoolSettings
from gateway.units import format_size

_RULES = ("max_bytes", "min_free_bytes", "disk_full")


class Retention:
    """Keeps one spool within its bounds; from any thread."""

    def __init__(
        self,
        filesystem: Filesystem,
        root: Path,
        *,
        index: SegmentIndex,
        cursors: Cursors,
        ledger: Ledger,
        settings: SpoolSettings,
        sinks: tuple[str, ...],
        parked: ParkedLines,
    ) -> None:
        """Keep within ``settings``; ``parked`` says which parked lines are in the quarantine already."""
        self._filesystem = filesystem
        self._root = root
        self._index = index
        self._cursors = cursors
        self._ledger = ledger
        self._settings = settings
        self._sinks = sinks
        self._parked = parked
        self._announced: set[int] = set()  # in the ledger already, should the disk refuse to delete them
        self._lock = Lock()

    def make_room(self, needed: int, *, pressed: bool = False) -> None:
        """Return when ``needed`` bytes may be written; `SpoolFull` when the policy or what is left forbids it.

        ``pressed`` says that the disk itself refused before: then something must go even if the figures look fine
        (a quota does not show in them).
        """
        rule = "disk_full" if pressed else self._broken_rule(needed)
        if rule is None:
            return
        with self._lock:
            while rule:
                if not self._delete_one(rule):
                    if rule == "disk_full":  # nothing can go; perhaps somebody else has made room
                        rule = self._broken_rule(needed)
                        if rule is None:
                            return
                    raise SpoolFull(f"no room for {format_size(needed)}: {self._say(rule)}")
                rule = self._broken_rule(needed)

    def enforce(self, now: int | None) -> None:
        """Delete what the bounds no longer allow.

        ``now`` is nanoseconds UTC, or ``None`` while the wall clock cannot be trusted: then nothing goes by age.
        """
        with self._lock:
            with suppress(OSError):
                self._ledger.flush()
                self._parked.pass_over_given_up()
            if now is not None:
                for segment in self._outdated(now - int(self._settings.keep * 1e9)):
                    self._unlink(segment)
            while (rule := self._broken_rule(0)) and self._delete_one(rule):
                pass

    def room(self) -> tuple[int, int]:
        """Return the bytes that some sink still has to get, and those that may be written before a bound is met.

        What every sink has counts as free: it goes first. Raises `OSError`.
        """
        delivered = self._cursors.lowest(self._sinks)
        segments = self._index.all()
        undelivered = sum(segment.size for segment in segments if segment.end > delivered)
        held = sum(segment.size for segment in segments)
        free, settings = self._filesystem.free_bytes(self._root), self._settings
        met = {"max_bytes": settings.max_bytes, "min_free_bytes": settings.min_free_bytes}
        return undelivered, room_left(held, undelivered, free, **met)

    def finish(self) -> None:
        """Finish deletions that the ledger announced and a power cut prevented; called once, at the start."""
        announced = {entry.get("segment"): entry for entry in self._ledger.entries if entry.get("rule") in _RULES}
        gone: list[Segment] = []
        for segment in self._index.all()[:-1]:
            entry = announced.get(segment.name)
            # Not by the name alone: somebody may have emptied the directory by hand since the line was written.
            if entry is not None and entry.get("fingerprint") == segment.fingerprint:
                gone.append(segment)
                self._index.remove(segment.first)  # in any case: what is said to be lost is not sent
        with suppress(OSError):
            if gone:
                self._ledger.flush()
            for segment in gone:
                self._unlink(segment)

    def _broken_rule(self, needed: int) -> str | None:
        if self._index.bytes + needed > self._settings.max_bytes:
            return "max_bytes"
        try:
            free = self._filesystem.free_bytes(self._root)
        except OSError:
            return None
        return "min_free_bytes" if free < self._settings.min_free_bytes + needed else None

    def _delete_one(self, rule: str) -> bool:
        """Delete the oldest segment that may go, and return whether one went."""
        candidates = self._index.all()[:-1]
        if not candidates:
            return False
        oldest = candidates[0]
        delivered = oldest.end <= self._cursors.lowest(self._sinks)
        if delivered and oldest.end <= self._parked.first:
            return self._unlink(oldest)
        # Lines of unknown sensors alone keep no reading waiting.
        if self._settings.on_full == "refuse_new" and not delivered:
            return False
        if not self._say_loss(oldest, rule):
            return False
        gone = self._unlink(oldest)
        if gone:
            self._parked.pass_over_given_up()
        with suppress(OSError):
            self._ledger.flush()
            if gone:
                self._filesystem.sync_directory(self._root)
        return gone

    def _say_loss(self, segment: Segment, rule: str) -> bool:
        """Enter into the ledger what goes with ``segment``, and return whether it may go now.

        If the disk is full to the last block it may: then there will be room for the ledger's line.
        """
        try:
            if segment.first in self._announced:
                self._ledger.flush()
            elif loss := self._loss(segment, rule):
                self._announced.add(segment.first)
                self._parked.give_up(segment.end)
                self._ledger.record(loss)
        except OSError as error:
            return error.errno in (ENOSPC, EDQUOT)
        self._parked.pass_over_given_up()
        return True

    def _unlink(self, segment: Segment) -> bool:
        try:
            self._filesystem.unlink(self._root / segment.name)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        self._index.remove(segment.first)
        return True

    def _outdated(self, before: int) -> list[Segment]:
        """Return the delivered segments with nothing newer than ``before``.

        Where a segment has no UTC time, the next one that has decides.
        """
        delivered = self._cursors.lowest(self._sinks)
        outdated: list[Segment] = []
        undecided: list[Segment] = []
        for segment in self._index.all()[:-1]:
            if segment.end > min(delivered, self._parked.first):
                break
            undecided.append(segment)
            if segment.t_max is not None:
                if segment.t_max < before:
                    outdated += undecided
                undecided = []
        return outdated

    def _loss(self, segment: Segment, rule: str) -> Loss | None:
        """Return exactly what is lost with ``segment``: those of its readings that some sink lacks."""
        delivered = self._cursors.lowest(self._sinks)
        sensors: set[str] = set()
        path = self._root / segment.name
        following = self._index.after(segment.first)
        ceiling = following.first if following else None
        first, count = max(segment.first, delivered), 0
        lost = Segment(segment.first, segment.first, 0, 0)
        with suppress(OSError):
            for found in walk(self._filesystem, path, segment.size, ceiling=ceiling, bodies=False, parked=True):
                if isinstance(found, Found) and self._lacking(found.header):
                    since = found.header.first if found.header.parked else max(found.header.first, delivered)
                    if not count:
                        first = since
                    count += found.header.end - since
                    sensors |= self._sensors(path, found, since)
                    lost = lost.grown(found.header, 0)
        if not count:
            return None
        sinks = tuple(sink for sink in self._sinks if self._cursors.next(sink) < segment.end)
        why = self._say(rule)
        times = lost.t_min, lost.t_max
        return Loss(rule, why, first, lost.end - 1, count, *times, segment.name, sinks, sensors, segment.fingerprint)

    def _lacking(self, header: Header) -> bool:
        """Tell whether a member, or some of it, is nowhere else yet."""
        if header.parked:
            return header.first >= self._parked.first
        return not self._sinks or any(self._cursors.lacks(sink, header) for sink in self._sinks)

    def _sensors(self, path: Path, found: Found, since: int) -> set[str]:
        """Return whose lines a member holds from number ``since`` on."""
        header = found.header
        with suppress(OSError, MemberDamaged):
            text = decode_member(self._filesystem.read(path, found.offset, header.length))
            if header.parked:
                lines = [parked.line for parked in unpark(text, header.boot)]
            else:
                lines = line_protocol.split(text)
            return line_protocol.sensors_in(b"\n".join(lines[since - header.first :]))
        return set()

    def _say(self, rule: str) -> str:
        if rule == "max_bytes":
            return f"the spool may hold {format_size(self._settings.max_bytes)}"
        if rule == "min_free_bytes" and self._settings.min_free_bytes:
            return f"{format_size(self._settings.min_free_bytes)} of the disk must stay free"
        return "the disk is full"
