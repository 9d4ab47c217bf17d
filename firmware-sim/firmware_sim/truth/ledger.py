"""The ground-truth ledger: every reading that a device took and handed over.

In memory it only grows; with a path, each entry is also a line of JSON, flushed at once, so that it outlives this
process and whatever happens to the gateway.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from firmware_sim.truth.points import Value


class Taken(NamedTuple):
    """One entry.

    sensor     the device's own identity
    kind       the measurement: air_quality, parking, traffic
    fields     vocabulary names and values; or, of one vehicle that is only counted, ``peak_speed`` in km/h, 0 where
               the device measures none
    time       the device's own time, nanoseconds UTC; None where the device has no clock
    tags       the direction or the lane of a vehicle
    certain    False where it is unknown whether the reading was heard: it may be stored or not
    stored_as  the sensor's name in the database
    """

    sensor: str
    kind: str
    fields: Mapping[str, Value]
    time: int | None
    tags: Mapping[str, str]
    certain: bool
    stored_as: str


class Truth:
    """The ledger; ``names`` maps a device's identity to its name in the database, where they differ."""

    def __init__(self, path: Path | None = None, names: Mapping[str, str] | None = None) -> None:
        self.names = dict(names or {})
        self.counts: Counter[str] = Counter()
        """Certain entries by kind."""
        self._taken: list[Taken] = []
        self._file = path.open("a", encoding="utf-8") if path else None

    def record(
        self,
        sensor: str,
        kind: str,
        fields: Mapping[str, Value],
        time_ns: int | None = None,
        tags: Mapping[str, str] | None = None,
        *,
        certain: bool = True,
    ) -> None:
        """Enter one reading."""
        taken = Taken(sensor, kind, dict(fields), time_ns, dict(tags or {}), certain, self.names.get(sensor, sensor))
        if self._file:
            self._file.write(json.dumps(taken._asdict()) + "\n")
            self._file.flush()
        self._add(taken)

    def close(self) -> None:
        """Close the file, if there is one; the entries stay."""
        if self._file:
            self._file.close()
            self._file = None

    @classmethod
    def load(cls, path: Path) -> "Truth":
        """Read a ledger back from its file; a last line without an end was never finished and does not count."""
        truth = cls()
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                truth._add(Taken(**json.loads(line)))
        return truth

    def _add(self, taken: Taken) -> None:
        self._taken.append(taken)
        if taken.certain:
            self.counts[taken.kind] += 1

    def __iter__(self) -> Iterator[Taken]:
        return iter(self._taken)

    def __len__(self) -> int:
        return len(self._taken)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
