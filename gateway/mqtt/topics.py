"""Topic filters of MQTT: which topics one matches, and whether two can ever match the same. Pure.

Source: MQTT 5.0 (OASIS 2019), 4.7 and 4.8.2.
"""

from itertools import zip_longest


def _levels(filter_: str) -> list[str]:
    """Return the levels of a filter, without the words of a shared subscription."""
    levels = filter_.split("/")
    return levels[2:] if levels[0] == "$share" and len(levels) > 2 else levels


def matches(filter_: str, topic: str) -> bool:
    """Tell whether a message on ``topic`` comes by a subscription to a filter."""
    return overlap(filter_, topic)


def overlap(first: str, second: str) -> bool:
    """Tell whether there is a topic that both filters match."""
    for one, other in zip_longest(_levels(first), _levels(second)):
        if "#" in (one, other):
            return True  # it stands for what is above it, too
        if one is None or other is None:
            return False
        if one != other and "+" not in (one, other):
            return False
    return True
