"""Pressure on the spool: how full it is with what is pending, how fast that changes, and how long the room lasts.

Readings that every sink has may be deleted any time, so they take no room here: a spool that keeps a week of
delivered readings up to its last byte is empty in this sense. Pure: the caller brings figures and time.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gateway.units import format_size

WINDOW = 60.0
"""Seconds over which rates are averaged."""

STEADY = 0.05
"""A sink that takes all but this part of what comes in keeps pace."""

LEVELS = (0.5, 0.8, 1.0)
"""What is worth a word to the operator when it is passed."""

REST = 0.1
"""How far below a level the spool must fall before passing it is worth a word again."""


class Levels(NamedTuple):
    """The figures of one moment.

    undelivered  bytes that some sink still has to get
    room         bytes that may still be written before a bound is met, delivered segments counted as free
    full         tells that the next segment meets a bound
    next_seq     rises with each reading taken
    written      rises with each byte written
    taken        up to where each sink has everything
    """

    undelivered: int
    room: int
    full: bool
    next_seq: int
    written: int
    taken: Mapping[str, int]


class Pressure(NamedTuple):
    """What the figures mean. Rates are per second, an average over `WINDOW`; sizes in bytes.

    ``fill`` is 0 to 1, and 1 when the bound is met. ``hours_left`` is when that will be at the present rates,
    ``None`` as long as the sinks keep pace.
    """

    fill: float
    undelivered: int
    room: int
    readings_in: float
    bytes_in: float
    readings_out: Mapping[str, float]
    hours_left: float | None

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return {
            "fill": round(self.fill, 3),
            "undelivered_bytes": self.undelivered,
            "room_bytes": self.room,
            "readings_in_per_s": round(self.readings_in, 2),
            "bytes_in_per_s": round(self.bytes_in, 1),
            "readings_out_per_s": {sink: round(rate, 2) for sink, rate in self.readings_out.items()},
            "hours_until_full": None if self.hours_left is None else round(self.hours_left, 1),
        }

    def words(self) -> str:
        """Return it as people say it."""
        if self.fill >= 1:
            return f"full, {format_size(self.room)} of room left"
        words = f"{self.fill:.0%} full"
        return words if self.hours_left is None else f"{words}, for {say_hours(self.hours_left)} at this rate"


def room_left(stored: int, undelivered: int, free: int, *, max_bytes: int, min_free_bytes: int) -> int:
    """Return the bytes that may be written before a bound is met, if ``stored - undelivered`` bytes may go first."""
    return max(0, min(max_bytes - stored, free - min_free_bytes) + stored - undelivered)


def say_hours(hours: float) -> str:
    """Return a time span in the unit that people would use."""
    if hours < 2:
        return f"{hours * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"


class Gauge:
    """Keeps the samples of the last minute; one thread."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, Levels]] = deque()
        self._told = 0.0

    def sample(self, now: float, levels: Levels) -> Pressure:
        """Take the figures at ``now``, seconds on a clock that never steps, and say what they mean."""
        samples = self._samples
        samples.append((now, levels))
        while len(samples) > 2 and samples[1][0] <= now - WINDOW:
            samples.popleft()
        began, first = samples[0]
        seconds = max(now - began, 1e-9)
        readings_in = (levels.next_seq - first.next_seq) / seconds
        bytes_in = (levels.written - first.written) / seconds
        # A cursor that jumps back, because its file was lost, is no negative rate.
        out = {sink: max(0, to - first.taken.get(sink, to)) / seconds for sink, to in levels.taken.items()}
        lag = 1 - min(out.values(), default=0.0) / readings_in if readings_in else 0.0
        growing = bytes_in * lag if lag > STEADY else 0.0
        whole = levels.undelivered + levels.room
        return Pressure(
            fill=1.0 if levels.full else levels.undelivered / whole if whole else 0.0,
            undelivered=levels.undelivered,
            room=levels.room,
            readings_in=readings_in,
            bytes_in=bytes_in,
            readings_out=out,
            hours_left=levels.room / growing / 3600 if growing else None,
        )

    def passed(self, fill: float) -> Iterator[float]:
        """Yield the level that ``fill`` has passed since it was told last; 0 when the spool is no longer full."""
        reached = max((level for level in LEVELS if fill >= level), default=0.0)
        if reached > self._told:
            self._told = reached
            yield reached
        elif fill < self._told - REST:
            if self._told == LEVELS[-1]:
                yield 0.0
            self._told = reached
