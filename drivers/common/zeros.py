"""Zeros of a sensor that is starting."""

SHORTEST = 10.0
"""Seconds of zeros that are never taken for clean air."""


class Zeros:
    """Tells the zeros of a sensor that is starting from those of clean air; times are monotonic nanoseconds.

    Both look alike. A sensor says nothing but zero for some seconds after it got its power; what goes on for longer
    than the warm-up, and than 10 s, is what it measures. A driver calls `starting` for zeros alone, and sets
    ``since`` to None for any other report.
    """

    def __init__(self, warm_up: float) -> None:
        self._warm_up = int(max(warm_up, SHORTEST) * 1e9)
        self.since: int | None = None
        """When the zeros began, None where the last report had something else."""

    def starting(self, now: int) -> bool:
        """Take note of a report of zeros, and tell whether it is one of a start."""
        if self.since is None:
            self.since = now
        return now - self.since < self._warm_up
