"""Sending again to a database that keeps duplicates: what to ask it, and what its answer leaves to be sent. Pure.

InfluxDB overwrites: a point is its measurement, tags and time, and sending it again changes nothing. VictoriaMetrics
keeps both. So where it is not known whether a batch arrived (the answer was lost, or the daemon was killed before it
could note it down), VictoriaMetrics is asked first which of the readings it has, and only the others are sent.

It stores each field as a metric of its own, ``measurement_field``, with times in milliseconds, cut off. One field
speaks for the whole reading: ``quality``, which every reading of ours has; for a line that some hand has written
without, its first field. Where a name for the database was sent (InfluxDB's v1 API), it is kept as the tag ``db``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import orjson

from gateway import line_protocol

Parameters = list[tuple[str, str]]

MOST_QUESTIONS = 20
"""Each covers a stretch of time; more stretches than this are joined where the gaps between them are smallest."""

_MILLISECOND = 1_000_000
_GAP = 60_000  # milliseconds between two readings that are asked for together
_LONGEST_NAMES = 1500  # bytes of sensor names in one question: proxies refuse long addresses
_DATABASE = "db"


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
