"""What version 0.1 left of unknown sensors, ``held.lp`` and ``held.json`` in the quarantine, honoured at the start.

That version wrote such lines into ``held.lp``, before the readings that came with them, and this note first::

    {"next": 4711, "size": 1830, "text": 2746813925, "identities": "01009f1c...", "check": "9f1c22ab"}

With ``size`` it speaks of a write under way: ``held.lp`` had ``size`` bytes before, and what makes its new lines
count is the member that begins at ``next``, whose text has the CRC-32 ``text`` (``null``: no reading came with it).
Where that member is not, the file is cut back, and the broker sends everything again. ``identities`` (packed as in a
member) are of messages that brought such lines only; as long as the spool ends at ``next``, nothing else knows them.
"""

import struct
from pathlib import Path

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem, read_checked, save_checked
from gateway.spool.member import Identity, pack_identities, unpack_identities
from gateway.spool.quarantine import Quarantine
from gateway.spool.quarantine_lines import UNKNOWN_SENSORS
from gateway.spool.segments import Found, SegmentIndex, walk

HELD = "held"
"""The name of version 0.1 in the quarantine; no database may be called so."""


def honour(
    filesystem: Filesystem, quarantine: Quarantine, next_seq: int, index: SegmentIndex
) -> tuple[Identity, ...]:
    """Put in order what that version left, if anything, and return the identities that only its note knows.

    The file gets the name that it has now, unless there is one already. Raises `SpoolError`: then no lines may be
    brought into the quarantine before the next start.
    """
    identities = _finish(filesystem, quarantine, next_seq, index)
    old, new = quarantine.path(HELD), quarantine.path(UNKNOWN_SENSORS)
    try:
        names = filesystem.names(quarantine.directory)
        if old.name in names and new.name not in names:
            filesystem.rename(old, new)
            filesystem.sync_directory(quarantine.directory)
    except OSError as error:
        raise SpoolError(f"cannot rename {old}: {error.strerror}") from error
    return identities


def _finish(
    filesystem: Filesystem, quarantine: Quarantine, next_seq: int, index: SegmentIndex
) -> tuple[Identity, ...]:
    path = quarantine.directory / "held.json"
    try:
        state = read_checked(filesystem, path)
        noted, size, text = int(state["next"]), state.get("size"), state.get("text")
        identities = unpack_identities(bytes.fromhex(str(state.get("identities", ""))))
        cut = None if size is None else int(size)
        check = None if text is None else int(text)
    except (OSError, KeyError, TypeError, ValueError, struct.error):
        return ()
    beyond = next_seq > noted
    if beyond:
        identities = ()  # whatever went into the spool since took them along
    root = quarantine.directory.parent
    try:
        finished = cut is None or (beyond and check is not None and _may_begin(filesystem, root, index, noted, check))
        if beyond and finished:
            filesystem.unlink(path)
            return ()
        if not finished:
            # What a failed write left in the spool, and recovery removed, must not come back by a power cut.
            filesystem.sync_directory(root)
            quarantine.cut(HELD, cut or 0)
        # Written anew in any case: a killed owner may have left it in memory only, after a sync that failed.
        known = pack_identities(identities).hex()
        note = {**state, "size": None, "text": None, "identities": known}
        save_checked(filesystem, path, note, durable=True)
    except OSError as error:
        raise SpoolError(f"cannot do what {path} says: {error.strerror}") from error
    return identities


def _may_begin(filesystem: Filesystem, root: Path, index: SegmentIndex, seq: int, check: int) -> bool:
    """Tell whether the member that begins at ``seq`` has that check; whether it had, where it is gone."""
    segment = index.at(seq)
    if segment is not None:
        for found in walk(filesystem, root / segment.name, segment.size, parked=True):
            if isinstance(found, Found) and found.header.first == seq:
                return int.from_bytes(found.raw[-8:-4], "little") == check
    return True
