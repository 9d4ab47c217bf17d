"""An InfluxDB-shaped HTTP endpoint: what a client can meet, on demand and without an InfluxDB 2.

It says that it is a simulator, in the header ``X-Influxdb-Version`` and in ``/health``. It answers:

- ``POST /api/v2/write?org&bucket&precision``  as InfluxDB 2.7: 204; 400 for a malformed line, with nothing stored;
  422 for a type conflict, with the rest stored; 401, 404, 413
- ``POST /api/v3/write_lp?db&precision``  as InfluxDB 3: 204; 400 that names each malformed or conflicting line, with
  the rest stored; with ``influxdb3`` the v2 page answers so too
- ``POST /write?db&precision``  as InfluxDB 1.6.7 was seen to: 204; 400 ``partial write`` with the good lines stored
- ``GET /ping``, ``GET /health``
- ``GET /points``  what is stored, as JSON. There are no queries: ``/query`` answers 501 and says so.

The messages are the servers' own words. Lines are read by a parser stricter than the servers' (see `line_protocol`):
where they would answer 204 and keep something else than was sent, this answers 400. Nothing that it stores is ever
forgotten, nor the requests it saw: it is a tool for tests and demonstrations, and its memory has no bound.
"""

import asyncio
import io
import time
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Literal, Self

import aiohttp
from aiohttp import web

from firmware_sim.servers.influx.dialects import V1, V2, V3, VERSION, Dialect
from firmware_sim.servers.influx.faults import (
    Fault,
    Hang,
    Injected,
    LinePredicate,
    Poison,
    Redirect,
    Refusal,
    Reset,
    Script,
    Slow,
)
from firmware_sim.servers.influx.line_protocol import Line, LineError, lines, parse_line
from firmware_sim.servers.influx.store import Identity, Store
from firmware_sim.servers.process import free_port
from firmware_sim.truth.points import StoredPoint

_PARTIAL = "partial write of line protocol occurred"

Batch = list[tuple[Line, StoredPoint | LineError]]


@dataclass(frozen=True, slots=True)
class Write:
    """One write request as it arrived, whatever became of it."""

    api: Literal["v1", "v2", "v3"]
    bucket: str
    headers: Mapping[str, str]
    gzip_members: int
    """0 for a plain body."""
    lines: tuple[str, ...]
    """Those that are neither blank nor comments, as they arrived."""
    arrived: float
    """When its body was whole (monotonic, seconds)."""


class InfluxEndpoint:
    """The endpoint, on 127.0.0.1; ``async with`` starts and stops it.

    port                     0 takes a free one, kept over `stop` and `start`
    token                    what clients must present (v1: as the password); None lets every client in
    buckets                  those that exist; None: any bucket exists once it is written to
    max_body                 bytes of the body, unpacked, above which the answer is 413
    first_gzip_member_only   reads as some decoders do: 204, and all after the first gzip member lost in silence
    influxdb3                ``/api/v2/write`` answers as InfluxDB 3 does
    forward                  base URL of an InfluxDB 1.x that is given every accepted line first
    """

    name = "simulated InfluxDB"
    description = "a simulated InfluxDB inside this process (stores in memory)"
    api = "v2"
    """The API to point a gateway at, if any will do."""

    def __init__(
        self,
        port: int = 0,
        token: str | None = None,
        *,
        buckets: Sequence[str] | None = None,
        max_body: int = 50_000_000,
        first_gzip_member_only: bool = False,
        influxdb3: bool = False,
        forward: str | None = None,
    ) -> None:
        self.port = port
        self.token = token
        self.max_body = max_body
        self.first_gzip_member_only = first_gzip_member_only
        self.writes: list[Write] = []
        """Every write request that arrived whole and was let in."""
        self._buckets = None if buckets is None else frozenset(buckets)
        self._influxdb3 = influxdb3
        self._forward = forward
        self._stores: dict[str, Store] = {}
        self._script = Script()
        self._runner: web.AppRunner | None = None
        self._client: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def points(self, bucket: str | None = None) -> list[StoredPoint]:
        """Return what is stored, in one bucket or in all."""
        stores = self._stores.values() if bucket is None else [self._stores.get(bucket, Store())]
        return [point for store in stores for point in store.points()]

    @property
    def write_counts(self) -> Counter[Identity]:
        """How many times each point was accepted, over all buckets."""
        return sum((store.write_counts for store in self._stores.values()), Counter[Identity]())

    def fail_with(self, fault: Fault, *, times: int | None = None, lines: LinePredicate | None = None) -> Injected:
        """Show a fault to the next ``times`` writes, or until lifted; with ``lines``, to those with such a line only.

        Faults concern writes; ``/ping`` and ``/health`` stay well. Of several, the first injected that fits is shown.
        """
        return self._script.add(fault, times, lines)

    def recover(self) -> None:
        """Lift all faults."""
        self._script.clear()

    def empty(self) -> None:
        """Become another server, restored from nothing: points, types and write counts are gone."""
        self._stores.clear()

    async def start(self) -> None:
        """Listen; again on the same port, with what was stored, after a `stop`."""
        application = web.Application()
        application.add_routes(
            [
                web.post("/api/v2/write", partial(self._write, V3(as_v2=True) if self._influxdb3 else V2())),
                web.post("/api/v3/write_lp", partial(self._write, V3())),
                web.post("/write", partial(self._write, V1())),
                web.get("/ping", self._ping),
                web.get("/health", self._health),
                web.get("/points", self._points),
                web.route("*", "/query", self._query),
            ]
        )
        self.port = self.port or free_port()
        self._runner = web.AppRunner(  # to aiohttp a shutdown_timeout of 0 is for ever
            application, access_log=None, shutdown_timeout=0.01, handler_cancellation=True, auto_decompress=False
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        if self._forward is not None:
            self._client = aiohttp.ClientSession(self._forward)

    async def stop(self) -> None:
        """Be away: connections are refused; what is stored stays."""
        if self._client is not None:
            await self._client.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._client = self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.stop()

    async def _write(self, dialect: Dialect, request: web.Request) -> web.StreamResponse:
        outcome = await self._handle(dialect, request)
        match outcome:
            case Refusal():
                return dialect.answer(outcome)
            case Reset():
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            case Redirect():
                return web.Response(status=outcome.status, headers={"Location": outcome.location})
        return web.Response(status=204, headers={"X-Influxdb-Version": VERSION})

    async def _handle(self, dialect: Dialect, request: web.Request) -> Refusal | Reset | Redirect | None:
        if self.token is not None and not dialect.admits(request, self.token):
            return Refusal(401)
        bucket = request.query.get(dialect.bucket_key, "")
        if not bucket or (self._buckets is not None and bucket not in self._buckets):
            return dialect.unknown_bucket(bucket)
        unit = dialect.unit(request.query.get("precision"))
        if isinstance(unit, Refusal):
            return unit
        if self._script.next_before_body():
            await request.content.readany()
            return Reset()
        unpacked = await self._body(dialect, request)
        if isinstance(unpacked, Refusal):
            return unpacked
        body, members = unpacked
        now, arrived = time.time_ns(), time.monotonic()
        read = [(line, parse_line(line, now, unit)) for line in lines(body)]
        batch = [(line, outcome) for line, outcome in read if outcome is not None]
        texts = tuple(line.text for line, _ in batch)
        self.writes.append(Write(dialect.name, bucket, dict(request.headers), members, texts, arrived))
        return await self._faulty(dialect, self._script.next(texts), batch, bucket, unit)

    async def _faulty(
        self, dialect: Dialect, fault: Fault | None, batch: Batch, bucket: str, unit: int
    ) -> Refusal | Reset | Redirect | None:
        poisoned: Refusal | None = None
        match fault:
            case Refusal() | Redirect() | Reset(after_storing=False):
                return fault
            case Hang():
                await asyncio.Event().wait()
            case Slow():
                await asyncio.sleep(fault.seconds)
            case Poison(rest_stored=False):
                return Refusal(400, fault.reason)
            case Poison():
                batch, poisoned = _without_poison(dialect, fault, batch)
        refusal = await self._store(dialect, batch, bucket, unit)
        return fault if isinstance(fault, Reset) else refusal or poisoned

    async def _body(self, dialect: Dialect, request: web.Request) -> tuple[bytes, int] | Refusal:
        """Return the body unpacked and the number of its gzip members."""
        body, members = await request.content.read(), 0
        if request.headers.get("Content-Encoding") == "gzip":
            try:
                body, members = gunzip(body, first_member_only=self.first_gzip_member_only)
            except (zlib.error, EOFError):
                return Refusal(400, dialect.bad_gzip)
        return Refusal(413) if len(body) > self.max_body else (body, members)

    async def _store(self, dialect: Dialect, batch: Batch, bucket: str, unit: int) -> Refusal | None:
        if dialect.names_lines:
            return self._store_by_line(batch, bucket)
        errors = [outcome for _, outcome in batch if isinstance(outcome, LineError)]
        points = [outcome for _, outcome in batch if isinstance(outcome, StoredPoint)]
        unread = "\n".join(f"unable to parse '{error.text}': {error.reason}" for error in errors)
        if errors and (dialect.malformed_spoils_all or not points):
            return Refusal(400, unread)
        if self._client is not None and points:
            good = "\n".join(line.text for line, outcome in batch if isinstance(outcome, StoredPoint))
            refused = await _pass_on(self._client, good, bucket, unit)
            if refused:
                return refused
        conflict = self._stores.setdefault(bucket, Store()).write(points, as_v1=isinstance(dialect, V1))
        if conflict is not None:
            return dialect.partial(conflict.message)
        return dialect.partial(f"partial write: {unread} dropped=0") if errors else None

    def _store_by_line(self, batch: Batch, bucket: str) -> Refusal | None:
        """Store what is sound and name the rest, as InfluxDB 3 does."""
        refused = []
        store = self._stores.setdefault(bucket, Store())
        for number, (line, outcome) in enumerate(batch, 1):
            if isinstance(outcome, LineError):
                refused.append((number, line.text, outcome.reason))
            elif conflict := store.write([outcome]):
                refused.append((number, line.text, conflict.message.removeprefix("partial write: ")))
        return Refusal(400, _PARTIAL, lines=tuple(refused)) if refused else None

    async def _ping(self, _request: web.Request) -> web.Response:
        return web.Response(status=204, headers={"X-Influxdb-Version": VERSION, "X-Influxdb-Build": "simulator"})

    async def _health(self, _request: web.Request) -> web.Response:
        health = {"name": "influxdb", "message": "a simulator, ready for writes", "status": "pass", "checks": []}
        return web.json_response(
            {**health, "version": VERSION, "commit": "none"}, headers={"X-Influxdb-Version": VERSION}
        )

    async def _points(self, request: web.Request) -> web.Response:
        return web.json_response([point._asdict() for point in self.points(request.query.get("bucket"))])

    async def _query(self, _request: web.Request) -> web.Response:
        return V1().answer(Refusal(501, "this simulator answers no queries; GET /points shows what it stores"))


def _without_poison(dialect: Dialect, fault: Poison, batch: Batch) -> tuple[Batch, Refusal]:
    """Return what is left of a batch, and what is said of the lines that are not."""
    sound = [(line, outcome) for line, outcome in batch if not fault.line(line.text)]
    if dialect.names_lines:
        texts = enumerate((line.text for line, _ in batch), 1)
        named = tuple((number, text, fault.reason) for number, text in texts if fault.line(text))
        return sound, Refusal(fault.status or 400, _PARTIAL, lines=named)
    said = dialect.partial(f"partial write: {fault.reason} dropped={len(batch) - len(sound)}")
    return sound, Refusal(fault.status or said.status, said.message)


def gunzip(body: bytes, *, first_member_only: bool = False) -> tuple[bytes, int]:
    """Unpack the gzip members of a body and count them; ``EOFError`` or ``zlib.error`` for a torn one or no gzip."""
    parts: list[bytes] = []
    while body or not parts:
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(body))
        if not member.eof:
            raise EOFError("the body ends within a gzip member")
        body = b"" if first_member_only else member.unused_data
    return b"".join(parts), len(parts)


async def _pass_on(client: aiohttp.ClientSession, body: str, database: str, unit: int) -> Refusal | None:
    """Give accepted lines to the real InfluxDB 1.x; what it refuses is not stored here either."""
    letters = {1: "n", 1000: "u", 10**6: "ms", 10**9: "s", 60 * 10**9: "m", 3600 * 10**9: "h"}
    query = {"db": database, "precision": letters[unit]}
    try:
        async with client.post("/write", params=query, data=io.BytesIO(body.encode())) as answer:
            return None if answer.status == 204 else Refusal(answer.status, await answer.text())
    except aiohttp.ClientError as error:
        return Refusal(503, f"the server behind is away: {error}")
