"""Poison detection: whether an answer that repeats is about one batch, or about the whole server.

Some servers answer a reading that they will never take like a fault of their own (500, a firewall's 403), and so it
would be sent for ever, with everything behind it waiting. Words that say so are known (`gateway.sinks.influxdb`); for
all others the server is asked. Where it has answered the same batch `PATIENCE` times without taking it, it gets
another reading, the witness: one that it has confirmed before. Written again that changes nothing.

===========================  =========================================================================================
the witness is taken         the batch is to blame. It goes in halves, each of them on trial likewise, down to the
                             single lines that are answered so: these are refused, and their words say how it came
the witness is not taken     the server is to blame, and the batch is tried again as before: nothing is quarantined
no witness yet               a batch of many goes in halves; beside a single line, others of its batch are witnesses
===========================  =========================================================================================

Only a server that answers is on trial, not one that is away or busy, and only one that overwrites: elsewhere a
witness would be stored twice. The bound: `PATIENCE` waits for the first trial and the last, and `FEWER` for each
halving between.
"""

import gzip
import zlib
from collections.abc import Awaitable, Callable, Sequence

from gateway import line_protocol
from gateway.errors import SinkError

PATIENCE = 5
"""Answers in a row to one batch, after which another reading is tried."""
FEWER = 2
"""The same for the pieces of a batch that was found to blame."""
WITNESSES = 8
"""Lines of the same batch that are tried as witnesses, at most."""

_BEGINNING = 65_536  # bytes of a body that are looked at for its first line


class Suspicion:
    """Counts one sink's answers to one body at a time; ``write`` has the sink store a body that is in doubt."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]], overwrites: Callable[[], bool]) -> None:
        self._write = write
        self._overwrites = overwrites
        self._confirmed = b""
        self._others: Sequence[bytes] = ()
        self._dividing = False
        self._answers = 0

    def start_batch(self) -> None:
        """Begin with another batch."""
        self._others = ()
        self._dividing = False
        self._answers = 0

    def divide(self, lines: Sequence[bytes]) -> None:
        """Note that a batch goes in pieces, and its lines: each may speak for another."""
        self._others = lines[:: max(1, len(lines) // WITNESSES)]

    def confirmed(self, body: bytes) -> None:
        """Note that the sink has taken a body."""
        self._answers = 0
        beginning = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, _BEGINNING)
        complete = line_protocol.split(beginning[: beginning.rfind(b"\n") + 1])
        self._confirmed = complete[0] if complete else self._confirmed

    def clear(self) -> None:
        """Note an answer that tells of nothing but a server that is away, or another body."""
        self._answers = 0

    async def is_about(self, body: bytes, count: int) -> bool:
        """Count an answer to a body of ``count`` lines; return whether that body is to blame."""
        self._answers += 1
        patience = FEWER if self._dividing and count > 1 else PATIENCE
        if self._answers < patience:
            return False
        self._answers = 0
        if not self._confirmed and not self._others and count > 1:
            self._dividing = True
            return True
        own = line_protocol.split(gzip.decompress(body)) if count == 1 else ()
        for witness in (self._confirmed, *self._others):
            if witness and witness not in own and await self._takes(witness):
                self._confirmed = witness
                self._dividing = True
                return True
        return False

    async def _takes(self, line: bytes) -> bool:
        try:
            await self._write(gzip.compress(line + b"\n", 1))
        except SinkError:
            return False
        return self._overwrites()
