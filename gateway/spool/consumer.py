"""A consumer: what one sink needs of the spool. A reader, the sink's position, and its dead letters.

It is the only writer of the sink's cursor. Before a batch goes out, the cursor says how far it reaches; so after a
kill it is known which readings are in doubt: perhaps sent, answer unknown.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from gateway.errors import SpoolError
from gateway.spool.cursors import Cursor, Cursors, Pieces
from gateway.spool.member import Header, Member
from gateway.spool.quarantine import Quarantine
from gateway.spool.reader import SpoolReader


@dataclass(slots=True)
class InFlight:
    """A batch on its way to a sink: the readings ``first`` to ``end``, one less than that included.

    in_doubt_to       those below were perhaps sent before, and the answer is unknown
    settled_to        those below are stored or quarantined: an earlier attempt came so far
    quarantine_bytes  the size of the sink's quarantine before the first line of this batch; None while there is none
    """

    first: int
    end: int
    in_doubt_to: int = 0
    settled_to: int = 0
    quarantine_bytes: int | None = None
    dead_letters: set[bytes] | None = None
    """Lines of this batch that are in quarantine; None until that was looked up."""

    def __post_init__(self) -> None:
        self.settled_to = max(self.settled_to, self.first)


class Consumer:
    """One sink's way through the spool; one task at a time, whose calls may come from any thread."""

    def __init__(
        self, name: str, cursors: Cursors, reader: SpoolReader, quarantine: Quarantine, end: Callable[[], int]
    ) -> None:
        self.name = name
        self.reader = reader
        self._cursors = cursors
        self._quarantine = quarantine
        self._end = end

    @property
    def cursor(self) -> Cursor:
        """The sink's position."""
        return self._cursors.of(self.name)

    @property
    def problem(self) -> str:
        """A sentence why the position cannot be used and the sink has to wait for a person; "" if it can."""
        return self._cursors.refused.get(self.name, "")

    @property
    def end(self) -> int:
        """The number after the newest reading: everything below is durable."""
        return self._end()

    @property
    def pending(self) -> int:
        """How many readings are committed, and not yet confirmed by the sink."""
        cursor = self.cursor
        return max(0, self.end - cursor.front) + cursor.deferred_count

    def read(self, first: int, end: int, *, max_lines: int, max_bytes: int) -> list[Member]:
        """Return members from reading ``first`` on; see `SpoolReader.read`. Raises `SpoolError`."""
        return self.reader.read(first, until=end, max_lines=max_lines, max_bytes=max_bytes)

    def mark_in_doubt(self, boot: bytes) -> None:
        """Note that a run begins in ``boot``; what a power cut may have left in doubt is so from here on.

        Cursors are not synced each time they move. A process that was killed has left its last one to the next; a
        power cut has not. So after a boot that did not end in good order all that is pending may have been sent.

        All of that is in doubt, and a batch of which a database has nothing does not end the doubt, though batches go
        in order: it proves nothing about those after it. Such a batch may have been clock-deferred while others went
        ahead, or have been refused whole and lie in the quarantine, or have been dropped in silence (times beyond the
        retention), or be what the same power cut took from the database's memory, which it writes out in an order of
        its own.
        """

        def change(cursor: Cursor) -> Cursor:
            if cursor.boot != boot.hex() and not cursor.stopped:
                cursor = cursor.in_doubt_below(self.end)
            return replace(cursor, boot=boot.hex(), stopped=False)

        with suppress(SpoolError):  # a full disk, and this time nothing was lost; or a record that is refused
            self._cursors.update(self.name, change, durable=True)

    def mark_clean_stop(self) -> None:
        """Note that the run ends in good order: what the disk has of the position is all there is to know."""
        with suppress(SpoolError):
            self._cursors.update(self.name, lambda cursor: replace(cursor, stopped=True), durable=True)

    def seek(self, front: int, *, durable: bool = False) -> None:
        """Move the position, forwards or back; what was deferred beyond it is read again. Raises `SpoolError`."""

        def change(cursor: Cursor) -> Cursor:
            deferred = tuple(one for one in cursor.deferred if one.end <= front)
            return replace(cursor, front=front, deferred=deferred)

        self._cursors.update(self.name, change, durable=durable)

    def begin(self, first: int, end: int, boot: bytes | None = None) -> InFlight:
        """Note that the readings ``first`` to ``end`` go out now, at the front or of a deferred boot."""
        cursor = self.cursor
        doubts = {one.boot: one.in_doubt_to for one in cursor.deferred}
        batch = InFlight(first, end, cursor.in_doubt_to if boot is None else doubts.get(boot, 0))
        if cursor.batch is not None and cursor.batch.first == first:
            batch.settled_to, batch.quarantine_bytes = cursor.batch.settled_to, cursor.batch.quarantine_bytes

        def change(cursor: Cursor) -> Cursor:
            if boot is None:
                return replace(cursor, in_doubt_to=max(cursor.in_doubt_to, end))
            return cursor.with_doubt(boot, end)

        self._cursors.update(self.name, change)
        return batch

    def advance(self, to: int, deferred: Sequence[Header] = (), *, in_doubt_to: int = 0) -> None:
        """Move the front on to ``to``: the sink has what lies before, but for what is clock-deferred from now on.

        Of that, members that begin below ``in_doubt_to`` were perhaps sent by an earlier run.
        """

        def change(cursor: Cursor) -> Cursor:
            for header in deferred:
                cursor = cursor.with_deferred(header, in_doubt=header.first < in_doubt_to)
            return cursor.with_front(to)

        self._cursors.update(self.name, change)

    def release(self, boot: bytes, to: int, count: int) -> None:
        """Note that the sink has a deferred boot's members below ``to``, ``count`` readings."""
        self._cursors.update(self.name, lambda cursor: cursor.with_released(boot, to, count))

    def settle(self, batch: InFlight, to: int) -> None:
        """Note that the readings of a batch below ``to`` are stored or quarantined."""
        batch.settled_to = to
        self._note(batch)

    def quarantine(self, batch: InFlight, line: bytes, reason: str) -> None:
        """Put a line of a batch into the quarantine, once. Raises `SpoolError`."""
        if batch.quarantine_bytes is None:
            size = self._quarantine.size(self.name)
            self._note(replace(batch, quarantine_bytes=size), durable=True)
            batch.quarantine_bytes = size
        if batch.dead_letters is None:
            batch.dead_letters = self._quarantine.lines_since(self.name, batch.quarantine_bytes)
        if line not in batch.dead_letters:
            self._quarantine.append(self.name, line, reason)
            batch.dead_letters.add(line)

    def _note(self, batch: InFlight, *, durable: bool = False) -> None:
        pieces = Pieces(batch.first, batch.settled_to, batch.quarantine_bytes)
        self._cursors.update(self.name, lambda cursor: replace(cursor, batch=pieces), durable=durable)
