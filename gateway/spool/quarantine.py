"""Lines that a sink will never take: ``quarantine/<sink>.lp``, line protocol with the server's words above it.

::

    # 2024-11-22T13:20:00Z partial write: field type conflict: input field 'pm10' is type integer
    air_quality,city=koper,sensor=aq-7 pm10=12i 1732281600000000000

The file can be mended with an editor and sent again as it is, for databases pass over the comments.
"""

from collections.abc import Callable
from errno import EDQUOT, ENOSPC
from pathlib import Path
from urllib.parse import quote

from gateway.errors import QuarantineFull, SpoolError, SpoolFull
from gateway.spool.filesystem import Filesystem, append_to_file
from gateway.spool.ledger import format_time

MAX_REASON = 300
"""Characters of a server's words that are kept."""


class Quarantine:
    """The quarantine of one spool. ``max_bytes`` bounds each sink's file; ``now`` gives nanoseconds UTC."""

    def __init__(self, filesystem: Filesystem, directory: Path, now: Callable[[], int], max_bytes: int) -> None:
        self._filesystem, self._directory, self._now, self._max_bytes = filesystem, directory, now, max_bytes

    def path(self, sink: str) -> Path:
        """Return the file for ``sink``."""
        return self._directory / f"{quote(sink, safe='')}.lp"

    def size(self, sink: str) -> int:
        """Return the bytes held for ``sink``."""
        try:
            return self._filesystem.size(self.path(sink))
        except OSError:
            return 0

    def append(self, sink: str, lines: bytes, reason: str) -> None:
        """Keep refused ``lines`` (line protocol) with the server's ``reason``, durably.

        Raises `QuarantineFull` at the bound, `SpoolFull` on a full disk, `SpoolError` for any other failure: then
        they are not kept, and the caller must not move on.
        """
        text = f"# {format_time(self._now())} {one_line(reason)}\n".encode() + lines.rstrip(b"\n") + b"\n"
        path = self.path(sink)
        if self.size(sink) + len(text) > self._max_bytes:
            raise QuarantineFull(f"{path} has reached {self._max_bytes:,} bytes: look into it, then move it away")
        try:
            append_to_file(self._filesystem, path, text)
        except OSError as error:
            kind = SpoolFull if error.errno in (ENOSPC, EDQUOT) else SpoolError
            raise kind(f"cannot write {path}: {error.strerror}") from error


def one_line(reason: str) -> str:
    """Return ``reason`` as one printable line of bounded length, safe as a comment.

    InfluxDB 1.x reads on past the end of a comment that leaves a double quote open or ends in a backslash, answers
    204 and loses the line after it; so both are replaced.
    """
    safe = reason.replace('"', "'").replace("\\", "/")
    printable = "".join(character if character.isprintable() else " " for character in safe)
    words = " ".join(printable.split())
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 3] + "..."
