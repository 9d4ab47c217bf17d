"""Telling a message that comes again from a new one.

MQTT QoS 1 delivers at least once: what a broker has seen no acknowledgement for, it sends again after a reconnect,
with DUP set and the same packet identity. Whether we took it is ours to know. The packet identity alone does not say
it, since identities are used again: an entry counts only with the same digest of topic and payload, and only from the
connections whose acknowledgements may have been lost. Those end where the first message without DUP shows that the
broker has caught up (it repeats first), or where the broker says that it forgot the session.
"""

from array import array
from collections.abc import Iterable

_DIGEST = 0xFFFFFFFF


class Redelivery:
    """Remembers the messages taken under each of the 65,536 packet identities; half a megabyte, whatever the traffic.

    ``taken`` are the (packet identity, digest) pairs that an earlier run stored last.
    """

    def __init__(self, taken: Iterable[tuple[int, int]] = ()) -> None:
        self._entries = array("Q", bytes(8 * 65536))
        self._epoch = 1
        self._oldest = 1
        for mid, digest in taken:
            self._entries[mid] = self._epoch << 32 | digest

    def connected(self, *, session_present: bool) -> None:
        """Begin a new connection."""
        self._epoch += 1
        if not session_present:
            self._oldest = self._epoch

    def is_repeat(self, mid: int, digest: int, *, repeated: bool) -> bool:
        """Tell whether this message was taken before; if not, it counts as taken now. ``repeated`` is its DUP."""
        known = False
        if repeated:
            entry = self._entries[mid]
            known = entry & _DIGEST == digest and entry >> 32 >= self._oldest
        else:
            self._oldest = self._epoch
        # A repeat as well: until its acknowledgement arrives, it may come once more by a later connection.
        self._entries[mid] = self._epoch << 32 | digest
        return known
