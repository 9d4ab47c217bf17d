"""Lines that a sink will never take: ``quarantine/<sink>.lp``, line protocol with the server's words above it.

::

    # 2024-11-22T13:20:00Z partial write: field type conflict: input field 'pm10' is type integer
    air_quality,city=koper,sensor=aq-7 pm10=12i 1732281600000000000

The file can be mended with an editor and sent again as it is, for databases pass over the comments. What a person
takes out of it, to requeue or to drop it, goes to a file of its own in one step: the whole file by a new name, or

1. ``<sink>.rest``                what is to stay; does not count yet
2. ``<sink>.<id>.<mark>.<verb>``  what was taken out: from here on it is out, whatever ``<sink>.lp`` still says
3. ``<sink>.rest`` becomes ``<sink>.lp``: where a power cut prevented that, before anything else happens here
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from threading import RLock
from typing import NamedTuple
from urllib.parse import quote, unquote

from gateway.errors import QuarantineFull, SpoolError, SpoolFull
from gateway.spool.filesystem import Filesystem, append_to_file, replace_file
from gateway.spool.ledger import format_time
from gateway.spool.lines import line_time

MAX_REASON = 300
"""Characters of a server's words that are kept."""

_VERBS = ("requeue", "drop")
_OF_BOOT = "times are since boot "


class Held(NamedTuple):
    """A line of the quarantine and the comment above it, without its ``# ``."""

    reason: str
    line: bytes

    @property
    def boot(self) -> bytes | None:
        """The boot that its time counts from; ``None``: it is UTC."""
        _, _, words = self.reason.partition(" ")  # after the time
        with suppress(ValueError):
            return bytes.fromhex(words.removeprefix(_OF_BOOT)[:32]) if words.startswith(_OF_BOOT) else None
        return None


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
        self._filesystem, self._directory, self._now, self._max_bytes = filesystem, directory, now, max_bytes
        self._lock = RLock()
        self._unsettled = True
        with suppress(OSError):
            self._settle()

    @property
    def sinks(self) -> list[str]:
        """Those that have lines here."""
        return sinks_held(self._filesystem, self._directory)

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
        with self._lock:
            if self.size(sink) + len(text) > self._max_bytes:
                raise QuarantineFull(
                    f"{path} has reached {self._max_bytes:,} bytes: look into it, then requeue or drop what it holds"
                )
            try:
                self._settle()
                append_to_file(self._filesystem, path, text)
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
            names = sorted(self._filesystem.names(self._directory))
        except OSError as error:
            raise _error(error, self._directory) from error
        for name in names:
            stem, *parts = name.split(".")
            if len(parts) == 3 and parts[2] in _VERBS:
                found.append(Taken(self._directory / name, unquote(stem), *parts))
        return found

    def take_out(self, sink: str, request: str, mark: str, verb: str, wanted: Callable[[Held], bool]) -> int:
        """Take the lines out that are ``wanted``, and return how many. Raises `SpoolError`.

        What is no line with a time stays, since nothing could be done with it.
        """
        stem = quote(sink, safe="").replace(".", "%2E")
        taken = self._directory / f"{stem}.{request}.{mark}.{verb}"
        with self._lock:
            try:
                self._settle()
                lines = held_in(self._filesystem, self.path(sink))
                chosen = [wanted(held) and line_time(held.line) is not None for held in lines]
                out = [held for held, is_chosen in zip(lines, chosen, strict=True) if is_chosen]
                if not out:
                    return 0
                rest = [held for held, is_chosen in zip(lines, chosen, strict=True) if not is_chosen]
                if not rest:
                    self._filesystem.rename(self.path(sink), taken)
                    self._filesystem.sync_directory(self._directory)
                    return len(out)
                self._unsettled = True
                replace_file(self._filesystem, self._directory / f"{stem}.rest", _text(rest), durable=True)
                replace_file(self._filesystem, taken, _text(out), durable=True)
                self._settle()
            except OSError as error:
                raise _error(error, self.path(sink)) from error
        return len(out)

    def read_taken(self, taken: Taken) -> list[Held]:
        """Return the lines in a file of `taken`. Raises `SpoolError`."""
        try:
            return held_in(self._filesystem, taken.path)
        except OSError as error:
            raise _error(error, taken.path) from error

    def move_on(self, taken: Taken, mark: str) -> Taken:
        """Note how far it came, durably. Raises `SpoolError`."""
        stem = taken.path.name.partition(".")[0]
        moved = taken._replace(path=self._directory / f"{stem}.{taken.request}.{mark}.{taken.verb}", mark=mark)
        try:
            self._filesystem.rename(taken.path, moved.path)
            self._filesystem.sync_directory(self._directory)
        except OSError as error:
            raise _error(error, taken.path) from error
        return moved

    def forget(self, taken: Taken) -> None:
        """Delete what was taken out: it has been dealt with. Raises `SpoolError`."""
        try:
            with suppress(FileNotFoundError):
                self._filesystem.unlink(taken.path)
            self._filesystem.sync_directory(self._directory)
        except OSError as error:
            raise _error(error, taken.path) from error

    def _settle(self) -> None:
        """Finish what a power cut may have interrupted: see the module. Raises `OSError`."""
        if not self._unsettled:
            return
        names = self._filesystem.names(self._directory)
        out = {name.split(".")[0] for name in names if name.count(".") == 3 and name.endswith(_VERBS)}
        for name in names:
            stem, _, kind = name.partition(".")
            if kind != "rest":
                continue
            rest = self._directory / name
            if stem in out:
                self._filesystem.rename(rest, self.path(unquote(stem)))
            else:  # it never came to step 2
                self._filesystem.unlink(rest)
            self._filesystem.sync_directory(self._directory)
        self._unsettled = False


def sinks_held(filesystem: Filesystem, directory: Path) -> list[str]:
    """Return the names that have lines in a quarantine's directory."""
    try:
        return sorted(unquote(name[:-3]) for name in filesystem.names(directory) if name.endswith(".lp"))
    except OSError:
        return []


def held_in(filesystem: Filesystem, path: Path) -> list[Held]:
    """Return the lines of one file of a quarantine, none if there is no such file. Raises `OSError`."""
    try:
        content = filesystem.read(path)
    except FileNotFoundError:
        return []
    return list(_parse(content))


def one_line(reason: str) -> str:
    """Return ``reason`` as one printable line of bounded length, safe as a comment.

    InfluxDB 1.x reads on past the end of a comment that leaves a double quote open or ends in a backslash, answers
    204 and loses the line after it; so both are replaced.
    """
    safe = reason.replace('"', "'").replace("\\", "/")
    printable = "".join(character if character.isprintable() else " " for character in safe)
    words = " ".join(printable.split())
    return words if len(words) <= MAX_REASON else words[: MAX_REASON - 3] + "..."


def of_boot(boot: bytes) -> str:
    """Return the words that tell `Held` of which boot the times are."""
    return f"{_OF_BOOT}{boot.hex()}"


def _parse(content: bytes) -> Iterator[Held]:
    reason = ""
    for line in content.split(b"\n"):
        if line.startswith(b"#"):
            reason = line[1:].strip().decode(errors="replace")
        elif line.strip():
            yield Held(reason, line)


def _text(lines: Iterable[Held]) -> bytes:
    parts, above = [], None
    for reason, line in lines:
        if reason != above:
            parts.append(b"# %s\n" % reason.encode())
            above = reason
        parts.append(line + b"\n")
    return b"".join(parts)


def _error(error: OSError, path: Path) -> SpoolError:
    kind = SpoolFull if error.errno in (ENOSPC, EDQUOT) else SpoolError
    return kind(f"cannot write {path}: {error.strerror}")
