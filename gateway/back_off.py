"""Exponential back-off with jitter: how long to wait before the next attempt."""

import random
from collections.abc import Callable

Jitter = Callable[[float, float], float]
"""Returns a number between two others, as `random.uniform` does."""


class BackOff:
    """The waits between attempts, in seconds: each twice the one before, from ``first`` up to ``longest``.

    Of each wait ``jitter`` takes between half and all, so that a hundred gateways do not come back in step.
    """

    def __init__(self, first: float, longest: float, *, jitter: Jitter = random.uniform) -> None:
        self.first = first
        self.longest = longest
        self._jitter = jitter
        self._wait = min(first, longest)

    def next(self, at_least: float = 0.0) -> float:
        """Return the seconds to wait now, and double those of the next attempt.

        ``at_least`` is what this failure asks for: the wait may be longer then than ``longest``.
        """
        wait = max(self._wait, at_least) * self._jitter(0.5, 1.0)
        self._wait = min(2 * self._wait, self.longest)
        return wait

    def reset(self) -> None:
        """Begin anew with the first wait, after a success."""
        self._wait = min(self.first, self.longest)

    def shorten(self, most: float) -> None:
        """Bound the next wait, where an attempt half succeeded."""
        self._wait = min(self._wait, most)


def steady(_low: float, high: float) -> float:
    """Return the whole wait: jitter for what need not be out of step with anything."""
    return high
