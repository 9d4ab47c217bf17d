"""Places in a message that options name: a level of its topic, ``topic:2``, or a path in its content."""

from drivers.common.field_values import split
from drivers.common.json_messages import find

TOPIC = "topic:"


def level_of(where: str) -> int | None:
    """Return the level that ``topic:N`` names, None for what is a path; ``ValueError`` for no number."""
    if not where.startswith(TOPIC):
        return None
    try:
        return int(where.removeprefix(TOPIC))
    except ValueError:
        raise ValueError('write a topic level as "topic:2", or "topic:-1" for the last') from None


class Place:
    """Where something is; ``where`` is how the options say it."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._level = level_of(where)
        self._path = split(where)

    def find(self, topic: str, message: object) -> object:
        """Return what is there, None where there is nothing."""
        if self._level is None:
            return find(message, self._path)
        levels = topic.split("/")
        return levels[self._level] if -len(levels) <= self._level < len(levels) else None
