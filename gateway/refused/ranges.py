"""A set of whole numbers that come mostly in runs, as ranges: a million resolved messages cost one. Pure."""

from bisect import bisect_right


class Ranges:
    """Numbers that are in it, kept as runs in order."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._starts, number) - 1
        return place >= 0 and number < self._ends[place]

    def copy(self) -> "Ranges":
        """Return another with the same numbers."""
        copied = Ranges()
        copied._starts = self._starts.copy()
        copied._ends = self._ends.copy()
        return copied

    def add(self, number: int) -> None:
        """Put a number into it."""
        if number in self:
            return
        place = bisect_right(self._starts, number)
        joins_left = place > 0 and self._ends[place - 1] == number
        joins_right = place < len(self._starts) and self._starts[place] == number + 1
        if joins_left and joins_right:
            self._ends[place - 1] = self._ends.pop(place)
            del self._starts[place]
        elif joins_left:
            self._ends[place - 1] += 1
        elif joins_right:
            self._starts[place] = number
        else:
            self._starts.insert(place, number)
            self._ends.insert(place, number + 1)

    def count(self, first: int, end: int) -> int:
        """Return how many numbers from ``first`` to before ``end`` are in it."""
        place = bisect_right(self._ends, first)
        found = 0
        while place < len(self._starts) and self._starts[place] < end:
            found += max(0, min(end, self._ends[place]) - max(first, self._starts[place]))
            place += 1
        return found

    def forget_below(self, number: int) -> None:
        """Take out everything below ``number``: nobody asks for it any more."""
        place = bisect_right(self._ends, number)
        del self._starts[:place]
        del self._ends[:place]
        if self._starts and self._starts[0] < number:
            self._starts[0] = number

    @property
    def runs(self) -> int:
        """How many runs there are: what it costs."""
        return len(self._starts)
