"""Held lines and the readings that come with them: all of a group is durable and counts, or nothing of it does.

A message brings readings for the spool, or lines for the quarantine (of sensors that nobody configured), or both, and
is acknowledged once. Killed in between, its broker sends it again, and then it must be known, or nothing of it be
there. A note beside the lines tells, ``quarantine/held.json``::

    {"next": 4711, "size": 1830, "text": 2746813925, "identities": "01009f1c...", "check": "9f1c22ab"}

1. The note: ``held.lp`` has ``size`` bytes, and the spool's next reading is ``next``. ``text`` is the CRC-32 of the
   readings that are to come there, ``null`` without any.
2. The lines go to the end of ``held.lp``.
3. What makes them count: the readings, as the member that begins at ``next``, with the identities of the messages.
   Without readings it is the note once more, with the identities and no ``size``.
4. The caller acknowledges.

A start that finds ``size`` and not that member knows that 3 did not happen: it cuts the file back, and the broker
sends everything again. That the spool goes beyond ``next`` is not enough: what failed to be written before (a portion
of a requeue) may be there after a kill all the same. The ``identities`` (packed as in a member; the newest
`MAX_IDENTITIES`) are of messages that brought held lines only. They go into the spool with the next readings, so the
note holds the newest there are as long as the spool ends at ``next``, and nothing of interest after that.

Where a step fails it is done again, and nothing is taken back: a write that failed may be on the disk all the same.
Until it succeeds nobody takes lines out of the file, and nothing else goes into the spool: ``next`` is the group's.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import RLock
from typing import Any

from gateway.errors import SpoolError
from gateway.spool.filesystem import Filesystem, read_checked, save_checked
from gateway.spool.member import (
    MAX_IDENTITIES,
    Batch,
    Header,
    Identity,
    comment,
    pack_identities,
    unpack_identities,
)
from gateway.spool.quarantine import Quarantine
from gateway.spool.reader import SpoolReader
from gateway.spool.writer import SpoolWriter

HELD = "held"
"""The name in the quarantine; no database may be called so."""


class Holding:
    """Writes readings and held lines of one spool; from any thread.

    ``identities`` are the MQTT packets known from the note alone, oldest first; ``problem`` says, in a sentence, why
    what an interrupted run left could not be put in order, and is "" where it could.
    """

    def __init__(
        self, filesystem: Filesystem, quarantine: Quarantine, writer: SpoolWriter, reader: SpoolReader
    ) -> None:
        """Put in order what an earlier run left."""
        self._filesystem, self._quarantine, self._writer = filesystem, quarantine, writer
        self._path = quarantine.directory / f"{HELD}.json"
        self._lock = RLock()
        self._before: int | None = None
        """The size of the file before the lines of a group that does not count yet."""
        self._to_put = b""
        self.problem = ""
        self.identities: tuple[Identity, ...] = ()
        try:
            self.identities = self._recover(reader)
        except (SpoolError, TypeError, ValueError, struct.error) as error:
            self.problem = f"held lines of an interrupted run may be there twice: {error}"

    def append(self, batch: Batch) -> Header:
        """Make readings durable; raises what `SpoolWriter.append` does."""
        with self._lock:
            if self._before is not None:
                raise SpoolError("held lines wait for the disk, and nothing may go before them")
            return self._append(batch)

    def hold(
        self, held: Mapping[str, Sequence[bytes]], identities: Sequence[Identity], batch: Batch | None = None
    ) -> None:
        """Make lines durable in the quarantine, by the reason that they are held for, and with them a batch.

        ``identities`` are those of the messages that all of it came in; a batch has them already. Raises
        `QuarantineFull` before anything is done, and `SpoolError` when it must be called again with the same.
        """
        with self._lock, self._quarantine.lock:
            if self._before is None:
                text = self._quarantine.encode(HELD, held)
                before = self._quarantine.size(HELD)
                self._note(self.identities, size=before, text=None if batch is None else _check(batch))
                self._before, self._to_put = before, text
                self._quarantine.frozen.add(HELD)
            if self._to_put:
                self._quarantine.put(HELD, self._to_put, end=self._before)
                self._to_put = b""
            if batch is None:
                known = (*self.identities, *identities)[-MAX_IDENTITIES:]
                self._note(known)
                self.identities = known
            else:
                self._append(batch)
            self._before = None
            self._quarantine.frozen.discard(HELD)
            if batch is not None:
                # It counts by its member; should that be damaged one day, the lines need not go with it.
                self._note((), durable=False)

    def _append(self, batch: Batch) -> Header:
        if self.identities:
            known = (*self.identities, *batch.identities)[-MAX_IDENTITIES:]
            batch = replace(batch, identities=known)
        header = self._writer.append(batch)
        self.identities = ()
        return header

    def _note(
        self,
        identities: Sequence[Identity],
        *,
        size: int | None = None,
        text: int | None = None,
        durable: bool = True,
    ) -> None:
        packed = pack_identities(identities).hex()
        note = {"next": self._writer.next_seq, "size": size, "text": text, "identities": packed}
        save_checked(self._filesystem, self._path, note, durable=durable)

    def _noted(self) -> dict[str, Any]:
        """Return the note, empty where there is none or it makes no sense."""
        with suppress(OSError, ValueError):
            return read_checked(self._filesystem, self._path)
        return {}

    def _recover(self, reader: SpoolReader) -> tuple[Identity, ...]:
        state = self._noted()
        noted = state.get("next", 0)
        size, text = state.get("size"), state.get("text")
        beyond = self._writer.next_seq > noted
        if not state or (beyond and (size is None or (text is not None and _may_begin(reader, noted, text)))):
            return ()
        if size is not None:
            try:
                # What a failed write left in the spool, and recovery removed, must not come back by a power cut.
                self._filesystem.sync_directory(self._quarantine.directory.parent)
            except OSError as error:
                raise SpoolError(f"cannot sync the spool: {error.strerror}") from error
            self._quarantine.cut(HELD, int(size))
        # Whatever went into the spool since took them along.
        known = () if beyond else unpack_identities(bytes.fromhex(str(state.get("identities", ""))))
        # Once more: a killed owner may have left it in memory only, after a sync that failed.
        self._note(known)
        return known


def _check(batch: Batch) -> int:
    """Return the CRC-32 that will stand at the end of the batch's member."""
    return zlib.crc32(batch.lines, zlib.crc32(comment(batch.boot) if batch.boot else b""))


def _may_begin(reader: SpoolReader, seq: int, check: int) -> bool:
    """Tell whether the member that begins at ``seq`` has that check; whether it had, where it is gone."""
    members = reader.read(seq, max_lines=1)
    if not members or members[0].header.first != seq:
        return True
    return int.from_bytes(members[0].raw[-8:-4], "little") == check
