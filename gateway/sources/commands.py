"""Rate limit of the commands that decoders send to a broker: back-off a topic, and none where they do harm. Pure.

A decoder asks again with every message that shows the need. The first command to a topic goes out at once, the next
ones after 30 s, a minute, up to five, for as long as the decoder goes on asking; a command that had its effect resets
that. Nothing is kept to be sent later.

Not every broker lets a reader publish. Some drop what is not allowed and do not say so, and that is logged once;
others, as Mosquitto 2.0.11 where the reader speaks MQTT 5, end the connection. After `STRIKES` connections in a row
that ended right after a command, nothing is sent for an hour; and after each further one.
"""

from dataclasses import dataclass, field
from typing import Protocol

import structlog

from gateway.back_off import BackOff, steady
from gateway.contract import Command

FIRST, LONGEST = 30.0, 300.0
"""Seconds between commands to one topic, at first and at most."""
GRACE = 10.0
"""Seconds within which a command has its effect; a decoder that asks again after them saw none."""
IN_VAIN = 3
"""So many commands in a row to one topic without an effect are logged."""
SOON, STRIKES = 5.0, 2
"""A connection that ends within so many seconds may have ended for the command; so many in a row have."""
SILENCE = 3600.0
"""Seconds for which nothing is sent after that."""
MAX_TOPICS = 1000
"""More topics than that at a time get nothing: they are made up."""


class Publisher(Protocol):
    """What sends a message with QoS 0, where it can be sent right now."""

    def publish(self, topic: str, payload: bytes) -> bool:
        """Return whether it is on its way."""


@dataclass(slots=True)
class _Topic:
    """Commands to one topic: when the next may go, when the last went, how many in a row had no effect."""

    due: float
    sent_at: float = 0.0
    count: int = 0
    had_effect: bool = True
    back_off: BackOff = field(default_factory=lambda: BackOff(FIRST, LONGEST, jitter=steady))


class Commands:
    """Decides what goes out of one source; outlives its connections. Times in seconds on the monotonic clock."""

    def __init__(self, source: str, *, max_topics: int = MAX_TOPICS) -> None:
        self._source = source
        self._max_topics = max_topics
        self._topics: dict[str, _Topic] = {}
        self._last = -SOON
        self._strikes = 0
        self._silent_until = 0.0
        self._logged: set[str] = set()

    def send(self, command: Command, publisher: Publisher, now: float) -> bool:
        """Send a command where its topic's wait is over, and return whether it went out."""
        topic = self._topics.get(command.topic) or _Topic(now)
        if now < topic.due:
            topic.had_effect = topic.had_effect and now - topic.sent_at < GRACE
            return False
        if now < self._silent_until or not self._has_room(command.topic, now):
            return False
        if not publisher.publish(command.topic, command.payload):
            return False
        if topic.had_effect:
            topic.count = 0
            topic.back_off.reset()
        topic.count += 1
        topic.due = now + topic.back_off.next()
        topic.sent_at = now
        topic.had_effect = True
        self._topics[command.topic] = topic
        self._last = now
        if topic.count == IN_VAIN:
            self._log_once("commands have no effect: allow this client to publish on the broker", topic=command.topic)
        return True

    def note_disconnect(self, now: float) -> None:
        """Note that a connection ended."""
        self._strikes = self._strikes + 1 if now - self._last < SOON else 0
        if self._strikes >= STRIKES:
            self._silent_until = now + SILENCE
            self._log_once("broker disconnects after each command; none is sent for an hour")

    def _has_room(self, topic: str, now: float) -> bool:
        if topic not in self._topics and len(self._topics) >= self._max_topics:
            self._topics = {name: known for name, known in self._topics.items() if now < known.due}
        return topic in self._topics or len(self._topics) < self._max_topics

    def _log_once(self, event: str, **facts: str) -> None:
        if event not in self._logged:
            self._logged.add(event)
            structlog.get_logger().warning(event, source=self._source, **facts)
