"""Commands from decoders on their way to a broker: seldom, and not where they do harm.

A decoder asks again with every message that shows the need. Here the same topic is sent to at once, and then after
30 s, a minute, up to five, for as long as it goes on asking; after a command that made it content all begins anew.
Nothing is kept to be sent later.

Not every broker lets a reader publish. Some drop what is not allowed in silence, and that is told once; others, as
Mosquitto 2.0.11 where the reader speaks MQTT 5, end the connection. After `STRIKES` connections in a row that ended
right after a command, nothing is sent for an hour; and after each further one.
"""

from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.contract import Command

FIRST, LONGEST = 30.0, 300.0
"""Seconds between commands to one topic, at first and at most."""
GRACE = 10.0
"""Seconds within which a command has its effect; who asks again after them was not content."""
IN_VAIN = 3
"""The command to one topic with which it is told that they have no effect."""
SOON, STRIKES = 5.0, 2
"""A connection that ends within so many seconds may have ended for the command; so many in a row have."""
SILENCE = 3600.0
"""Seconds for which nothing is sent after that."""
MAX_TOPICS = 1000
"""More topics than that at a time get nothing: somebody is inventing them."""


class Publisher(Protocol):
    """What sends a message with QoS 0, where it can be sent right now."""

    def publish(self, topic: str, payload: bytes) -> bool:
        """Return whether it is on its way."""


@dataclass(slots=True)
class _Asked:
    """Commands to one topic: when the next may go, when the last went, how many in a row were in vain."""

    due: float
    at: float = 0.0
    count: int = 0
    content: bool = True


class Commands:
    """Decides what goes out of one source; outlives its connections. Times in seconds on the monotonic clock."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._asked: dict[str, _Asked] = {}
        self._last = -SOON
        self._strikes = 0
        self._silent_until = 0.0
        self._told: set[str] = set()

    def send(self, command: Command, publisher: Publisher, now: float) -> bool:
        """Send a command if it is its time, and return whether it went out."""
        asked = self._asked.get(command.topic) or _Asked(now)
        if now < asked.due:
            asked.content = asked.content and now - asked.at < GRACE
            return False
        if now < self._silent_until or not self._room(command.topic, now):
            return False
        if not publisher.publish(command.topic, command.payload):
            return False
        asked.count = 1 if asked.content else asked.count + 1
        asked.due, asked.at, asked.content = now + min(FIRST * 2 ** (asked.count - 1), LONGEST), now, True
        self._asked[command.topic] = asked
        self._last = now
        if asked.count == IN_VAIN:
            self._tell("commands have no effect: may we publish on this broker?", topic=command.topic)
        return True

    def ended(self, now: float) -> None:
        """Note that a connection ended."""
        self._strikes = self._strikes + 1 if now - self._last < SOON else 0
        if self._strikes >= STRIKES:
            self._silent_until = now + SILENCE
            self._tell("the broker ends our connection after each command: no more for an hour")

    def _room(self, topic: str, now: float) -> bool:
        if topic not in self._asked and len(self._asked) >= MAX_TOPICS:
            self._asked = {name: asked for name, asked in self._asked.items() if now < asked.due}
        return topic in self._asked or len(self._asked) < MAX_TOPICS

    def _tell(self, problem: str, **about: str) -> None:
        """Log once."""
        if problem not in self._told:
            self._told.add(problem)
            structlog.get_logger().warning(problem, source=self._source, **about)
