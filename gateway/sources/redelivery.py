"""Duplicate detection for MQTT QoS 1: which messages are redeliveries of what was stored already. Pure.

MQTT QoS 1 delivers at least once: what a broker has seen no acknowledgement for, it sends again after a reconnect,
with DUP set and the same packet identity. DUP alone does not tell that the gateway stored it, since what was lost on
its way comes with DUP too. And identities are used again: a message under the identity of an earlier one, lost in
flight and sent again, looks like that earlier one repeated, if it has the same content. To treat it as a repeat is to
lose it. So a message is a repeat only if topic and payload have the digest last seen under its identity, and nothing
shows that the broker was done with that one:

- the broker forgot the session: it repeats nothing;
- a message without DUP arrived on this connection: a broker repeats first, so what was seen on earlier connections
  and has not been repeated by now was acknowledged;
- its identity, or one delivered later on this connection, came without DUP: a broker gives away only free identities,
  and acknowledgements arrive in the order in which they are sent, which is that of delivery;
- `REACH` new messages were seen since: so many are never in flight.

How brokers choose identities decides how much that helps:

=====================  =============================================================================================
counting to 65,535     (Mosquitto, EMQX) the same identity means the same content only after 65,535 messages, far
                       beyond `REACH`: repeats are told exactly
ring or lowest free    (rumqttd, HiveMQ) identities come back after a few messages, and by coming back they tell what
                       was acknowledged. What is left in doubt is the next message under the identity of one of the
                       last few seen, lost in flight and equal to it in topic and payload: it counts as a repeat,
                       since a lost acknowledgement is far more likely. A reading with its own time is never equal
=====================  =============================================================================================

No broker's window bounds `REACH`: Mosquitto 2.0.11 was seen to send a whole window more for each acknowledgement, 295
messages in flight where Receive Maximum allowed 50. Half of all identities is more than ever was in flight, and less
than it takes to come round. Nothing here helps against a broker that repeats without DUP (rumqttd) or under new
identities: what it repeats is stored twice, unless the reading has a time of its own. And a gateway killed after a
session was lost, before it stored anything of the next, cannot know of that: see the doubt above.

Source: MQTT 3.1.1 (OASIS 2014) and 5.0 (OASIS 2019), 4.4 and 4.6.
"""

from array import array
from collections.abc import Iterable

REACH = 32_768
"""Beyond so many newer messages, nothing is a repeat."""

_LOW = 0xFFFFFFFF


class Redelivery:
    """Remembers the message last seen under each of the 65,536 packet identities; a megabyte, whatever the traffic.

    ``seen`` are the (packet identity, digest) pairs that an earlier run stored, oldest first.
    """

    def __init__(self, seen: Iterable[tuple[int, int]] = (), *, reach: int = REACH) -> None:
        self._reach = reach
        self._delivered = array("Q", bytes(8 * 65536))
        """For each identity, which delivery was its last; 0 for none."""
        self._seen = array("Q", bytes(8 * 65536))
        """For each identity, how many new messages there had been with its last one (low 32 bits), and the digest."""
        self._deliveries = 0
        self._new = 0
        self._before = 0
        """The last delivery on earlier connections."""
        self._done = 0
        """The broker is done with every message delivered up to here."""
        for mid, digest in seen:
            self.note_message(mid, digest, repeated=False)

    def begin_connection(self, *, session_present: bool) -> None:
        """Note a new connection, and whether the broker kept the session."""
        self._before = self._deliveries
        if not session_present:
            self._done = self._deliveries

    def note_message(self, mid: int, digest: int, *, repeated: bool) -> bool:
        """Note a message, and return whether it was seen before; ``repeated`` is its DUP."""
        delivered, entry = self._delivered[mid], self._seen[mid]
        known = False
        if repeated:
            age = self._new - (entry >> 32) & _LOW
            known = delivered > self._done and age < self._reach and entry & _LOW == digest
        else:
            self._done = max(self._done, self._before, delivered)
        # A repeat as well: until its acknowledgement arrives, it may come once more by a later connection.
        self._deliveries += 1
        self._delivered[mid] = self._deliveries
        if not known:
            self._new += 1
            self._seen[mid] = (self._new & _LOW) << 32 | digest
        return known
