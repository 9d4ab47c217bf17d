"""Boot offsets: what turns the times since a boot into UTC, and restamping by it."""

import asyncio

from gateway import line_protocol
from gateway.clock import BootOffset, Stored, Timekeeper
from gateway.contract import Quality
from gateway.spool import SpoolReader


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

    ``estimated`` marks each reading with `Quality.ESTIMATED_TIME`, where quality is the last field, as it is in those
    of the gateway. A line without a time stays as it is.
    """
    lines = []
    for line in line_protocol.split(text):
        time = line_protocol.time_of(line)
        if time is None:
            lines.append(line + b"\n")
        else:
            head = line[: line.rindex(b" ")]
            lines.append(b"%s %d\n" % (_marked(head) if estimated else head, time + offset))
    return b"".join(lines)


def _marked(head: bytes) -> bytes:
    last = line_protocol.split_quality(head)
    if last is None:
        return head
    others, quality = last
    return b"%s%di" % (others, quality | int(Quality.ESTIMATED_TIME))
