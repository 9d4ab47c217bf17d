"""The loss ledger ``losses.jsonl``: one line for everything that was lost, and nothing else.

A line for people and machines alike::

    {"when": "2024-11-22T13:20:00Z", "rule": "max_bytes", "why": "...", "from": 1000, "to": 1999, "count": 1000,
     "first_time": "2024-11-22T09:00:00Z", "last_time": "2024-11-22T09:16:39Z",
     "segment": "00000000000000001000.lp.gz", "sinks": ["influx"], "sensors": ["aq-1", "aq-2"], "sensor_count": 2,
     "fingerprint": "9f1c22ab"}

``from`` and ``to`` are the first and the last sequence number, both included, ``null`` for readings that had none
when they were lost; ``segment`` is the file they were in, if they were in one; ``count`` is how many readings there
were; times are ``null`` where they are not known; ``sinks`` names those that had not taken all of them; ``sensors``
the first twenty of ``sensor_count``. ``fingerprint`` tells the segment from a later one of the same name.

Beyond `MAX_BYTES` the older half is folded: of each rule one line stays, without numbers and segments, with the
``count`` of all of them, the whole time range, how many lines it stands for (``lines``), and in ``sensor_count`` how
many sensors there were at least. So neither the file nor what is in memory of it grows without end, and no reading
that was lost is forgotten.

===================  ===================================================================================
rule                 what was lost
===================  ===================================================================================
max_bytes            the oldest segment, at the spool's own bound
min_free_bytes       the same, because so much of the disk must stay free
disk_full            the same, because the disk itself refused
damaged              what stood where the disk gives something else back
serial_refused       readings of serial lines while the disk took nothing: nothing upstream can hold them
quarantine_full      lines of unknown sensors, beyond the quarantine's bound
stopped              what was in memory when the gateway was stopped while the disk took nothing
dropped              lines that a person dropped from the quarantine
refused_oldest       refused messages beyond the bound of their own store, or on a full disk: messages, not readings
refused_dropped      refused messages that a person dropped
refused_damaged      refused messages that stood where the disk gives something else back
===================  ===================================================================================
"""

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

from gateway.spool.filesystem import Filesystem, append_to_file, replace_file

SENSORS_NAMED = 20
"""Sensors that one line names; more would make it longer than anybody reads."""

MAX_BYTES = 512 * 1024
"""Some 1,300 lines."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Loss:
    """One loss; see the module. Times are nanoseconds UTC."""

    rule: str
    why: str
    first: int | None
    last: int | None
    count: int
    t_min: int | None
    t_max: int | None
    segment: str | None = None
    sinks: tuple[str, ...] = ()
    sensors: AbstractSet[str] = frozenset()
    fingerprint: str | None = None


def format_time(nanoseconds: int) -> str:
    """Write nanoseconds UTC as ISO 8601 with as many decimals as it takes: ``2024-11-22T13:20:00Z``."""
    seconds, rest = divmod(nanoseconds, 10**9)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09}".rstrip("0") + "Z" if rest else text + "Z"


class Ledger:
    """The ledger of one spool; from any thread. ``now`` gives nanoseconds UTC."""

    def __init__(
        self, filesystem: Filesystem, path: Path, now: Callable[[], int], *, max_bytes: int = MAX_BYTES
    ) -> None:
        """Read the ledger; lines that make no sense are passed over."""
        self._filesystem, self._path, self._now = filesystem, path, now
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._unwritten: list[bytes] = []
        self._end = _size(filesystem, path)
        self._doubtful = self._end > 0  # a killed owner may have left it in memory only, after an fsync that failed
        self._entries = _read(filesystem, path)
        if self._end > max_bytes:
            self._entries = _folded(self._entries, max_bytes)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """All lines, oldest first."""
        return list(self._entries)

    @property
    def readings(self) -> int:
        """How many readings were ever lost."""
        return sum(entry["count"] for entry in self._entries)

    @property
    def lines(self) -> int:
        """How many lines were ever written, those that were folded included."""
        return sum(map(_lines, self._entries))

    def knows(self, rule: str, segment: str, last: int | None) -> bool:
        """Return whether the loss of ``last`` under that rule in that segment is written down already.

        Only lines of their own are known, not what was folded: it is asked about what has just happened.
        """
        wanted = (rule, segment, last)
        return any((entry.get("rule"), entry.get("segment"), entry.get("to")) == wanted for entry in self._entries)

    def record(self, loss: Loss) -> None:
        """Write ``loss`` down, durably.

        Raises `OSError` when the disk has no room even for that: it is then written before the next one, or by
        `flush`.
        """
        entry = {
            "when": format_time(self._now()),
            "rule": loss.rule,
            "why": loss.why,
            "from": loss.first,
            "to": loss.last,
            "count": loss.count,
            "first_time": None if loss.t_min is None else format_time(loss.t_min),
            "last_time": None if loss.t_max is None else format_time(loss.t_max),
            "segment": loss.segment,
            "sinks": list(loss.sinks),
            "sensors": sorted(loss.sensors)[:SENSORS_NAMED],
            "sensor_count": len(loss.sensors),
            "fingerprint": loss.fingerprint,
        }
        with self._lock:
            self._entries.append(entry)
            self._unwritten.append(_line(entry))
        self.flush()

    def flush(self) -> None:
        """Return once every entry is on the disk; raises `OSError`. Nothing may be deleted on its strength before."""
        with self._lock:
            if self._end + sum(map(len, self._unwritten)) > self._max_bytes:
                self._fold()
            if self._doubtful:
                content = self._filesystem.read(self._path, 0, self._end)
                replace_file(self._filesystem, self._path, content, durable=True)
                self._doubtful = False
            if self._unwritten:
                lines = b"".join(self._unwritten)
                self._end = append_to_file(self._filesystem, self._path, lines, self._end)
                self._unwritten.clear()

    def _fold(self) -> None:
        """Write everything anew, what is not written yet included; if that fails, the next attempt does it again."""
        folded = _folded(self._entries, self._max_bytes)
        content = b"".join(map(_line, folded))
        replace_file(self._filesystem, self._path, content, durable=True)
        self._entries, self._end, self._doubtful = folded, len(content), False
        self._unwritten.clear()


def _folded(entries: list[dict[str, Any]], max_bytes: int) -> list[dict[str, Any]]:
    """Return a line for each rule that has older entries, and then the newer ones: half of ``max_bytes``."""
    room, first = max_bytes // 2, len(entries)
    while first and (room := room - len(_line(entries[first - 1]))) >= 0:
        first -= 1
    by_rule: dict[str, list[dict[str, Any]]] = {}
    for entry in entries[:first]:
        by_rule.setdefault(str(entry.get("rule")), []).append(entry)
    return [*(_together(rule, older) for rule, older in by_rule.items()), *entries[first:]]


def _together(rule: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    if len(entries) == 1:
        return entries[0]
    sensors = {str(sensor) for entry in entries for sensor in entry.get("sensors") or ()}
    counts = [entry["sensor_count"] for entry in entries if type(entry.get("sensor_count")) is int]
    lines = sum(map(_lines, entries))
    return {
        "when": _latest(entries, "when"),
        "rule": rule,
        "why": f"{lines:,} older lines of the ledger together",
        "from": None,
        "to": None,
        "count": sum(entry["count"] for entry in entries),
        "first_time": min(_times(entries, "first_time"), key=_order, default=None),
        "last_time": _latest(entries, "last_time"),
        "segment": None,
        "sinks": sorted({str(sink) for entry in entries for sink in entry.get("sinks") or ()}),
        "sensors": sorted(sensors)[:SENSORS_NAMED],
        "sensor_count": max(len(sensors), *counts, 0),
        "fingerprint": None,
        "lines": lines,
    }


def _latest(entries: list[dict[str, Any]], key: str) -> str | None:
    return max(_times(entries, key), key=_order, default=None)


def _times(entries: list[dict[str, Any]], key: str) -> list[str]:
    return [entry[key] for entry in entries if isinstance(entry.get(key), str)]


def _order(time: str) -> str:
    return time.rstrip("Z")  # with it, "13:20:00Z" would come after "13:20:00.5Z"


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _lines(entry: dict[str, Any]) -> int:
    lines = entry.get("lines", 1)
    return lines if type(lines) is int else 1


def _size(filesystem: Filesystem, path: Path) -> int:
    try:
        return filesystem.size(path)
    except OSError:
        return 0


def _read(filesystem: Filesystem, path: Path) -> list[dict[str, Any]]:
    try:
        content = filesystem.read(path)
    except OSError:
        return []
    entries = []
    for line in content.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and _makes_sense(entry):
            entries.append(entry)
    return entries


def _makes_sense(entry: dict[str, Any]) -> bool:
    numbers = entry.get("from"), entry.get("to")
    return type(entry.get("count")) is int and (
        numbers == (None, None) or all(type(number) is int for number in numbers)
    )
