"""Writes readings for other programs: line protocol, CSV, JSON lines. Knows no files, only open streams.

Times become ISO 8601 UTC. A reading without UTC time has ``boot_id`` (hexadecimal) and ``boot_time_ns`` instead.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from gateway import line_protocol
from gateway.spool.ledger import format_time
from gateway.spool.member import Member, decode_member
from gateway.vocabulary import FieldValue

COLUMNS = ("time", "measurement", "sensor", "field", "value", "tags", "boot_id", "boot_time_ns")
"""Of the CSV: a row for each field of a reading, since sensors differ in what they have."""


class StoredReading(NamedTuple):
    """A line as stored, perhaps a comment, and the boot that its time counts from (``None``: UTC)."""

    line: bytes
    boot: bytes | None


def readings(
    members: Iterable[Member], since: int | None = None, until: int | None = None
) -> Iterator[StoredReading]:
    """Yield the lines of ``members``, or those with ``since`` <= time < ``until`` (nanoseconds)."""
    timed = since is not None or until is not None
    low = -(2**63) if since is None else since
    high = 2**63 if until is None else until
    for header, raw in members:
        for line in decode_member(raw).split(b"\n"):
            if not line:
                continue
            time = line_protocol.time_of(line) if timed else None
            if not timed or (time is not None and low <= time < high):
                yield StoredReading(line, header.boot)


def write_lines(rows: Iterable[StoredReading], output: BinaryIO) -> None:
    """Write line protocol as it is stored, comments included."""
    output.writelines(row.line + b"\n" for row in rows)


class _Utf8:
    """Text for a binary file that stays the caller's: a text wrapper closes it when a broken pipe ends the export."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output

    def write(self, text: str) -> None:
        self._output.write(text.encode())


def write_csv(rows: Iterable[StoredReading], output: BinaryIO) -> None:
    """Write CSV with a header line and `COLUMNS`."""
    table = csv.writer(_Utf8(output))
    table.writerow(COLUMNS)
    for row in rows:
        point = line_protocol.parse(row.line)
        if point is None:
            continue
        tags = dict(point.tags)
        sensor = tags.pop("sensor", "")
        others = ";".join(f"{key}={value}" for key, value in tags.items())
        time = format_time(point.time) if row.boot is None else ""
        boot = ("", "") if row.boot is None else (row.boot.hex(), point.time)
        for name, value in point.fields.items():
            table.writerow((time, point.measurement, sensor, name, _plain(value), others, *boot))


def write_json(rows: Iterable[StoredReading], output: BinaryIO) -> None:
    """Write one JSON object a line: ``time``, ``measurement``, ``tags``, ``fields``."""
    for row in rows:
        point = line_protocol.parse(row.line)
        if point is None:
            continue
        time: dict[str, Any] = {"time": format_time(point.time)}
        if row.boot is not None:
            time = {"time": None, "boot_id": row.boot.hex(), "boot_time_ns": point.time}
        entry = {**time, "measurement": point.measurement, "tags": point.tags, "fields": point.fields}
        output.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")


def _plain(value: FieldValue) -> FieldValue:
    return str(value).lower() if isinstance(value, bool) else value


FORMATS: dict[str, Callable[[Iterable[StoredReading], BinaryIO], None]] = {
    "lp": write_lines,
    "csv": write_csv,
    "jsonl": write_json,
}
"""The formats by the names they have on the command line."""
