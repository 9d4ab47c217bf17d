"""How far each sink has come: ``cursors/<sink>.json``, replaced in one step.

``{"next": 1200, "check": "9f1c22ab"}``: the sink has everything below reading 1200, and perhaps more: see `progress`.
``check`` is the CRC-32 of the rest as compact JSON with sorted keys, so that a flipped bit cannot skip readings;
whoever edits the file by hand just leaves it out. A cursor that is missing or makes no sense starts at the oldest
reading kept, because sending again is harmless. Other keys belong to whoever wrote them and are kept.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem, replace_file
from gateway.spool.member import MAX_SEQUENCE, Header
from gateway.spool.progress import Progress

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Cursors:
    """The cursors of one spool, in memory and on disk; from any thread.

    ``broken`` names the sinks whose file was there but could not be used.
    """

    def __init__(self, filesystem: Filesystem, directory: Path) -> None:
        """Load whatever is there; nothing found in a cursor file is an error."""
        self._filesystem, self._directory = filesystem, directory
        self._states: dict[str, dict[str, Any]] = {}
        self._lock = Lock()
        broken = []
        for name in sorted(_names(filesystem, directory)):
            sink = unquote(name.removesuffix(".json"))
            try:
                self._states[sink] = _parse(filesystem.read(directory / name))
            except (OSError, ValueError):
                broken.append(sink)
        self.broken = tuple(broken)

    @property
    def sinks(self) -> tuple[str, ...]:
        """Every sink that has a cursor, in use or not."""
        return tuple(sorted(self._states))

    def next(self, sink: str) -> int:
        """Return the sequence number of the first reading that ``sink`` has not got; 0 for a sink never seen."""
        return int(self.state(sink).get("next", 0))

    def state(self, sink: str) -> Mapping[str, Any]:
        """Return everything in the sink's cursor, empty where there is none."""
        return self._states.get(sink, _NOTHING)

    def highest(self) -> int:
        """Return the highest number that any sink ever came to: nothing below may be numbered again."""
        return max((Progress(state).front for state in self._states.values()), default=0)

    def lacks(self, sink: str, header: Header) -> bool:
        """Tell whether ``sink`` lacks a member, or some of it."""
        return Progress(self.state(sink)).lacks(header)

    def lowest(self, sinks: Iterable[str]) -> int:
        """Return up to where all of ``sinks`` have everything; 0 without sinks, for then nobody has anything."""
        return min((self.next(sink) for sink in sinks), default=0)

    def save(self, sink: str, next_seq: int, *, durable: bool = False, extra: Mapping[str, Any] = _NOTHING) -> None:
        """Set the sink's cursor, forwards or back, and add the keys of ``extra`` (JSON values) to it.

        The cursor in memory moves in any case, because the sink does have the readings; on a full disk the file does
        too, though not in one step. Only a ``durable`` save is certain to survive a power cut, and only that raises
        `SpoolError` when the disk fails: without, the worst is that readings are sent again.
        """
        path = self._directory / f"{quote(sink, safe='')}.json"
        with self._lock:  # whoever was cancelled while it saved may still be saving
            state = {**self.state(sink), **extra, "next": next_seq}
            state.pop("check", None)
            self._states[sink] = state
            content = {**state, "check": _check(state)}
            data = json.dumps(content).encode()
            try:
                replace_file(self._filesystem, path, data + b"\n", durable=durable)
            except OSError as error:
                if durable:
                    raise SpoolError(f"cannot write {path}: {error.strerror}") from error
                self._overwrite(path, data)

    def _overwrite(self, path: Path, data: bytes) -> None:
        """Write where the old content is, which takes no room; should a power cut tear it, the check tells."""
        with suppress(OSError):
            file = self._filesystem.open(path)
            try:
                file.write(data.ljust(self._filesystem.size(path) - 1) + b"\n", 0)
            finally:
                file.close()


def _names(filesystem: Filesystem, directory: Path) -> list[str]:
    try:
        return [name for name in filesystem.names(directory) if name.endswith(".json")]
    except OSError:
        return []


def _check(state: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(state, sort_keys=True, separators=(',', ':')).encode()):08x}"


def _parse(content: bytes) -> dict[str, Any]:
    state = json.loads(content)
    if not isinstance(state, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the caller sorts out good from bad, not types
    check = state.pop("check", None)
    if check is not None and check != _check(state):
        raise ValueError("the check does not match")
    sequence = state.get("next")
    if type(sequence) is not int or not 0 <= sequence < MAX_SEQUENCE:
        raise ValueError("next is no sequence number")
    return state
