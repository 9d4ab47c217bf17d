"""A point as it was read back from a database."""

from collections.abc import Mapping
from typing import NamedTuple

Value = bool | int | float | str


class StoredPoint(NamedTuple):
    """One point of a time series.

    ``time`` is in nanoseconds UTC. ``fields`` holds what the database gives for them: a database that knows only
    numbers says 1.0 for true.
    """

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time: int
