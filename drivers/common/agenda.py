"""Poll schedule of a device that answers only when asked: readings, and requests that are needed once.

A device is polled for its readings, and besides for what it tells or confirms once: its firmware, a setting. Such a
wish must not cost many readings where it is never granted. So wishes have the turns 1, 2, 4, 8, .. and every 64th,
one wish a turn, until each was granted; all other turns ask for a reading.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

RARELY = 64

Name = TypeVar("Name", bound=Hashable)


class Agenda(Generic[Name]):
    """Gives the question of each turn; ``wishes`` are name -> question."""

    def __init__(self, reading: bytes, wishes: Mapping[Name, bytes]) -> None:
        self._reading = reading
        self._wishes = dict(wishes)
        self._turn = -1

    def question(self) -> bytes:
        """Begin the next turn."""
        self._turn += 1
        turn = self._turn
        if not self._wishes or not turn or (turn & turn - 1 and turn % RARELY):
            return self._reading
        name = next(iter(self._wishes))
        self._wishes[name] = wish = self._wishes.pop(name)  # to the end, so that each wish gets a turn
        return wish

    def granted(self, name: Name) -> None:
        """Ask for this no more."""
        self._wishes.pop(name, None)
