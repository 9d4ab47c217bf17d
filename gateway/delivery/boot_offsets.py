"""Boot offsets: what turns the times since a boot into UTC, and restamping by it."""

import asyncio

from gateway.clock import BootOffset, Stored, Timekeeper
from gateway.contract import Quality
from gateway.spool import SpoolReader

_MARK = b"quality="


class Offsets:
    """The offsets of the boots in one spool."""

    def __init__(self, timekeeper: Timekeeper, reader: SpoolReader) -> None:
        self._timekeeper = timekeeper
        self._reader = reader
        self._stored: dict[bytes, Stored] = {}

    async def of(self, boot: bytes) -> BootOffset | None:
        """Return a boot's offset, fixed on disk; None while its readings are clock-deferred."""
        known = self._timekeeper.offset_of(boot)
        if known is not None or boot == self._timekeeper.clock.boot_id:
            return known
        if boot not in self._stored:
            # An earlier boot, and nothing of it changes any more: looked through once.
            self._stored[boot] = await asyncio.to_thread(self._look_through, boot)
        return self._timekeeper.settle(boot, self._stored[boot])

    def _look_through(self, boot: bytes) -> Stored:
        first, last, before = None, 0, 0
        for header in self._reader.headers():
            if header.boot == boot:
                first = header.t_min if first is None else min(first, header.t_min)
                last = max(last, header.t_max)
            elif first is None:
                before = max(before, self._newest(header.boot, header.t_max))
        return Stored(first or 0, last, before)

    def _newest(self, boot: bytes | None, time: int) -> int:
        if boot is None:
            return time
        known = self._timekeeper.offset_of(boot)
        return 0 if known is None else time + known.offset


def restamp(text: bytes, offset: int, *, estimated: bool) -> bytes:
    """Return line protocol with ``offset`` nanoseconds added to every time; comment lines are left out.

    ``estimated`` marks each reading with `Quality.ESTIMATED_TIME`.
    """
    lines = []
    for line in text.splitlines():
        if not line or line.startswith(b"#"):
            continue
        head, _, time = line.rpartition(b" ")
        if estimated:
            head = _marked(head)
        lines.append(b"%s %d\n" % (head, int(time) + offset))
    return b"".join(lines)


def _marked(head: bytes) -> bytes:
    before, mark, value = head.rpartition(_MARK)
    # The gateway writes quality as the last field, an integer.
    return b"%s%s%di" % (before, mark, int(value.rstrip(b"i")) | Quality.ESTIMATED_TIME) if mark else head
