"""Sending again to a database that keeps duplicates.

InfluxDB overwrites: a point is its measurement, tags and time, and sending it again changes nothing. VictoriaMetrics
keeps both. So where it is not known whether a batch arrived (the answer was lost, or the daemon was killed before it
could note it down), VictoriaMetrics is asked first, through ``/api/v1/export``, which of the readings it has; only
the others are sent. It stores each field as a metric of its own with times in milliseconds, cut off; every reading of
ours has the field ``quality``, so that one metric speaks for the whole reading.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Key = tuple[str, tuple[tuple[str, str], ...], int]

_COMMA = re.compile(rb"(?<!\\),")
_EQUALS = re.compile(rb"(?<!\\)=")
_SPACE = re.compile(rb"(?<!\\) ")
_ESCAPED = re.compile(rb"\\([,= ])")
_WITNESS = "_quality"
_MILLISECOND = 1_000_000
_GAP = 60_000  # milliseconds between two readings that are asked for together


def queries(lines: Iterable[bytes]) -> list[list[tuple[str, str]]]:
    """Return the parameters of the exports that cover these lines, which are ours: see `key_of`.

    One export for each cluster of times: a single late reading must not bring a week of samples along.
    """
    keys = sorted((key_of(line) for line in lines), key=lambda key: key[2])
    clusters: list[list[Key]] = []
    for key in keys:
        if clusters and key[2] - clusters[-1][-1][2] <= _GAP:
            clusters[-1].append(key)
        else:
            clusters.append([key])
    return [_query(cluster) for cluster in clusters]


def _query(keys: list[Key]) -> list[tuple[str, str]]:
    wanted = sorted({(kind, dict(tags).get("gateway", "")) for kind, tags, _ in keys})
    matches = [f"{{__name__={_quoted(kind + _WITNESS)},gateway={_quoted(gateway)}}}" for kind, gateway in wanted]
    # Seconds with a fraction; a millisecond of room on both sides for its rounding.
    span = [("start", f"{(keys[0][2] - 1) / 1000:.3f}"), ("end", f"{(keys[-1][2] + 1) / 1000:.3f}")]
    return [("match[]", match) for match in matches] + span


def without_stored(lines: Iterable[bytes], export: bytes) -> list[bytes]:
    """Return the lines that an export does not hold, in their order; two in one millisecond are told by counting."""
    stored = Counter(_stored(export))
    missing = []
    for line in lines:
        key = key_of(line)
        if stored[key]:
            stored[key] -= 1
        else:
            missing.append(line)
    return missing


def key_of(line: bytes) -> Key:
    """Return a line's measurement, sorted tags, and time in milliseconds.

    Only for lines that the gateway wrote: they have a time, and no backslash before a separator but as an escape.
    """
    series = _SPACE.split(line, 1)[0]
    name, *pairs = _COMMA.split(series)
    tags = [tuple(_plain(part) for part in _EQUALS.split(pair, 1)) for pair in pairs]
    time = int(line.rpartition(b" ")[2])
    return _plain(name), tuple(sorted((key, value) for key, value in tags)), time // _MILLISECOND


def _stored(export: bytes) -> Iterable[Key]:
    for line in export.splitlines():
        if line.strip():
            document: Mapping[str, Any] = orjson.loads(line)
            tags = dict(document["metric"])
            name = tags.pop("__name__").removesuffix(_WITNESS)
            for time in document["timestamps"]:
                yield name, tuple(sorted(tags.items())), int(time)


def _plain(text: bytes) -> str:
    return _ESCAPED.sub(rb"\1", text).decode()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
