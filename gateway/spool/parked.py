"""Unknown-sensor lines: parked in the spool with their commit group, then brought into the quarantine, each once.

A message brings readings, or lines of sensors that nobody configured, or both, and is acknowledged once. So all of it
is one group of the spool; what is parked there comes from there to the quarantine, like readings to a sink. The
consumer's cursor is ``quarantine/parked.json``::

    {"version": 1, "next": 4711, "size": 1830, "check": "9f1c22ab"}

All that is parked below ``next`` is in the quarantine. ``check`` is the CRC-32 of the rest as compact JSON with
sorted keys. For each portion:

1. The cursor is written with ``size``, which is what the quarantine's file has before the portion.
2. The portion is written to the end of the file.
3. The cursor is written beyond the portion and without ``size``.

Each step is durable before the next begins. After a kill in between, the next start finds ``size`` and does 2 and 3
again, in place of what 2 left in the file. Until 3 no lines can be taken out of the file, for then ``size`` would
mean nothing. Where a step fails, all three are done again with the portion read anew: what failed may be on the disk
all the same, and after 1 it does not matter; and what was dropped for room meanwhile is in the ledger, and must not
come.

The quarantine's bound is kept before anything is written: a group whose parked lines would not fit is refused, and
the committer writes it without them. What is parked goes in.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem, read_checked, save_checked
from gateway.spool.member import MAX_SEQUENCE, Header, MemberDamaged, decode_member
from gateway.spool.quarantine import Quarantine
from gateway.spool.quarantine_lines import UNKNOWN_SENSORS, QuarantinedLine, unpark
from gateway.spool.segments import Found, SegmentIndex, walk

PORTION_BYTES = 8 * 1024 * 1024
"""Bytes of members that are brought at a time."""


class ParkedCursor(NamedTuple):
    """Up to where parked lines are in the quarantine, and the size of its file while more are being brought."""

    next: int = 0
    size: int | None = None

    @classmethod
    def load(cls, filesystem: Filesystem, directory: Path) -> "ParkedCursor":
        """Return what stands in the quarantine's directory; where it makes no sense, everything is brought again."""
        state: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            state = read_checked(filesystem, directory / "parked.json")
        number, size = state.get("next"), state.get("size")
        if type(number) is not int or not 0 <= number < MAX_SEQUENCE:
            return cls()
        return cls(number, size if type(size) is int and size >= 0 else None)


class _Mark(NamedTuple):
    """In ``segment``, what there is from line ``floor`` on begins at ``offset``."""

    segment: int
    offset: int
    floor: int


class ParkedLines:
    """Brings parked lines of one spool into its quarantine; from any thread.

    ``first`` is the number of the first line that is not there yet; ``MAX_SEQUENCE`` when all are.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        root: Path,
        *,
        index: SegmentIndex,
        quarantine: Quarantine,
        cursor: ParkedCursor,
        first: int | None,
        end: int,
    ) -> None:
        """Go on from ``cursor``; recovery found lines parked from ``first`` on, below ``end``."""
        self._filesystem, self._root, self._index, self._quarantine = filesystem, root, index, quarantine
        self._cursor = cursor
        self.first = MAX_SEQUENCE if first is None else first
        self.portion_bytes = PORTION_BYTES
        self._end = end
        self._bytes = 0
        self._given_up = 0
        self._mark: _Mark | None = None
        self._numbers = Lock()
        self._bringing = Lock()
        self._blocked = False
        if cursor.size is not None:
            quarantine.frozen.add(UNKNOWN_SENSORS)

    def block(self) -> None:
        """Leave everything parked until the next start: the quarantine's file is not in order."""
        self._blocked = True
        self._quarantine.frozen.update(self._quarantine.sinks)

    def admit(self, size: int) -> None:
        """Return if the quarantine has room for ``size`` bytes more; raises `QuarantineFull`."""
        kept = 0
        with suppress(SpoolError):  # a quarantine that cannot be read keeps no readings waiting
            kept = self._quarantine.size(UNKNOWN_SENSORS)
        if kept + self._bytes + size > self._quarantine.max_bytes:
            raise self._quarantine.full(UNKNOWN_SENSORS)

    def add(self, header: Header, size: int) -> None:
        """Take note of a member with parked lines, ``size`` bytes of them, that is durable now."""
        with self._numbers:
            self.first = min(self.first, header.first)
            self._end = max(self._end, header.end)
            self._bytes += size

    def give_up(self, end: int) -> None:
        """Bring nothing that is parked below ``end``: its segment is to go, and the loss ledger to say so."""
        with self._numbers:
            self._given_up = max(self._given_up, end)

    def pass_over_given_up(self) -> None:
        """Go on behind what was given up: the loss ledger has it for certain, or it is gone."""
        with self._numbers:
            if self.first < self._given_up:
                self.first = self._given_up if self._given_up < self._end else MAX_SEQUENCE
            self._given_up = 0

    def bring(self) -> None:
        """Bring everything that is parked into the quarantine. Raises `SpoolError`: then call it again later."""
        with self._bringing, self._quarantine.lock:
            while not self._blocked and (self._cursor.size is not None or self.first < MAX_SEQUENCE):
                self._bring_portion()

    def _bring_portion(self) -> None:
        if self.first < self._given_up:
            raise SpoolError("lines of unknown sensors wait for the loss ledger, which cannot be written")
        end, lines = self._collect()
        before = self._cursor.size
        if before is None:
            self._quarantine.settle()
            before = self._quarantine.size(UNKNOWN_SENSORS)
        self._quarantine.frozen.add(UNKNOWN_SENSORS)
        self._cursor = ParkedCursor(self._cursor.next, before)
        self._save(self._cursor)
        if lines:
            self._quarantine.put(UNKNOWN_SENSORS, self._quarantine.encode(lines), end=before)
        else:
            self._quarantine.cut(UNKNOWN_SENSORS, before)
        self._save(ParkedCursor(end))
        self._cursor = ParkedCursor(end)
        self._quarantine.frozen.discard(UNKNOWN_SENSORS)
        with self._numbers:
            if end >= self._end:
                self.first, self._bytes = MAX_SEQUENCE, 0
            else:
                self.first = max(self.first, end)

    def _collect(self) -> tuple[int, list[QuarantinedLine]]:
        """Return the next lines to bring, and the number after them.

        Damaged members are passed over, and told of by those who read all.
        """
        with self._numbers:
            first, until = self.first, self._end
        end = self._cursor.next
        lines: list[QuarantinedLine] = []
        if first < MAX_SEQUENCE:
            end, size = max(end, until), 0
            try:
                for path, found in self._members(first):
                    if found.header.first >= until:
                        break
                    if size >= self.portion_bytes:
                        end = found.header.first
                        break
                    lines += self._lines(path, found)
                    size += found.header.length
            except OSError as error:
                raise SpoolError(f"cannot read parked lines in {self._root}: {error.strerror}") from error
        return end, lines

    def _members(self, first: int) -> Iterator[tuple[Path, Found]]:
        """Yield the members with parked lines from number ``first`` on, each with its file."""
        segment = self._index.at(first)
        while segment:
            path, following = self._root / segment.name, self._index.after(segment.first)
            mark = self._mark
            if mark is None or mark.segment != segment.first or mark.floor > first:
                mark = _Mark(segment.first, 0, segment.first)
            steps = walk(
                self._filesystem,
                path,
                segment.size,
                offset=mark.offset,
                floor=mark.floor,
                ceiling=following.first if following else None,
                bodies=False,
                parked=True,
            )
            with suppress(FileNotFoundError):  # deleted for room, and the ledger says so
                for found in steps:
                    if isinstance(found, Found):
                        self._mark = _Mark(segment.first, found.offset, found.header.first)
                        if found.header.parked and found.header.first >= first:
                            yield path, found
            segment = following

    def _lines(self, path: Path, found: Found) -> list[QuarantinedLine]:
        try:
            text = decode_member(self._filesystem.read(path, found.offset, found.header.length))
        except (FileNotFoundError, MemberDamaged):
            return []
        return unpark(text, found.header.boot)

    def _save(self, cursor: ParkedCursor) -> None:
        path = self._quarantine.directory / "parked.json"
        save_checked(self._filesystem, path, {"version": 1, **cursor._asdict()}, durable=True)
