"""What the InfluxDB-shaped endpoint keeps of one bucket: points by identity, and how often each was written.

A point's identity is its measurement, tags and time. Writing it again replaces the fields that are named and keeps
the others, as InfluxDB does; `Store.write_counts` is what InfluxDB does not keep: the witness for duplicates.
Everything stays in memory for good: this is a test tool.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from firmware_sim.truth.points import StoredPoint, Value

Identity = tuple[str, tuple[tuple[str, str], ...], int]
"""Measurement, tags sorted by key, nanoseconds UTC."""

_TYPE_NAMES = {float: "float", int: "integer", bool: "boolean", str: "string"}


class Conflict(NamedTuple):
    """Fields of another type than they have had: the server's words, and how many points were not stored."""

    message: str
    dropped: int


class Store:
    """One bucket, or one database of the v1 API."""

    def __init__(self) -> None:
        self.write_counts: Counter[Identity] = Counter()
        """How many times each identity was accepted; above 1, it was sent again."""
        self._fields: dict[Identity, dict[str, Value]] = {}
        self._types: dict[str, dict[str, type[Value]]] = {}

    def points(self) -> list[StoredPoint]:
        """Return every point, in the order of first arrival."""
        return [
            StoredPoint(measurement, dict(tags), dict(fields), time)
            for (measurement, tags, time), fields in self._fields.items()
        ]

    def write(self, points: Sequence[StoredPoint], *, as_v1: bool = False) -> Conflict | None:
        """Store the points whose fields keep their types, and tell of the first that does not.

        ``as_v1``: InfluxDB 1.6.7 stores none of a batch that contradicts itself about a measurement it has not seen
        before, and says so without a count; the whole batch is dropped.
        """
        known = set(self._types)
        types = {measurement: dict(columns) for measurement, columns in self._types.items()}
        accepted: list[StoredPoint] = []
        conflict: str | None = None
        for point in points:
            columns = types.setdefault(point.measurement, {})
            found = _conflict(point, columns)
            if found is None:
                columns |= {name: type(value) for name, value in point.fields.items()}
                accepted.append(point)
            elif as_v1 and point.measurement not in known:
                return Conflict("field type conflict", len(points))
            else:
                conflict = conflict or found
        self._types = types
        for point in accepted:
            key = identity(point)
            self._fields.setdefault(key, {}).update(point.fields)
            self.write_counts[key] += 1
        if conflict is None:
            return None
        dropped = len(points) - len(accepted)
        return Conflict(f"partial write: {conflict} dropped={dropped}", dropped)


def identity(point: StoredPoint) -> Identity:
    """Return what makes two points the same point."""
    return point.measurement, tuple(sorted(point.tags.items())), point.time


def _conflict(point: StoredPoint, columns: dict[str, type[Value]]) -> str | None:
    for name, value in point.fields.items():
        before = columns.get(name, type(value))
        if before is not type(value):
            return (
                f'field type conflict: input field "{name}" on measurement "{point.measurement}"'
                f" is type {_TYPE_NAMES[type(value)]}, already exists as type {_TYPE_NAMES[before]}"
            )
    return None
