"""The note of version 0.1 beside the lines of unknown sensors, ``quarantine/held.json``, honoured at the start.

That version wrote such lines into the quarantine, before the readings that came with them, and this note first::

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


def honour(
    filesystem: Filesystem, quarantine: Quarantine, next_seq: int, index: SegmentIndex
) -> tuple[Identity, ...]:
    """Put in order what such a note speaks of, if there is one, and return the identities that only it knows.

    Raises `SpoolError`: then nothing may be added to the file before the next start.
    """
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
            quarantine.cut(UNKNOWN_SENSORS, cut or 0)
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
