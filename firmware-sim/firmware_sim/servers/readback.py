"""Reading everything back out of a database, to hold it against the ledger.

==================  =================================================================================================
InfluxDB 1.x        exact: nanoseconds, all tags, types from ``SHOW FIELD KEYS`` (its JSON writes 1.0 as ``1``).
                    Writing a point again leaves no trace.
VictoriaMetrics     numbers only, as 64-bit floats: true is 1, false 0, the string ``"12"`` is 12 and any other 0; big
                    integers are rounded. Milliseconds, cut off, not rounded. A field is a metric of its own, named
                    ``measurement_field``. Duplicates are kept, and returned as often as they were stored. Which
                    fields were one point is lost where two points of a series are of one millisecond.
`InfluxEndpoint`    exact; its ``write_counts`` tell duplicates.
==================  =================================================================================================
"""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import aiohttp

from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.servers import Database, Influxd, VictoriaMetrics
from firmware_sim.truth.points import StoredPoint, Value

KINDS = ("air_quality", "gateway", "parking", "position", "traffic")
"""What a metric's name begins with."""

_CHUNK = 10_000
_EVERYTHING = {"match[]": '{__name__!=""}', "start": "-9000000000", "end": "4294967295"}
"""All times: a number above is taken for milliseconds by newer versions."""
_CONVERT: Mapping[str, type[Value]] = {"float": float, "integer": int, "boolean": bool, "string": str}


class ReadBackError(Exception):
    """The database answered something that cannot be read exactly."""


async def read_points(database: Database) -> list[StoredPoint]:
    """Return every stored point; ``ReadBackError`` or ``aiohttp.ClientError`` when that is not possible."""
    match database:
        case InfluxEndpoint():
            return database.points()
        case Influxd():
            return await read_influxdb(database.url, database.database)
        case VictoriaMetrics():
            return await read_victoria_metrics(database.url)


async def read_readings(database: Database) -> list[StoredPoint]:
    """Return every stored reading, whichever database it is; see `gather` for VictoriaMetrics."""
    points = await read_points(database)
    return gather(points) if isinstance(database, VictoriaMetrics) else points


def gather(metrics: Iterable[StoredPoint]) -> list[StoredPoint]:
    """Put samples with the same tags and time together; what was stored twice gives two readings.

    ``metrics`` are named ``measurement_field`` and have the one field ``value``: see `read_victoria_metrics`.
    """
    copies: Counter[tuple[str, str, int]] = Counter()
    readings: dict[tuple[str, str, int, int], StoredPoint] = {}
    fields: defaultdict[tuple[str, str, int, int], dict[str, Value]] = defaultdict(dict)
    for metric in metrics:
        kind = next((kind for kind in KINDS if metric.measurement.startswith(f"{kind}_")), None)
        if kind is None:
            continue
        tags = repr(sorted(metric.tags.items()))
        name = metric.measurement.removeprefix(f"{kind}_")
        sample = (metric.measurement, tags, metric.time)
        place = (kind, tags, metric.time, copies[sample])
        copies[sample] += 1
        fields[place][name] = metric.fields["value"]
        readings[place] = StoredPoint(kind, metric.tags, fields[place], metric.time)
    return list(readings.values())


async def read_influxdb(url: str, database: str) -> list[StoredPoint]:
    """Return every point of an InfluxDB 1.x database, in order of time within a series."""
    points: list[StoredPoint] = []
    async with aiohttp.ClientSession(url) as client:
        for columns in await _select(client, database, "SHOW FIELD KEYS"):
            types: dict[str, type[Value]] = {}
            for name, kind in columns["values"]:
                if types.setdefault(name, _CONVERT[kind]) is not _CONVERT[kind]:
                    raise ReadBackError(f"{columns['name']}.{name} has several types, in shards of different age")
            query = f"SELECT *::field FROM {_quoted(columns['name'])} GROUP BY *"  # noqa: S608 - InfluxQL, quoted
            for series in await _select(client, database, query):
                points += _series(series, types)
    return points


async def read_victoria_metrics(url: str) -> list[StoredPoint]:
    """Return every sample that VictoriaMetrics holds, as points with the one field ``value``.

    ``measurement`` is the metric's name. Samples of a metric are in order of time.
    """
    points: list[StoredPoint] = []
    async with aiohttp.ClientSession(url) as client:
        async with client.get("/internal/force_flush") as answer:
            answer.raise_for_status()
        async with client.get("/api/v1/export", params=_EVERYTHING) as answer:
            answer.raise_for_status()
            async for line in _long_lines(answer):
                series = json.loads(line)
                tags = dict(series["metric"])
                name = tags.pop("__name__")
                points += [
                    StoredPoint(name, tags, {"value": float(value)}, time * 1_000_000)
                    for value, time in zip(series["values"], series["timestamps"], strict=True)
                ]
    return points


def as_victoria_metrics(points: Sequence[StoredPoint]) -> list[StoredPoint]:
    """Return what VictoriaMetrics makes of points, to compare with `read_victoria_metrics`; strings count as 0."""
    return [
        StoredPoint(
            f"{point.measurement}_{name}",
            point.tags,
            {"value": 0.0 if isinstance(value, str) else float(value)},
            point.time // 1_000_000 * 1_000_000,
        )
        for point in points
        for name, value in point.fields.items()
    ]


async def _select(client: aiohttp.ClientSession, database: str, query: str) -> list[dict[str, Any]]:
    """Run one InfluxQL statement and return its series; one that came in chunks is in several pieces."""
    form = {"q": query, "db": database, "epoch": "ns", "chunked": "true", "chunk_size": str(_CHUNK)}
    found: list[dict[str, Any]] = []
    async with client.post("/query", data=form) as answer:
        async for line in _long_lines(answer):
            document = json.loads(line)
            for result in document.get("results", [document]):
                if "error" in result:
                    raise ReadBackError(f"{query}: {result['error']}")
                found += result.get("series", [])
    return found


def _series(series: Mapping[str, Any], types: Mapping[str, type[Value]]) -> list[StoredPoint]:
    # GROUP BY * names every tag of the measurement; one that this series does not have is empty.
    tags = {key: value for key, value in series.get("tags", {}).items() if value}
    names = series["columns"][1:]
    points = []
    for time, *values in series["values"]:
        fields = {name: types[name](value) for name, value in zip(names, values, strict=True) if value is not None}
        points.append(StoredPoint(series["name"], tags, fields, time))
    return points


async def _long_lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of a body, however long they are; aiohttp's own line reader refuses beyond 64 KiB."""
    held = b""
    async for chunk in answer.content.iter_any():
        *complete, held = (held + chunk).split(b"\n")
        for line in complete:
            if line.strip():
                yield line
    if held.strip():
        yield held


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
