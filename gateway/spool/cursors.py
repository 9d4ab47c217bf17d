"""Cursors: how far each sink has come, one record a sink in ``cursors/<sink>.json``, replaced in one step.

::

    {"version": 1, "next": 100, "front": 900, "in_doubt_to": 950,
     "deferred": [{"boot": "00ab..", "from": 100, "to": 640, "count": 270, "in_doubt_to": 0}],
     "batch": {"first": 900, "settled_to": 912, "quarantine_bytes": 1830},
     "boot": "5e1f..", "stopped": false, "check": "9f1c22ab"}

version      of the record: a newer one than ours is refused, for its meaning is not known
next         the lowest number that the sink lacks; a program that knows only this sends again what is not needed,
             and loses nothing
front        the sink has everything below, but for what is deferred
in_doubt_to  readings from the front up to here were perhaps sent, and the answer is unknown
deferred     readings below the front whose time waits for the clock, and which later ones went ahead of: of each boot
             the members ``from`` to ``to``, ``count`` readings, those below ``in_doubt_to`` perhaps sent
batch        what was done of the batch that begins with reading ``first``, where it goes in pieces: those below
             ``settled_to`` are stored or quarantined, and the quarantine had ``quarantine_bytes`` bytes before
boot         the boot that saved last; ``stopped`` tells that the daemon ended in good order
check        the CRC-32 of the rest as compact JSON with sorted keys, so that a flipped bit cannot skip readings;
             a person who edits the file leaves it out

``version``, ``next``, ``front`` and ``check`` mean the same in every version. A record that is missing or makes no
sense starts at the oldest reading kept, because sending again is harmless. A record without a version is an untyped
one of old, and is read.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem, read_checked, save_checked
from gateway.spool.member import MAX_SEQUENCE, Header

VERSION = 1


@dataclass(frozen=True, slots=True)
class Deferred:
    """One boot's members from ``first`` to ``end``, ``count`` readings, whose time waits for the clock."""

    boot: bytes
    first: int
    end: int
    count: int = 0
    in_doubt_to: int = 0


class Pieces(NamedTuple):
    """What was done of a batch that goes in pieces: see ``batch`` in the module."""

    first: int
    settled_to: int
    quarantine_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """One sink's position: the record in the module, without ``version`` and ``check``."""

    front: int = 0
    in_doubt_to: int = 0
    deferred: tuple[Deferred, ...] = ()
    batch: Pieces | None = None
    boot: str = ""
    stopped: bool = False

    @property
    def next(self) -> int:
        """The lowest number that the sink lacks."""
        return min([self.front, *(one.first for one in self.deferred)])

    @property
    def deferred_count(self) -> int:
        """How many readings are clock-deferred."""
        return sum(one.count for one in self.deferred)

    def lacks(self, header: Header) -> bool:
        """Tell whether the sink lacks a member, or some of it."""
        if header.end > self.front:
            return True
        return any(one.boot == header.boot and one.first < header.end <= one.end for one in self.deferred)

    def in_doubt_below(self, end: int) -> "Cursor":
        """Return it with everything in doubt that the sink lacks below ``end``."""
        deferred = tuple(replace(one, in_doubt_to=one.end) for one in self.deferred)
        return replace(self, in_doubt_to=max(self.in_doubt_to, end), deferred=deferred)

    def with_front(self, to: int) -> "Cursor":
        """Return it with the front at ``to``; what was noted of a batch in pieces at the front is over."""
        batch = None if self.batch is not None and self.batch.first >= self.front else self.batch
        return replace(self, front=to, batch=batch)

    def with_deferred(self, header: Header, *, in_doubt: bool) -> "Cursor":
        """Return it with one more member deferred, which begins at the front or after it."""
        assert header.boot is not None
        known = next((one for one in self.deferred if one.boot == header.boot), None)
        one = known or Deferred(header.boot, header.first, header.end)
        one = replace(one, end=header.end, count=one.count + header.count)
        if in_doubt:
            one = replace(one, in_doubt_to=header.end)
        if known is None:
            return replace(self, deferred=(*self.deferred, one))
        return replace(self, deferred=tuple(one if other is known else other for other in self.deferred))

    def with_doubt(self, boot: bytes, end: int) -> "Cursor":
        """Return it with a deferred boot's readings below ``end`` in doubt."""
        deferred = (
            replace(one, in_doubt_to=max(one.in_doubt_to, end)) if one.boot == boot else one for one in self.deferred
        )
        return replace(self, deferred=tuple(deferred))

    def with_released(self, boot: bytes, to: int, count: int) -> "Cursor":
        """Return it without a boot's members below ``to``, ``count`` readings: the sink has them."""
        moved = [
            replace(one, first=to, count=one.count - count) if one.boot == boot else one for one in self.deferred
        ]
        batch = None if self.batch is not None and self.batch.first < self.front else self.batch
        return replace(self, deferred=tuple(one for one in moved if one.first < one.end), batch=batch)

    def encode(self) -> dict[str, Any]:
        """Return it as JSON values."""
        deferred = [
            {
                "boot": one.boot.hex(),
                "from": one.first,
                "to": one.end,
                "count": one.count,
                "in_doubt_to": one.in_doubt_to,
            }
            for one in self.deferred
        ]
        return {
            "version": VERSION,
            "next": self.next,
            "front": self.front,
            "in_doubt_to": self.in_doubt_to,
            "deferred": deferred,
            "batch": None if self.batch is None else self.batch._asdict(),
            "boot": self.boot,
            "stopped": self.stopped,
        }

    @classmethod
    def decode(cls, state: Mapping[str, Any]) -> "Cursor":
        """Return the record in JSON values of this version, or untyped ones; ``next`` is a sequence number.

        Where the other parts do not fit together, all that is not surely there is lacking, and in doubt.
        """
        typed = "version" in state
        doubt = "in_doubt_to" if typed else "sending"
        front, deferred = _positions(state, "deferred" if typed else "held", doubt)
        in_doubt_to = state.get(doubt, 0)
        boot = state.get("boot")
        return cls(
            front,
            in_doubt_to if type(in_doubt_to) is int else MAX_SEQUENCE,
            deferred,
            _pieces(state.get("batch"))
            if typed
            else _untyped_pieces(state, {front, *(one.first for one in deferred)}),
            boot if isinstance(boot, str) else "",
            state.get("stopped") is True,
        )


class Cursors:
    """The cursors of one spool, in memory and on disk; from any thread.

    broken   the sinks whose file was there and could not be used
    refused  by sink, a sentence why its record is left alone: it is of a newer version
    """

    def __init__(self, filesystem: Filesystem, directory: Path) -> None:
        """Load whatever is there; nothing found in a cursor file is an error."""
        self._filesystem = filesystem
        self._directory = directory
        self._cursors: dict[str, Cursor] = {}
        self._fronts: dict[str, int] = {}
        self._lock = Lock()
        self.refused: dict[str, str] = {}
        broken = []
        for name in sorted(_names(filesystem, directory)):
            sink = unquote(name.removesuffix(".json"))
            try:
                state = _checked_position(read_checked(filesystem, directory / name))
            except (OSError, ValueError):
                broken.append(sink)
                continue
            version = state.get("version", VERSION)
            if type(version) is int and version > VERSION:
                self._refuse(sink, state, version)
            else:
                self._cursors[sink] = Cursor.decode(state)
        self.broken = tuple(broken)

    @property
    def sinks(self) -> tuple[str, ...]:
        """Every sink that has a cursor, in use or not."""
        return tuple(sorted(self._cursors))

    def of(self, sink: str) -> Cursor:
        """Return the sink's cursor, a new one where there is none."""
        return self._cursors.get(sink, _NEW)

    def next(self, sink: str) -> int:
        """Return the sequence number of the first reading that ``sink`` has not got; 0 for a sink never seen."""
        return self.of(sink).next

    def highest(self) -> int:
        """Return the highest number that any sink ever came to: nothing below may be numbered again."""
        return max([*(cursor.front for cursor in self._cursors.values()), *self._fronts.values()], default=0)

    def lacks(self, sink: str, header: Header) -> bool:
        """Tell whether ``sink`` lacks a member, or some of it."""
        return self.of(sink).lacks(header)

    def lowest(self, sinks: Iterable[str]) -> int:
        """Return up to where all of ``sinks`` have everything; 0 without sinks, for then nothing is delivered."""
        return min((self.next(sink) for sink in sinks), default=0)

    def update(self, sink: str, change: Callable[[Cursor], Cursor], *, durable: bool = False) -> Cursor:
        """Replace the sink's cursor by what ``change`` makes of it, and return that.

        The cursor in memory moves in any case, because the sink does have the readings; on a full disk the file does
        too, though not in one step. Only a ``durable`` update is certain to survive a power cut, and only that raises
        `SpoolError` when the disk fails: without, the worst is that readings are sent again. Raises `SpoolError` for
        a record that is refused.
        """
        if sink in self.refused:
            raise SpoolError(self.refused[sink])
        with self._lock:  # a task that was cancelled may still be saving
            cursor = self._cursors[sink] = change(self.of(sink))
            save_checked(self._filesystem, self._path(sink), cursor.encode(), durable=durable)
        return cursor

    def _path(self, sink: str) -> Path:
        return self._directory / f"{quote(sink, safe='')}.json"

    def _refuse(self, sink: str, state: Mapping[str, Any], version: int) -> None:
        path = self._path(sink)
        self.refused[sink] = (
            f"{path} is of version {version}, and this program knows {VERSION}: run the newer program again, or "
            "delete the file and restart this one, which then sends everything kept once more"
        )
        self._cursors[sink] = Cursor(state["next"])
        front = state.get("front")
        self._fronts[sink] = front if type(front) is int and 0 <= front < MAX_SEQUENCE else 0


_NEW = Cursor()


def _checked_position(state: dict[str, Any]) -> dict[str, Any]:
    sequence = state.get("next")
    if type(sequence) is not int or not 0 <= sequence < MAX_SEQUENCE:
        raise ValueError("next is no sequence number")
    return state


def _names(filesystem: Filesystem, directory: Path) -> list[str]:
    try:
        return [name for name in filesystem.names(directory) if name.endswith(".json")]
    except OSError:
        return []


def _positions(state: Mapping[str, Any], deferred: str, doubt: str) -> tuple[int, tuple[Deferred, ...]]:
    """Return the front and what is deferred, or just ``next`` where they do not fit together."""
    lowest: int = state["next"]
    try:
        boots = tuple(
            Deferred(bytes.fromhex(one["boot"]), *(int(one[key]) for key in ("from", "to", "count", doubt)))
            for one in state.get(deferred, [])
        )
        front = int(state.get("front", 0))
    except (KeyError, TypeError, ValueError):
        return lowest, ()
    if boots and lowest == min(one.first for one in boots) and max(one.end for one in boots) <= front < MAX_SEQUENCE:
        return front, boots
    return lowest, ()


def _pieces(batch: object) -> Pieces | None:
    match batch:
        case {"first": int(first), "settled_to": int(settled_to), "quarantine_bytes": int() | None as size}:
            return Pieces(first, settled_to, size)
    return None


def _untyped_pieces(state: Mapping[str, Any], firsts: set[int]) -> Pieces | None:
    """Return what an untyped record notes of a batch that begins at one of ``firsts``: apart, each with its first."""
    found: dict[int, dict[str, int]] = {}
    for key in ("settled", "aside"):
        match state.get(key):
            case [int(first), int(number)] if first in firsts:
                found.setdefault(first, {})[key] = number
    for first, noted in sorted(found.items(), reverse=True):
        return Pieces(first, noted.get("settled", first), noted.get("aside"))
    return None
