"""Replay detection for HTTP: which requests come again for want of an answer, and which only look alike. Pure.

Whoever posts a message and hears no answer posts it again; whether the first was stored is what they cannot know. A
message has no identity here, and equal content alone proves nothing: a station without a clock says the same twice
whenever the air stands still. So a request is a repeat of an earlier one with the same content only if

- the earlier one's answer did not go out: the other side had left, or was told 503 because the disk was slow; a
  sender that still waits on another connection does not repeat itself;
- or it was among the last stored before a kill (within `TAIL` of the very last), and comes within `SOON` of the
  start.

With a header ``Idempotency-Key`` the sender says it: the same key is the same message, answered or not.

What is left in doubt: an answer that went out and was lost on its way. Where readings have a time of their own, the
two become one; where they have none, both are stored. And the other way round, a station that says the same within
`SOON` of a kill as just before it loses a reading that tells nothing new.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Protocol
from zlib import crc32

from gateway.spool import Identity

TAIL = 5
"""Seconds before the last message stored: what came in them may have been killed before it was answered."""
SOON = 60
"""Seconds after a start in which messages are compared with those."""
KEPT = 600
"""Seconds for which an unanswered message is remembered."""
MOST = 4096
MOST_KEYS = 16_384

_SECONDS = 0xFFFF  # seconds since boot, as they fit into an identity


class Sender(Protocol):
    """A request that waits for its answer: `gateway.links.http.exchange.Exchange`."""

    @property
    def is_open(self) -> bool:
        """Whether the other side still waits."""


class Accepted:
    """A message that was accepted: the number of its delivery, and who waits for it."""

    def __init__(self, number: int, now: float) -> None:
        self.number = number
        self.since = now
        self.is_stored = False
        self.senders: list[Sender] = []


class Replays:
    """Remembers messages whose answers did not go out, and keys; times are seconds that never step."""

    def __init__(self, source: str, seen: Sequence[Identity]) -> None:
        self._source = source
        self._unanswered: OrderedDict[int, list[Accepted]] = OrderedDict()
        self._keys: OrderedDict[tuple[int, int], Accepted | None] = OrderedDict()
        self._before_start = _tail(one for one in seen if one.source == source_of(source))
        keyed = source_of(source, keyed=True)
        for one in seen:
            if one.source == keyed:
                self._remember_key((one.mid, one.digest), None)
        self._started: float | None = None

    def identity(self, topic: str, payload: bytes, key: str | None, now: float) -> Identity:
        """Return the identity under which a message is stored."""
        if key is not None:
            told = blake2b(key.encode(), digest_size=6).digest()
            mid, digest = int.from_bytes(told[:2], "big"), int.from_bytes(told[2:], "big")
            return Identity(source_of(self._source, keyed=True), mid, digest)
        return Identity.of(self._source, int(now) & _SECONDS, topic, payload)

    def find(self, identity: Identity, now: float) -> Accepted | None:
        """Return the message that this one repeats, None for a new one."""
        if self._started is None:
            self._started = now
        if identity.source == source_of(self._source, keyed=True):
            key = (identity.mid, identity.digest)
            if key not in self._keys:
                return None
            return self._keys[key] or _stored(now)
        if identity.digest in self._before_start and now - self._started < SOON:
            return _stored(now)
        self._forget_old(now)
        for accepted in self._unanswered.get(identity.digest, ()):
            if not any(one.is_open for one in accepted.senders):
                return accepted
        return None

    def take(self, identity: Identity, number: int, now: float) -> Accepted:
        """Note a new message."""
        accepted = Accepted(number, now)
        if identity.source == source_of(self._source, keyed=True):
            self._remember_key((identity.mid, identity.digest), accepted)
        else:
            self._unanswered.setdefault(identity.digest, []).append(accepted)
            if len(self._unanswered) > MOST:
                self._unanswered.popitem(last=False)
        return accepted

    def answered(self, identity: Identity, accepted: Accepted) -> None:
        """Note that the answer to a message went out."""
        if identity.source == source_of(self._source, keyed=True):
            return
        self._before_start.discard(identity.digest)
        key = identity.digest
        left = [one for one in self._unanswered.get(key, ()) if one is not accepted]
        if left:
            self._unanswered[key] = left
        else:
            self._unanswered.pop(key, None)

    def _remember_key(self, key: tuple[int, int], accepted: Accepted | None) -> None:
        self._keys[key] = accepted
        if len(self._keys) > MOST_KEYS:
            self._keys.popitem(last=False)

    def _forget_old(self, now: float) -> None:
        while self._unanswered:
            key, accepted = next(iter(self._unanswered.items()))
            if now - accepted[-1].since < KEPT:
                return
            del self._unanswered[key]


def source_of(name: str, *, keyed: bool = False) -> int:
    """Return the number under which a source's identities are stored; ``keyed``: those by their sender's key."""
    return crc32(f"{name}\0key".encode() if keyed else name.encode())


def _stored(now: float) -> Accepted:
    accepted = Accepted(0, now)
    accepted.is_stored = True
    return accepted


def _tail(seen: Iterable[Identity]) -> set[int]:
    """Return the digests of the messages stored within `TAIL` of the last; the order is that of the disk."""
    found: set[int] = set()
    newest: int | None = None
    for one in reversed(list(seen)):
        if newest is None:
            newest = one.mid
        if (newest - one.mid) & _SECONDS > TAIL:
            break
        found.add(one.digest)
    return found
