"""Dead letters, lines that a sink will never take: ``quarantine/<sink>.lp``, with the server's words above them.

::

    # 2024-11-22T13:20:00Z partial write: field type conflict: input field 'pm10' is type integer
    air_quality,city=koper,sensor=aq-7 pm10=12i 1732281600000000000

The file can be mended with an editor and sent again as it is, for databases pass over the comments. What a person
takes out of it, to requeue or to drop it, goes to a file of its own in one step: the whole file by a new name, or

1. ``<sink>.rest``                what is to stay; does not count yet
2. ``<sink>.<id>.<mark>.<verb>``  what was taken out: from here on it is out, whatever ``<sink>.lp`` still says
3. ``<sink>.rest`` becomes ``<sink>.lp``: where a power cut prevented that, before anything else happens here
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from threading import RLock
from typing import NamedTuple
from urllib.parse import quote, unquote

from gateway import line_protocol
from gateway.errors import QuarantineFull, SpoolError, SpoolFull
from gateway.spool.filesystem import Filesystem, append_to_file, replace_file
from gateway.spool.ledger import format_time
from gateway.spool.quarantine_lines import QuarantinedLine, one_line, parse, text_of

_VERBS = ("requeue", "drop")


class Taken(NamedTuple):
    """Lines on their way out: whose they were, whose request it is, how far that came, and what is to be done."""

    path: Path
    sink: str
    request: str
    mark: str
    verb: str


class Quarantine:
    """The quarantine of one spool; from any thread.

    ``max_bytes`` bounds each sink's file; ``now`` gives nanoseconds UTC.
    """

    def __init__(self, filesystem: Filesystem, directory: Path, now: Callable[[], int], max_bytes: int) -> None:
        self._filesystem, self.directory, self._now, self.max_bytes = filesystem, directory, now, max_bytes
        self.lock = RLock()
        """Whoever has it finds nothing changed by others."""
        self.frozen: set[str] = set()
        """Sinks of whose lines none may be taken out now; see `gateway.spool.parked`."""
        self._unsettled = True
        with suppress(OSError):
            self._settle()

    @property
    def sinks(self) -> list[str]:
        """Those that have lines here."""
        return quarantined_sinks(self._filesystem, self.directory)

    def path(self, sink: str) -> Path:
        """Return the file for ``sink``."""
        return self.directory / f"{quote(sink, safe='')}.lp"

    def size(self, sink: str) -> int:
        """Return the bytes that lie here for ``sink``. Raises `SpoolError`."""
        try:
            return self._filesystem.size(self.path(sink))
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _error(error, self.path(sink)) from error

    def append(self, sink: str, lines: bytes, reason: str) -> None:
        """Keep refused ``lines`` (line protocol) with the server's ``reason``, durably.

        Raises `QuarantineFull` at the bound, `SpoolFull` on a full disk, `SpoolError` for any other failure: then
        they are not kept, and the caller must not move on.
        """
        with self.lock:
            self.settle()
            text = self.encode([QuarantinedLine(reason, lines.rstrip(b"\n"))])
            if self.size(sink) + len(text) > self.max_bytes:
                raise self.full(sink)
            self.put(sink, text)

    def settle(self) -> None:
        """Finish what was interrupted, before a file's size means anything. Raises `SpoolError`."""
        try:
            with self.lock:
                self._settle()
        except OSError as error:
            raise _error(error, self.directory) from error

    def encode(self, lines: Sequence[QuarantinedLine]) -> bytes:
        """Return lines as they stand in a file, the time before the words above them."""
        now = format_time(self._now())
        return text_of([QuarantinedLine(f"{now} {one_line(reason)}", line) for reason, line in lines])

    def full(self, sink: str) -> QuarantineFull:
        """Return the error that says that a file is at its bound."""
        return QuarantineFull(
            f"{self.path(sink)} has reached {self.max_bytes:,} bytes: "
            "look into it, then requeue or drop what it holds"
        )

    def put(self, sink: str, text: bytes, end: int | None = None) -> None:
        """Add what `encode` returned, durably; ``end`` cuts off first what an earlier attempt may have left beyond.

        Raises `SpoolFull` on a full disk, `SpoolError` for any other failure.
        """
        path = self.path(sink)
        with self.lock:
            try:
                append_to_file(self._filesystem, path, text, end)
            except OSError as error:
                raise _error(error, path) from error

    def cut(self, sink: str, size: int) -> None:
        """Leave at most ``size`` bytes of a file, durably, whatever was cut off it before. Raises `SpoolError`."""
        path = self.path(sink)
        with self.lock:
            try:
                end = min(size, self._filesystem.size(path))
                file = self._filesystem.open(path)
                try:
                    file.truncate(end)
                    file.sync()
                finally:
                    file.close()
            except FileNotFoundError:
                return
            except OSError as error:
                raise _error(error, path) from error

    def lines_since(self, sink: str, size: int) -> set[bytes]:
        """Return the lines that came to ``sink``'s file since it had ``size`` bytes. Raises `SpoolError`."""
        try:
            return set(self._filesystem.read(self.path(sink), size).split(b"\n"))
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise _error(error, self.path(sink)) from error

    def taken(self) -> list[Taken]:
        """Return what was taken out and is not dealt with yet. Raises `SpoolError`."""
        found = []
        try:
            with self.lock:
                self._settle()
                names = sorted(self._filesystem.names(self.directory))
        except OSError as error:
            raise _error(error, self.directory) from error
        for name in names:
            stem, *parts = name.split(".")
            if len(parts) == 3 and parts[2] in _VERBS:
                found.append(Taken(self.directory / name, unquote(stem), *parts))
        return found

    def take_out(
        self, sink: str, request: str, mark: str, verb: str, wanted: Callable[[QuarantinedLine], bool]
    ) -> int:
        """Take the lines out that are ``wanted``, and return how many. Raises `SpoolError`.

        What is no line with a time stays, since nothing could be done with it.
        """
        stem = quote(sink, safe="").replace(".", "%2E")
        taken = self.directory / f"{stem}.{request}.{mark}.{verb}"
        with self.lock:
            if sink in self.frozen:
                raise SpoolError(f"lines for {self.path(sink)} wait for the disk; none can be taken out before")
            try:
                self._settle()
                lines = lines_in(self._filesystem, self.path(sink))
                chosen = [wanted(one) and line_protocol.time_of(one.line) is not None for one in lines]
                out = [one for one, is_chosen in zip(lines, chosen, strict=True) if is_chosen]
                if not out:
                    return 0
                rest = [one for one, is_chosen in zip(lines, chosen, strict=True) if not is_chosen]
                if not rest:
                    self._rename(self.path(sink), taken)
                    return len(out)
                self._unsettled = True
                replace_file(self._filesystem, self.directory / f"{stem}.rest", text_of(rest), durable=True)
                replace_file(self._filesystem, taken, text_of(out), durable=True)
                self._settle()
            except OSError as error:
                raise _error(error, self.path(sink)) from error
        return len(out)

    def read_taken(self, taken: Taken) -> list[QuarantinedLine]:
        """Return the lines in a file of `taken`. Raises `SpoolError`."""
        try:
            return lines_in(self._filesystem, taken.path)
        except OSError as error:
            raise _error(error, taken.path) from error

    def move_on(self, taken: Taken, mark: str) -> Taken:
        """Note how far it came, durably. Raises `SpoolError`."""
        stem = taken.path.name.partition(".")[0]
        moved = taken._replace(path=self.directory / f"{stem}.{taken.request}.{mark}.{taken.verb}", mark=mark)
        try:
            with self.lock:
                self._rename(taken.path, moved.path)
        except OSError as error:
            raise _error(error, taken.path) from error
        return moved

    def forget(self, taken: Taken) -> None:
        """Delete what was taken out: it has been dealt with. Raises `SpoolError`."""
        try:
            with suppress(FileNotFoundError):
                self._filesystem.unlink(taken.path)
            self._filesystem.sync_directory(self.directory)
        except OSError as error:
            raise _error(error, taken.path) from error

    def _settle(self) -> None:
        """Finish what a power cut may have interrupted: see the module. Raises `OSError`."""
        if not self._unsettled:
            return
        # What a failed attempt renamed must stay so before anything is done on the strength of it.
        self._filesystem.sync_directory(self.directory)
        names = self._filesystem.names(self.directory)
        out = {name.split(".")[0] for name in names if name.count(".") == 3 and name.endswith(_VERBS)}
        for name in names:
            stem, _, kind = name.partition(".")
            if kind != "rest":
                continue
            rest = self.directory / name
            if stem in out:
                self._filesystem.rename(rest, self.path(unquote(stem)))
            else:  # it never came to step 2
                self._filesystem.unlink(rest)
            self._filesystem.sync_directory(self.directory)
        self._unsettled = False

    def _rename(self, old: Path, new: Path) -> None:
        self._unsettled = True
        self._filesystem.rename(old, new)
        self._filesystem.sync_directory(self.directory)
        self._unsettled = False


def quarantined_sinks(filesystem: Filesystem, directory: Path) -> list[str]:
    """Return the names that have lines in a quarantine's directory."""
    try:
        return sorted(unquote(name[:-3]) for name in filesystem.names(directory) if name.endswith(".lp"))
    except OSError:
        return []


def lines_in(filesystem: Filesystem, path: Path) -> list[QuarantinedLine]:
    """Return the lines of one file of a quarantine, none if there is no such file. Raises `OSError`."""
    try:
        content = filesystem.read(path)
    except FileNotFoundError:
        return []
    return parse(content)


def _error(error: OSError, path: Path) -> SpoolError:
    kind = SpoolFull if error.errno in (ENOSPC, EDQUOT) else SpoolError
    return kind(f"cannot write {path}: {error.strerror}")
