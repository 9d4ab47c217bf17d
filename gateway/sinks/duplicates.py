"""Idempotent writes to a database that keeps duplicates: a sink around a sink asks before it sends again.

InfluxDB overwrites: a point is its measurement, tags and time, and sending it again changes nothing. VictoriaMetrics
keeps both. So where it is not known whether a batch arrived (the answer was lost, or the daemon was killed before it
could note it down), VictoriaMetrics is asked first which of the readings it has, and only the others are sent.

It stores each field as a metric of its own, ``measurement_field``, with times in milliseconds, cut off. One field
speaks for the whole reading: ``quality``, which every reading of ours has; for a line that some hand has written
without, its first field. Where a name for the database was sent (InfluxDB's v1 API), it is kept as the tag ``db``.

Only VictoriaMetrics is asked, through ``/api/v1/export``; whatever answers otherwise overwrites, as InfluxDB does.

=========================================  ===========================================================================
the url of the sink                        where the export is
=========================================  ===========================================================================
``http://vm:8428``, with a path or not     ``http://vm:8428/api/v1/export``
``http://vm:8428/influx``                  the same: that path is for writing only
``http://proxy/insert/0/influx``           ``http://proxy/select/0/prometheus/api/v1/export``: a cluster behind one
                                           address (vmauth). Where vmselect has an address of its own, it is not asked
=========================================  ===========================================================================

Source: VictoriaMetrics' documentation, "How to export data in JSON line format" and "URL format" (cluster).
"""

import gzip
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

import aiohttp
import orjson
import structlog

from gateway import line_protocol
from gateway.clock import Clock
from gateway.errors import SinkAway

Parameters = list[tuple[str, str]]

MOST_QUESTIONS = 20
"""Each covers a stretch of time; more stretches than this are joined where the gaps between them are smallest."""

SETTLE = 1.0
"""Seconds for a server that was stuck to deal with what was sent before; it may answer us before it has."""
UNFLUSHED = 3.0
"""The same where it cannot be told to make new samples searchable, as it does by itself every second or two."""

_CLUSTER = re.compile(r"/insert/([^/]+)/influx\Z")
_NO_SUCH_PAGE = {400, 404, 405}
_REFUSED = {401, 403}

_MILLISECOND = 1_000_000
_GAP = 60_000  # milliseconds between two readings that are asked for together
_LONGEST_NAMES = 1500  # bytes of sensor names in one question: proxies refuse long addresses
_DATABASE = "db"


class Database(Protocol):
    """The sink that a guard wraps: it writes, and lets its server be asked."""

    @property
    def url(self) -> str:
        """The address that it writes to."""

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        """Store a gzip body of line protocol."""

    def get(self, url: str, parameters: Parameters) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Ask the same server for a page."""

    async def close(self) -> None:
        """Give the connection back."""


class DuplicateGuard:
    """A sink around a sink: of a body in doubt it sends only what the database lacks, where that keeps duplicates.

    Whether it keeps them is found out at the first body in doubt: a server that answers no export overwrites, and is
    not asked again.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._overwrites = False
        self._warned = False

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        """Store a gzip body of line protocol; what an earlier attempt has stored of a body in doubt stays out."""
        if in_doubt:
            body = await self.missing(body)
        if body:
            await self._database.send(body)

    @property
    def overwrites(self) -> bool:
        """Whether the database was found to overwrite; not known before the first body in doubt."""
        return self._overwrites

    async def close(self) -> None:
        """Close the connections of the sink within."""
        await self._database.close()

    async def missing(self, body: bytes) -> bytes:
        """Return what of a body has to be sent: all of it where the database overwrites; b"" for nothing of it."""
        if self._overwrites:
            return body
        url = self._database.url
        try:
            answer = await ask(self._database, line_protocol.split(gzip.decompress(body)), self._clock)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise SinkAway(f"{url}: asked which readings it has: {error!r}", in_doubt=True) from error
        match answer:
            case Busy(status):
                raise SinkAway(f"{url}: {status}, asked which readings it has", in_doubt=True)
            case "overwrites":
                self._overwrites = True
                return body
            case "not told":
                self._warn(url)
                return body
        return gzip.compress(only_lines(answer), 1) if answer else b""

    def _warn(self, url: str) -> None:
        if not self._warned:
            self._warned = True
            structlog.get_logger().warning(
                "the database does not let us ask what it has: if it keeps duplicates, it may get some", url=url
            )


class Key(NamedTuple):
    """What a reading is known by: the metric that speaks for it, sorted tags, and milliseconds UTC."""

    metric: str
    tags: tuple[tuple[str, str], ...]
    time: int


def key_of(line: bytes) -> Key | None:
    """Return the key of a line; None for what is no line with a time, as a person may have requeued it."""
    parts = line_protocol.split_line(line)
    series = None if parts is None else line_protocol.parse_series(parts.series)
    if parts is None or series is None:
        return None
    witness = "quality" if line_protocol.split_quality(parts.fields) else line_protocol.first_key(parts.fields)
    return Key(f"{series.measurement}_{witness}", tuple(sorted(series.tags.items())), parts.time // _MILLISECOND)


class Comparison:
    """Lines against what VictoriaMetrics exports about them; remembers no more than the lines ask for."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines
        self._keys = [key_of(line) for line in lines]
        self._wanted = {key for key in self._keys if key is not None}
        self._databases = any(key == _DATABASE for one in self._wanted for key, _ in one.tags)
        self._stored: Counter[Key] = Counter()

    def questions(self) -> list[Parameters]:
        """Return the parameters of the exports that cover the lines.

        One for each stretch of time: a single late reading must not bring a week of samples along.
        """
        if not self._wanted:
            return []
        return [_question(keys) for keys in _stretches(sorted(self._wanted, key=lambda key: key.time))]

    def add(self, exported: bytes) -> None:
        """Take one line of an export, a series with some of its samples. Raises ``ValueError`` for anything else."""
        try:
            document: Mapping[str, Any] = orjson.loads(exported)
            labels = dict(document["metric"])
            name = labels.pop("__name__")
            times = document["timestamps"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"no line of an export: {error}") from error
        if not self._databases:
            labels.pop(_DATABASE, None)
        tags = tuple(sorted(labels.items()))
        keys = (Key(name, tags, int(time)) for time in times)
        self._stored.update(key for key in keys if key in self._wanted)

    def missing(self) -> list[bytes]:
        """Return the lines that are not stored, in their order; several in one millisecond are told by counting."""
        stored = Counter(self._stored)
        missing = []
        for line, key in zip(self._lines, self._keys, strict=True):
            if key is not None and stored[key]:
                stored[key] -= 1
            else:
                missing.append(line)
        return missing


def _stretches(keys: Sequence[Key]) -> list[Sequence[Key]]:
    """Cut keys in order of time where the largest gaps are."""
    gaps = [(after.time - before.time, place) for place, (before, after) in enumerate(pairwise(keys), 1)]
    cuts = sorted(place for gap, place in sorted(gaps, reverse=True)[: MOST_QUESTIONS - 1] if gap > _GAP)
    return [keys[start:end] for start, end in zip([0, *cuts], [*cuts, len(keys)], strict=True)]


def _question(keys: Sequence[Key]) -> Parameters:
    tags = [dict(key.tags) for key in keys]
    only = ""
    sensors = sorted({one.get("sensor", "") for one in tags})
    if sum(map(len, sensors)) < _LONGEST_NAMES:
        only = f",sensor=~{_quoted('|'.join(map(re.escape, sensors)))}"
    wanted = sorted({(key.metric, one.get("gateway", "")) for key, one in zip(keys, tags, strict=True)})
    matches = [
        ("match[]", f"{{__name__={_quoted(metric)},gateway={_quoted(gateway)}{only}}}") for metric, gateway in wanted
    ]
    # Seconds with a fraction; a millisecond of room on both sides for its rounding.
    span = [("start", f"{(keys[0].time - 1) / 1000:.3f}"), ("end", f"{(keys[-1].time + 1) / 1000:.3f}")]
    return [*matches, *span, ("max_rows_per_line", "10000")]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def only_lines(lines: Iterable[bytes]) -> bytes:
    """Return lines as one body, each with its end."""
    return b"".join([line + b"\n" for line in lines])


class Busy(NamedTuple):
    """The server cannot answer now; its status."""

    status: int


Answer = list[bytes] | Busy | Literal["overwrites", "not told"]
"""The lines it lacks; or that it cannot say now, that it overwrites, or that it does not let us ask."""


async def ask(database: Database, lines: Sequence[bytes], clock: Clock) -> Answer:
    """Return what a database lacks of ``lines``; raises ``aiohttp.ClientError`` and ``TimeoutError``."""
    base, cluster = _where(database.url.rstrip("/"))
    if cluster:
        await clock.sleep(UNFLUSHED)
    elif await _flush(database, base):
        await clock.sleep(SETTLE)
        await _flush(database, base)
    comparison = Comparison(lines)
    for question in comparison.questions():
        async with database.get(f"{base}/api/v1/export", question) as answer:
            kind = answer.headers.get("Content-Type", "")
            if answer.status == 200 and kind.startswith("application/stream+json"):
                async for line in _long_lines(answer):
                    comparison.add(line)
            elif answer.status in _REFUSED or 300 <= answer.status < 400:
                return "not told"
            elif answer.status < 300 or answer.status in _NO_SUCH_PAGE:
                # VictoriaMetrics gives its name with every answer; then it is the address that we do not know.
                return "not told" if cluster or "X-Server-Hostname" in answer.headers else "overwrites"
            else:
                return Busy(answer.status)
    return comparison.missing()


def _where(url: str) -> tuple[str, bool]:
    """Return the address below which the export is, and whether it is a cluster's."""
    if found := _CLUSTER.search(url):
        return f"{url[: found.start()]}/select/{found[1]}/prometheus", True
    return url.removesuffix("/influx"), False


async def _flush(database: Database, base: str) -> bool:
    """Make samples searchable that have just come; return whether the server did so."""
    async with database.get(f"{base}/internal/force_flush", []) as answer:
        return answer.status == 200


async def _long_lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of a body, however long; aiohttp's own reader refuses beyond 64 KiB."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            if line:
                yield line
    if rest:
        yield rest
