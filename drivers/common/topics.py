"""Levels of a topic, as options name them: ``topic:2``, or ``topic:-1`` for the last."""

TOPIC = "topic:"


def level_of(where: str) -> int | None:
    """Return the level that ``topic:N`` names, None for another reference; ``ValueError`` for no number."""
    if not where.startswith(TOPIC):
        return None
    try:
        return int(where.removeprefix(TOPIC))
    except ValueError:
        raise ValueError('write a topic level as "topic:2", or "topic:-1" for the last') from None


def level_in(topic: str, level: int) -> str | None:
    """Return a level of a topic, None where it has none such."""
    levels = topic.split("/")
    return levels[level] if -len(levels) <= level < len(levels) else None
