"""Delivery of one batch to one sink, until each of its readings is stored there or lies in the quarantine.

What a sink can answer decides what happens next:

===================  =================================================================================================
taken                on to the next
`SinkAway`           the same again, after the server's own Retry-After or a doubling wait with jitter
`SinkSlow`           the same; what is large goes in halves, and requests stay smaller until they succeed again
`SinkBlocked`        the same again, seldom: a person must change a setting first
`BatchTooLarge`      in halves
`BatchRefused`       without the lines that the server named; where it named none, in halves, down to the single lines
                     that it refuses: dead letters, for the quarantine
===================  =================================================================================================

An answer that repeats for one batch while the server stores other readings counts as `BatchRefused`, whatever it
says: see `gateway.delivery.suspicion`. So no answer blocks a sink for ever.

A batch that goes in pieces may be stopped between any two of them. The sink's record keeps how far it is settled and
how large the quarantine was before it, so that nothing of it is sent again without need, and no line gets into the
quarantine twice. A quarantine that takes nothing more blocks the sink, which says so, until a person makes room.
"""

import asyncio
import gzip
import re
import zlib
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from gateway import line_protocol
from gateway.back_off import BackOff
from gateway.delivery.settings import Limits
from gateway.delivery.suspicion import Suspicion
from gateway.errors import (
    BatchRefused,
    BatchTooLarge,
    SinkAway,
    SinkBlocked,
    SinkError,
    SinkSlow,
    SpoolError,
)
from gateway.health import SinkHealth
from gateway.spool import InFlight

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
BLOCKED_WAIT = 30.0
SLICE = 60.0
"""Seconds after which a long wait counts as a step: a wait on purpose is a sign of life."""
ROUNDS = 8
"""Times that a server may name lines of one piece before the piece goes in halves."""
SMALL = 100
"""A request with so few lines is not slow for its size."""


_LETTERS = re.compile(r"[^0-9A-Za-z]+")
_COMPARED = 24  # letters and digits


class Sink(Protocol):
    """A connection to a database."""

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        """Store a gzip body of line protocol; raises a `gateway.errors.SinkError` where that failed.

        ``in_doubt`` tells that an earlier attempt may have stored some of it: nothing may be there twice.
        """

    @property
    def overwrites(self) -> bool:
        """Whether it is known that a reading written again changes nothing there."""

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
        self._limit = limits.max_lines
        self._most = limits.max_lines
        self._rate = limits.max_rate
        self._free_at = 0.0

    @property
    def most(self) -> int:
        """The lines of one request: with a rate no more than a second's worth, so that it is even."""
        return self._most if self._rate is None else min(self._most, self._rate)

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may go."""
        return max(0.0, self._free_at - now)

    def grow(self, count: int, now: float) -> None:
        """Note a request that succeeded; the next may be a little larger."""
        self._most = min(self._limit, self._most + max(1, self._limit // 20))
        if self._rate is not None:
            self._free_at = max(now, self._free_at) + count / self._rate

    def shrink(self, count: int) -> None:
        """Note a request that took too long."""
        self._most = min(self._most, max(SMALL, count // 2))


class Record(Protocol):
    """Where a courier notes down what became of a batch: `gateway.spool.Consumer`, and what stands in for it."""

    name: str
    """The sink's."""

    def settle(self, batch: InFlight, to: int) -> None:
        """Note that the readings of a batch below ``to`` are stored or quarantined."""

    def quarantine(self, batch: InFlight, line: bytes, reason: str) -> None:
        """Put a line of a batch into the quarantine, once. Raises `SpoolError`."""


class Courier:
    """Delivers batches to one sink, one after the other, with retries and back-off."""

    def __init__(self, record: Record, sink: Sink, limits: Limits, health: SinkHealth) -> None:
        self.steps = 0
        """Rises with everything that is tried and with every wait: what is alive, steps."""
        self._record = record
        self._sink = sink
        self._join = limits.join
        self._health = health
        self._pace = Pace(limits)
        self._clock = health.link.clock
        self._back_off = BackOff(FIRST_WAIT, LONGEST_WAIT)
        self._suspicion = Suspicion(partial(sink.send, in_doubt=True), lambda: sink.overwrites)
        self._refused = 0
        self._log = structlog.get_logger().bind(sink=record.name)

    async def deliver(self, batch: InFlight, parcels: Sequence[Parcel]) -> None:
        """Deliver a batch, from where an earlier attempt has settled it."""
        self._refused = 0
        self._suspicion.start_batch()
        count = sum(parcel.end - parcel.first for parcel in parcels)
        if batch.settled_to == batch.first and count <= self._pace.most:
            body = await asyncio.to_thread(self._body, parcels)
            try:
                await self._send(batch, body, count, batch.first, batch.end)
            except (BatchTooLarge, BatchRefused) as error:
                lines = await asyncio.to_thread(_lines, parcels, batch.settled_to)
                if isinstance(error, BatchRefused) and error.lines:
                    # Sent again as lines alone: a comment in a member may count as a line, or may not.
                    await self._deliver_piece(batch, lines)
                else:
                    await self._divide(batch, lines, str(error))
        else:
            lines = await asyncio.to_thread(_lines, parcels, batch.settled_to)
            while lines:
                piece = lines[: self._pace.most]
                await self._deliver_piece(batch, piece)
                del lines[: len(piece)]
        if self._refused > 1:
            self._log.error("lines quarantined", lines=self._refused)

    async def sleep_with_progress(self, seconds: float) -> None:
        """Sleep, with a step now and then: a wait on purpose is a sign of life."""
        while seconds > 0:
            self.steps += 1
            await self._clock.sleep(min(seconds, SLICE))
            seconds -= SLICE

    def _body(self, parcels: Sequence[Parcel]) -> bytes:
        if len(parcels) == 1:
            return parcels[0].raw
        return _joined(parcels) if self._join else b"".join(parcel.raw for parcel in parcels)

    async def _deliver_piece(self, batch: InFlight, lines: list[_Line]) -> None:
        """Deliver lines that follow each other; those that the server names as refused go into the quarantine."""
        rest, refused, end = lines, dict[int, str](), lines[-1].number + 1
        for _ in range(ROUNDS):
            body = await asyncio.to_thread(_packed, rest)
            try:
                await self._send(batch, body, len(rest), rest[0].number, rest[-1].number + 1)
            except (BatchTooLarge, BatchRefused) as error:
                named = _named(rest, error)
                if not named:
                    await self._divide(batch, lines, str(error))
                    return
                refused |= named
                rest = [line for line in rest if line.number not in named]
                if rest:
                    continue
            for line in lines:
                if line.number in refused:
                    await self._quarantine(batch, line, refused[line.number])
            await asyncio.to_thread(self._record.settle, batch, end)
            return
        await self._divide(batch, lines, "it refuses more lines each time")

    async def _divide(self, batch: InFlight, lines: list[_Line], reason: str) -> None:
        if len(lines) == 1:
            await self._quarantine(batch, lines[0], reason)
            return
        self._suspicion.divide([line.text for line in lines])
        middle = len(lines) // 2
        await self._deliver_piece(batch, lines[:middle])
        await self._deliver_piece(batch, lines[middle:])

    async def _send(self, batch: InFlight, body: bytes, count: int, first: int, end: int) -> None:
        """Send until the sink has taken it; raises what says that it will never take it whole."""
        self._suspicion.clear()
        while True:
            self.steps += 1
            try:
                await self.sleep_with_progress(self._pace.wait(self._clock.monotonic()))
                await self._sink.send(body, in_doubt=first < batch.in_doubt_to)
            except SinkAway as error:
                if error.in_doubt:
                    batch.in_doubt_to = max(batch.in_doubt_to, end)
                await self._wait_after(error)
                if isinstance(error, SinkSlow) and count > SMALL:
                    self._pace.shrink(count)
                    raise BatchTooLarge(str(error)) from error
                await self._suspect(batch, body, count, error)
            except SinkBlocked as error:
                self._mark_down(str(error))
                await self.sleep_with_progress(BLOCKED_WAIT)
                await self._suspect(batch, body, count, error)
            except (BatchTooLarge, BatchRefused):
                self._back_off.reset()
                raise
            else:
                self._back_off.reset()
                self._suspicion.confirmed(body)
                self._pace.grow(count, self._clock.monotonic())
                self._health.took(count)
                self._health.link.went_up()
                return

    async def _suspect(self, batch: InFlight, body: bytes, count: int, error: SinkError) -> None:
        """Raise `BatchRefused` where an answer that repeats is about this body, and not about the server."""
        if not error.answered:
            self._suspicion.clear()
            return
        if await self._suspicion.is_about(body, count):
            self._back_off.reset()
            batch.in_doubt_to = max(batch.in_doubt_to, batch.end)  # another of its lines may have been the witness
            raise BatchRefused(f"{error} (again and again, while the database stores other readings)") from error

    async def _wait_after(self, error: SinkAway) -> None:
        self._mark_down(str(error))
        wait = self._back_off.next()
        # A server that asks for no wait at all would be asked without end.
        await self.sleep_with_progress(wait if error.retry_after is None else max(error.retry_after, FIRST_WAIT))

    async def _quarantine(self, batch: InFlight, line: _Line, reason: str) -> None:
        """Put a refused line into the quarantine; while that takes nothing, the sink is blocked."""
        while True:
            try:
                await asyncio.to_thread(self._record.quarantine, batch, line.text, reason)
            except SpoolError as error:
                self._mark_down(f"blocked: a line that the database refuses cannot be quarantined: {error}")
                await self.sleep_with_progress(BLOCKED_WAIT)
            else:
                break
        await asyncio.to_thread(self._record.settle, batch, line.number + 1)
        self._health.quarantined += 1
        self._health.link.went_up()
        self._refused += 1
        if self._refused == 1:
            shown = line.text.decode(errors="replace")
            self._log.error("line quarantined", reason=reason, line=shown)

    def _mark_down(self, problem: str) -> None:
        link = self._health.link
        if link.up or link.problem != problem:
            self._log.warning("sink down; readings are pending in the spool", problem=problem)
        link.up = False
        link.problem = problem


def _lines(parcels: Sequence[Parcel], since: int) -> list[_Line]:
    """Return the lines with the numbers from ``since`` on."""
    lines = []
    for parcel in parcels:
        texts = line_protocol.split(gzip.decompress(parcel.raw))
        lines += [_Line(number, text) for number, text in enumerate(texts, parcel.first) if number >= since]
    return lines


def _named(lines: Sequence[_Line], error: SinkError) -> dict[int, str]:
    """Return the reasons of the lines that a server named, by their numbers; none where it names others than ours."""
    named = {}
    for one in error.lines if isinstance(error, BatchRefused) else ():
        if not 1 <= one.number <= len(lines) or not _is_shown(lines[one.number - 1].text, one.shown):
            return {}
        named[lines[one.number - 1].number] = one.words
    return named


def _is_shown(line: bytes, shown: str) -> bool:
    """Tell whether a server that shows a line in its own way, and cut, may mean this one."""
    ours, theirs = (_LETTERS.sub("", text) for text in (line.decode(errors="replace"), shown))
    return ours[:_COMPARED].startswith(theirs[:_COMPARED])


def _packed(lines: Sequence[_Line]) -> bytes:
    return gzip.compress(b"".join([line.text + b"\n" for line in lines]), 1)


def _joined(parcels: Sequence[Parcel]) -> bytes:
    """Re-wrap into one gzip member: some decoders stop after the first, answer 204 and lose the rest in silence."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(packer.compress(gzip.decompress(parcel.raw)) for parcel in parcels), packer.flush()])
