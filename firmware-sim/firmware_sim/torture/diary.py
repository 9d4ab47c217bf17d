"""A ledger that knows when each entry was made, so that what a kill may have cost can be told from a loss."""

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from firmware_sim.truth.ledger import Taken, Truth
from firmware_sim.truth.points import Value


class Window(NamedTuple):
    """A stretch of time (monotonic, seconds) in which readings of one kind may be lost: that much is said to all."""

    kind: str
    """``dust`` and ``traffic``: from a serial line; ``mqtt``: what a broker had not saved when it was killed."""
    since: float
    until: float

    def holds(self, kind: str, moment: float) -> bool:
        """Tell whether something of this kind, entered at this moment, is in it."""
        return kind == self.kind and self.since <= moment <= self.until


class Diary(Truth):
    """A `Truth` with moments."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        super().__init__(names=names)
        self._moments: list[float] = []

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
        """Enter one reading, with the moment."""
        super().record(sensor, kind, fields, time_ns, tags, certain=certain)
        self._moments.append(time.monotonic())

    def allowing(self, windows: Iterable[Window]) -> list[Taken]:
        """Return the entries, those within a window as uncertain."""
        allowed = list(windows)
        entries = []
        for taken, moment in zip(self, self._moments, strict=True):
            inside = taken.certain and any(window.holds(_kind(taken), moment) for window in allowed)
            entries.append(taken._replace(certain=False) if inside else taken)
        return entries


def _kind(taken: Taken) -> str:
    if taken.kind == "traffic":
        return "traffic"
    return "dust" if taken.time is None else "mqtt"
