"""Sends kept readings of a time range to one sink again, beside what is new and without touching its cursor.

The state of a replay is a cursor of its own, ``replays/<sink>.json``: ``next`` as in every cursor; ``first`` and
``end``, the numbers between which the range lies; ``since`` and ``until``, its times; ``finished``, when it was.
Members are sent whole, so at both ends of the range a commit's worth more may go.
"""

from pathlib import Path

from gateway.spool.filesystem import Filesystem
from gateway.spool.member import Header, Member
from gateway.spool.reader import SpoolReader
from gateway.spool.segments import SegmentIndex


class RangeReader(SpoolReader):
    """Reads the members that may hold readings in ``since`` <= time < ``until``, nanoseconds UTC.

    Members whose times are not UTC yet belong to the range if their neighbours do: the caller's numbers say so.
    """

    def __init__(self, filesystem: Filesystem, root: Path, index: SegmentIndex, since: int, until: int) -> None:
        super().__init__(filesystem, root, index)
        self._since, self._until = since, until

    def read(
        self, seq: int, *, until: int | None = None, max_lines: int = 5_000, max_bytes: int = 1_000_000
    ) -> list[Member]:
        """Return the next members of the range from reading ``seq`` on; see `SpoolReader.read`."""
        while members := super().read(seq, until=until, max_lines=max_lines, max_bytes=max_bytes):
            wanted = [member for member in members if self._wants(member.header)]
            if wanted:
                return wanted
            seq = members[-1].header.end
        return []

    def _wants(self, header: Header) -> bool:
        return header.boot is not None or (header.t_max >= self._since and header.t_min < self._until)


def numbers_between(index: SegmentIndex, since: int, until: int) -> tuple[int, int]:
    """Return the first number, and the one after the last, of the segments that may hold readings of a time range."""
    segments = index.all()
    found = [
        segment
        for segment in segments
        if segment.t_min is None or segment.t_max is None or (segment.t_max >= since and segment.t_min < until)
    ]
    return (found[0].first, found[-1].end) if found else (0, 0)
