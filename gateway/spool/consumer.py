"""A consumer: what one sink needs of the spool, and the only writer of the sink's cursor."""

from dataclasses import dataclass
from typing import Any

from gateway.spool.cursors import Cursors
from gateway.spool.quarantine import Quarantine


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
    """One sink's record of what became of its batches."""

    def __init__(self, name: str, cursors: Cursors, quarantine: Quarantine) -> None:
        self.name = name
        self._cursors, self._quarantine = cursors, quarantine

    def begin(self, first: int, end: int, in_doubt_to: int) -> InFlight:
        """Return a batch with what an earlier attempt noted down of it."""
        return InFlight(first, end, in_doubt_to, self._noted("settled", first) or 0, self._noted("aside", first))

    def settle(self, batch: InFlight, to: int) -> None:
        """Note that the readings of a batch below ``to`` are stored or quarantined."""
        batch.settled_to = to
        self._note(batch, "settled", to)

    def quarantine(self, batch: InFlight, line: bytes, reason: str) -> None:
        """Put a line of a batch into the quarantine, once. Raises `SpoolError`."""
        if batch.quarantine_bytes is None:
            size = self._quarantine.size(self.name)
            self._note(batch, "aside", size, durable=True)
            batch.quarantine_bytes, batch.dead_letters = size, set()
        elif batch.dead_letters is None:
            batch.dead_letters = self._quarantine.lines_since(self.name, batch.quarantine_bytes)
        assert batch.dead_letters is not None
        if line not in batch.dead_letters:
            self._quarantine.append(self.name, line, reason)
            batch.dead_letters.add(line)

    def _noted(self, what: str, first: int) -> int | None:
        match self._cursors.state(self.name).get(what):
            case [number, int(found)] if number == first:
                return found
        return None

    def _note(self, batch: InFlight, what: str, number: int, *, durable: bool = False) -> None:
        extra: dict[str, Any] = {what: [batch.first, number]}
        self._cursors.save(self.name, self._cursors.next(self.name), durable=durable, extra=extra)
