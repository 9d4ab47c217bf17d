"""A replay: kept readings of a time range go to one sink once more, by a process that only reads the spool.

It runs beside the daemon, or without one, and moves no cursor. It takes what the sink has confirmed; what it has not
got yet comes from the daemon anyway. All of it was sent before, so all of it is in doubt: a database that overwrites
gets it again, and for one that keeps duplicates the guard around the sink leaves out what is there. So a replay may
be broken off and repeated at will.

Members are sent whole: at both ends of the range a commit's worth more may go.
"""

import asyncio
import gzip
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from gateway.clock import BootOffset, Clock
from gateway.delivery.boot_offsets import restamp
from gateway.delivery.courier import Courier, Parcel, Sink
from gateway.delivery.settings import Limits
from gateway.errors import ReplayStopped, SinkBlocked
from gateway.health import SinkHealth
from gateway.spool import Header, InFlight, Member, SpoolView, decode_member
from gateway.supervise import Liveness


class ReplayProgress(NamedTuple):
    """How far a replay is; ``problem`` says why the sink takes nothing at the moment, "" while it does."""

    sent: int
    total: int
    refused: int
    problem: str


class Replay:
    """One replay of the readings with ``since`` <= time < ``until`` (nanoseconds UTC) to the sink called ``name``.

    ``offset_of`` tells what turns a boot's times into UTC, None while its readings are clock-deferred: these
    were never sent. Raises `SpoolError`.
    """

    def __init__(
        self,
        spool: SpoolView,
        name: str,
        *,
        since: int,
        until: int,
        offset_of: Callable[[bytes], BootOffset | None],
        clock: Clock,
    ) -> None:
        self._spool = spool
        self._name = name
        self._since = since
        self._until = until
        self._offset_of = offset_of
        self._wanted = {header.first: header.count for header in spool.reader().headers() if self._wants(header)}
        self._health = SinkHealth(Liveness(name, clock, problem=""))
        self.total = sum(self._wanted.values())
        """Readings that are to be sent."""
        self.refused: Counter[str] = Counter()
        """Lines that the sink will never take, by its words. They are in its quarantine, or were."""

    def progress(self) -> ReplayProgress:
        """Return how far it is."""
        refused = self.refused.total()
        return ReplayProgress(self._health.readings, self.total, refused, self._health.link.problem)

    async def run(self, sink: Sink, limits: Limits) -> None:
        """Send all of it, with retries while the sink is away.

        Raises `ReplayStopped` where a person has to change a setting first, and `SpoolError`.
        """
        courier = Courier(_Refusals(self._name, self.refused), _Attended(sink), limits, self._health)
        reader = self._spool.reader()
        bounds = {"max_lines": limits.max_lines, "max_bytes": limits.max_bytes}
        firsts, place = sorted(self._wanted), 0
        while place < len(firsts):
            members = await asyncio.to_thread(reader.read, firsts[place], **bounds)
            if not members:  # deleted, or damaged, since the replay was planned
                break
            place = bisect_left(firsts, members[-1].header.end)
            wanted = [member for member in members if member.header.first in self._wanted]
            if wanted:
                parcels = [await asyncio.to_thread(self._parcel, member) for member in wanted]
                first, end = parcels[0].first, parcels[-1].end
                await courier.deliver(InFlight(first, end, in_doubt_to=end), parcels)

    def _wants(self, header: Header) -> bool:
        if self._spool.cursors.lacks(self._name, header):
            return False
        offset = 0
        if header.boot is not None:
            known = self._offset_of(header.boot)
            if known is None:
                return False
            offset = known.offset
        return header.t_max + offset >= self._since and header.t_min + offset < self._until

    def _parcel(self, member: Member) -> Parcel:
        """Return a member with the times that it went out with before."""
        header, raw = member
        if header.boot is not None:
            known = self._offset_of(header.boot)
            assert known is not None
            raw = gzip.compress(restamp(decode_member(raw), known.offset, estimated=known.estimated), 1)
        return Parcel(header.first, header.end, raw)


class _Refusals:
    """Counts what the sink refuses: a process that only reads the spool puts nothing into the quarantine."""

    def __init__(self, name: str, refused: Counter[str]) -> None:
        self.name = name
        self._refused = refused

    def settle(self, batch: InFlight, to: int) -> None:
        batch.settled_to = to

    def quarantine(self, batch: InFlight, line: bytes, reason: str) -> None:
        del batch, line
        self._refused[reason] += 1


class _Attended:
    """A sink with a person beside it: where it is blocked, that person hears it at once."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        try:
            await self._sink.send(body, in_doubt=in_doubt)
        except SinkBlocked as error:
            raise ReplayStopped(str(error)) from error

    @property
    def overwrites(self) -> bool:
        return self._sink.overwrites

    async def close(self) -> None:
        await self._sink.close()
