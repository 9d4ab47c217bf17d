"""What is kept of a refused message, and how it stands in a block. Pure."""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gateway.spool import Identity

MAX_RAW = 1024 * 1024
"""Bytes of one message that are kept; what is beyond is cut off, and such a message cannot be decoded again."""

MAX_WORDS = 500
"""Letters of the decoder's words that are kept."""

_ENTRY = struct.Struct("<cII")
_RECORD, _COUNT, _RESOLVED = b"R", b"C", b"D"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message, or a sound frame of a serial line, that did not become a reading, or not all of it.

    source    the source's name
    topic     the topic it came on, or the port of a serial line
    time      when it came: nanoseconds UTC, or since boot where ``boot`` is the id of one
    raw       its bytes, at most `MAX_RAW` of them
    reason    why, as `gateway.contract.Reason` says
    words     the decoder's own words
    device    the sensor on a serial line, "" for messages
    size      how many bytes it had
    identity  what it is known by when its broker sends it again, None where there is nothing to know it by
    digests   of the lines that it gave all the same: a retry stores only what is new
    retained  whether its broker had kept it
    """

    source: str
    topic: str
    time: int
    raw: bytes
    reason: str
    words: str = ""
    boot: bytes | None = None
    device: str = ""
    size: int = 0
    identity: Identity | None = None
    digests: tuple[int, ...] = ()
    retained: bool = False

    @property
    def is_whole(self) -> bool:
        """Tell whether all of it is kept, so that it can be decoded again."""
        return len(self.raw) == self.size


class Kept(NamedTuple):
    """A refusal in the store, by its number there."""

    number: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Counted:
    """Messages that were counted and not kept, because their source had used up its share of the disk.

    ``first`` and ``last`` are nanoseconds UTC, None while nobody knew it.
    """

    source: str
    reason: str
    words: str
    count: int
    first: int | None = None
    last: int | None = None
    identities: tuple[Identity, ...] = ()


class Resolved(NamedTuple):
    """A kept message that needs nobody any more: its number, and what was done with it."""

    number: int
    outcome: str


Entry = Refusal | Counted | Resolved


def digest(line: bytes, *, own_time: bool) -> int:
    """Return what a line of a message is known by: without its time, where that is only the time of arrival."""
    return zlib.crc32(line if own_time else line.rpartition(b" ")[0])


def pack(entries: Iterable[Entry]) -> bytes:
    """Return entries as they stand in a block."""
    parts: list[bytes] = []
    for entry in entries:
        kind, about, raw = _plain(entry)
        meta = json.dumps(about, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        parts += (_ENTRY.pack(kind, len(meta), len(raw)), meta, raw)
    return b"".join(parts)


def unpack(text: bytes) -> Iterator[Entry]:
    """Return the entries of a block. Raises ``ValueError`` where they make no sense."""
    offset = 0
    try:
        while offset < len(text):
            kind, length, size = _ENTRY.unpack_from(text, offset)
            offset += _ENTRY.size
            about = json.loads(text[offset : offset + length].decode("utf-8", "surrogatepass"))
            offset += length
            yield _entry(kind, about, text[offset : offset + size])
            offset += size
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError(f"an entry makes no sense: {error}") from error


def _plain(entry: Entry) -> tuple[bytes, dict[str, Any], bytes]:
    if isinstance(entry, Resolved):
        return _RESOLVED, entry._asdict(), b""
    if isinstance(entry, Counted):
        return _COUNT, asdict(entry), b""
    about = {
        "source": entry.source,
        "topic": entry.topic,
        "time": entry.time,
        "reason": entry.reason,
        "words": entry.words,
        "boot": None if entry.boot is None else entry.boot.hex(),
        "device": entry.device,
        "size": entry.size,
        "identity": entry.identity,
        "digests": entry.digests,
        "retained": entry.retained,
    }
    return _RECORD, about, entry.raw


def _entry(kind: bytes, about: dict[str, Any], raw: bytes) -> Entry:
    if kind == _RESOLVED:
        return Resolved(about["number"], about["outcome"])
    if kind == _COUNT:
        identities = tuple(Identity(*one) for one in about["identities"])
        return Counted(**{**about, "identities": identities})
    if kind != _RECORD:
        raise ValueError(f"no kind of entry is called {kind!r}")
    boot, identity = about["boot"], about["identity"]
    return Refusal(
        about["source"],
        about["topic"],
        about["time"],
        raw,
        about["reason"],
        about["words"],
        None if boot is None else bytes.fromhex(boot),
        about["device"],
        about["size"],
        None if identity is None else Identity(*identity),
        tuple(about["digests"]),
        about["retained"],
    )
