"""One batch to one sink, until each of its readings is stored there or lies in the quarantine.

What a sink can answer decides what happens next:

===================  =================================================================================================
taken                on to the next
`SinkAway`           the same again, after the server's own Retry-After or a doubling wait with jitter
`SinkSlow`           the same; what is large goes in halves, and requests stay smaller until they succeed again
`SinkBlocked`           the same again, seldom: a person must change a setting first
`BatchTooLarge`      in halves
`BatchRefused`       in halves, down to the single lines that the server refuses: those go to the quarantine
===================  =================================================================================================

A batch that goes in pieces may be stopped between any two of them. The cursor keeps how far it came (``settled``)
and how large the quarantine was before it (``aside``), each with the number of the batch's first reading: so nothing
of it is sent again without need, and no line gets into the quarantine twice. A quarantine that takes nothing more
holds the sink, which says so, until a person makes room.
"""

import asyncio
import gzip
import random
import time
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from gateway import line_protocol
from gateway.delivery.settings import Limits
from gateway.errors import BatchRefused, BatchTooLarge, SinkAway, SinkBlocked, SinkSlow, SpoolError
from gateway.health import SinkHealth
from gateway.spool import Cursors, Quarantine

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
BLOCKED_WAIT = 30.0
SLICE = 60.0
"""Seconds after which a long wait counts as a step: who waits on purpose is alive."""
SMALL = 100
"""A request with so few lines is not slow for its size."""


class Sink(Protocol):
    """A connection to a database."""

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        """Store a gzip body of line protocol; raises a `gateway.errors.SinkError` where that failed.

        ``in_doubt`` tells that an earlier attempt may have stored some of it: nothing may be there twice.
        """

    async def close(self) -> None:
        """Give the connection back."""


class Parcel(NamedTuple):
    """The readings ``first`` to ``end``, one less than that included: line protocol with times in UTC, as gzip."""

    first: int
    end: int
    raw: bytes


class _Line(NamedTuple):
    number: int
    text: bytes


class Pace:
    """How many lines go into one request, and when the next may go. Times are seconds on the monotonic clock."""

    def __init__(self, limits: Limits) -> None:
        self._limit = self._most = limits.max_lines
        self._rate = limits.max_rate
        self._free_at = 0.0

    @property
    def most(self) -> int:
        """The lines of one request: with a rate no more than a second's worth, so that it is even."""
        return self._most if self._rate is None else min(self._most, self._rate)

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may go."""
        return max(0.0, self._free_at - now)

    def taken(self, count: int, now: float) -> None:
        """Note a request that succeeded; the next may be a little larger."""
        self._most = min(self._limit, self._most + max(1, self._limit // 20))
        if self._rate is not None:
            self._free_at = max(now, self._free_at) + count / self._rate

    def slow(self, count: int) -> None:
        """Note a request that took too long."""
        self._most = min(self._most, max(SMALL, count // 2))


class Courier:
    """Delivers batches to one sink, one after the other."""

    def __init__(
        self,
        name: str,
        sink: Sink,
        limits: Limits,
        *,
        cursors: Cursors,
        quarantine: Quarantine,
        health: SinkHealth,
    ) -> None:
        self.steps = 0
        """Rises with everything that is tried and with every wait: what is alive, steps."""
        self._name, self._sink, self._join = name, sink, limits.join
        self._cursors, self._quarantine, self._health = cursors, quarantine, health
        self._pace = Pace(limits)
        self._wait = FIRST_WAIT
        self._begin = 0
        self._in_doubt_to = 0
        self._aside: set[bytes] | None = None
        self._refused = 0
        self._log = structlog.get_logger().bind(sink=name)

    async def deliver(self, parcels: Sequence[Parcel], *, in_doubt: bool) -> None:
        """Deliver a batch; ``in_doubt`` tells that an earlier run may have sent it, or some of it."""
        self._begin, end = parcels[0].first, parcels[-1].end
        self._in_doubt_to = end if in_doubt else self._begin
        self._aside, self._refused = None, 0
        settled = self._noted("settled") or self._begin
        count = sum(parcel.end - parcel.first for parcel in parcels)
        if settled == self._begin and count <= self._pace.most:
            try:
                await self._send(await asyncio.to_thread(self._body, parcels), count, self._begin, end)
            except (BatchTooLarge, BatchRefused) as error:
                await self._divide(await asyncio.to_thread(_lines, parcels, settled), str(error))
        else:
            lines = await asyncio.to_thread(_lines, parcels, settled)
            while lines:
                piece = lines[: self._pace.most]
                await self._deliver(piece)
                del lines[: len(piece)]
        if self._refused > 1:
            self._log.error("lines refused; they are in the quarantine", lines=self._refused)

    async def rest(self, seconds: float) -> None:
        """Wait, visibly alive."""
        while seconds > 0:
            self.steps += 1
            await asyncio.sleep(min(seconds, SLICE))
            seconds -= SLICE

    def _body(self, parcels: Sequence[Parcel]) -> bytes:
        if len(parcels) == 1:
            return parcels[0].raw
        return _joined(parcels) if self._join else b"".join(parcel.raw for parcel in parcels)

    async def _deliver(self, lines: list[_Line]) -> None:
        body = await asyncio.to_thread(_packed, lines)
        end = lines[-1].number + 1
        try:
            await self._send(body, len(lines), lines[0].number, end)
        except (BatchTooLarge, BatchRefused) as error:
            await self._divide(lines, str(error))
        else:
            await asyncio.to_thread(self._note, settled=end)

    async def _divide(self, lines: list[_Line], reason: str) -> None:
        if len(lines) == 1:
            await self._put_aside(lines[0], reason)
            return
        middle = len(lines) // 2
        await self._deliver(lines[:middle])
        await self._deliver(lines[middle:])

    async def _send(self, body: bytes, count: int, first: int, end: int) -> None:
        """Send until the sink has taken it; raises what says that it will never take it whole."""
        while True:
            self.steps += 1
            try:
                await self.rest(self._pace.wait(time.monotonic()))
                await self._sink.send(body, in_doubt=first < self._in_doubt_to)
            except SinkAway as error:
                if error.in_doubt:
                    self._in_doubt_to = max(self._in_doubt_to, end)
                await self._back_off(error)
                if isinstance(error, SinkSlow) and count > SMALL:
                    self._pace.slow(count)
                    raise BatchTooLarge(str(error)) from error
            except SinkBlocked as error:
                self._down(str(error))
                await self.rest(BLOCKED_WAIT)
            except (BatchTooLarge, BatchRefused):
                self._wait = FIRST_WAIT
                raise
            else:
                self._wait = FIRST_WAIT
                self._pace.taken(count, time.monotonic())
                self._health.took(count)
                self._health.link.went_up()
                return

    async def _back_off(self, error: SinkAway) -> None:
        self._down(str(error))
        wait = self._wait * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        # A server that asks for no wait at all would be asked without end.
        await self.rest(wait if error.retry_after is None else max(error.retry_after, FIRST_WAIT))

    async def _put_aside(self, line: _Line, reason: str) -> None:
        """Put a refused line into the quarantine, once; while that takes nothing, wait and say so."""
        while True:
            try:
                await asyncio.to_thread(self._quarantine_once, line.text, reason)
                await asyncio.to_thread(self._note, settled=line.number + 1)
            except SpoolError as error:
                self._down(f"held: a line that the database refuses cannot be put aside: {error}")
                await self.rest(BLOCKED_WAIT)
            else:
                break
        self._health.quarantined += 1
        self._health.link.went_up()
        self._refused += 1
        if self._refused == 1:
            shown = line.text.decode(errors="replace")
            self._log.error("line refused; it is in the quarantine", reason=reason, line=shown)

    def _quarantine_once(self, line: bytes, reason: str) -> None:
        if self._aside is None:
            before = self._noted("aside")
            if before is None:
                self._note(durable=True, aside=self._quarantine.size(self._name))
                self._aside = set()
            else:
                self._aside = self._quarantine.lines_since(self._name, before)
        if line not in self._aside:
            self._quarantine.append(self._name, line, reason)
            self._aside.add(line)

    def _noted(self, what: str) -> int | None:
        """Return what an earlier run noted down of this very batch."""
        match self._cursors.state(self._name).get(what):
            case [self._begin, int(number)]:
                return number
        return None

    def _note(self, *, durable: bool = False, **facts: int) -> None:
        extra: dict[str, Any] = {what: [self._begin, number] for what, number in facts.items()}
        self._cursors.save(self._name, self._cursors.next(self._name), durable=durable, extra=extra)

    def _down(self, problem: str) -> None:
        link = self._health.link
        if link.up or link.problem != problem:
            self._log.warning("sink does not take readings; they wait in the spool", problem=problem)
        link.up, link.problem = False, problem


def _lines(parcels: Sequence[Parcel], since: int) -> list[_Line]:
    """Return the lines with the numbers from ``since`` on."""
    lines = []
    for parcel in parcels:
        texts = line_protocol.split(gzip.decompress(parcel.raw))
        lines += [_Line(number, text) for number, text in enumerate(texts, parcel.first) if number >= since]
    return lines


def _packed(lines: Sequence[_Line]) -> bytes:
    return gzip.compress(b"".join([line.text + b"\n" for line in lines]), 1)


def _joined(parcels: Sequence[Parcel]) -> bytes:
    """Re-wrap into one gzip member: some decoders stop after the first, answer 204 and lose the rest in silence."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(packer.compress(gzip.decompress(parcel.raw)) for parcel in parcels), packer.flush()])
