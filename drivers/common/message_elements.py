"""Elements of a message that are readings of their own: a list, lists in lists, a map keyed by time or by device.

The path ``each`` leads to them. ``*`` stands for every key or position, ``{device}`` for the same with a name by
which other paths may ask for it; a path that ends elsewhere means all that is below. ``{key}`` is the innermost.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from drivers.common.message_paths import ANY, Key, child, children, split
from drivers.common.message_places import NO_KEYS, PathReference, Place, reference
from drivers.common.text_values import LeftOut

MOST_ELEMENTS = 10_000
"""Elements of one message that are read; a sensor that has more to say says it in several messages."""


class Element(NamedTuple):
    """One element, its keys by their names, and its position among its neighbours."""

    value: Any
    keys: Mapping[str, str]
    position: int


class Elements:
    """Finds the elements of messages; raises ``ValueError`` for a path that cannot work."""

    def __init__(self, each: str) -> None:
        self._expression = reference(each) if each.startswith("jmespath:") else None
        written = (
            [] if self._expression else [one[1:-1] for one in each.split(".") if one[:1] == "{" and one[-1:] == "}"]
        )
        self.names = frozenset({"key", *written})
        if len(written) > len({*written} - {"key"}):
            raise ValueError("each key has a name of its own, and {key} is the innermost")
        steps = () if self._expression else split(each.removeprefix("$.").removeprefix("$"), self.names)
        through = bool(steps) and (steps[-1] is ANY or isinstance(steps[-1], Key))
        self._steps = steps if through else (*steps, ANY)
        self.each = each

    def of(self, message: Any, topic: str) -> Iterator[Element | LeftOut]:  # noqa: ANN401 -- JSON may hold anything
        """Yield the elements, and for each branch that leads to none the reason."""
        if self._expression is not None:
            message = self._expression.find(Place(message, message, topic))
        yield from self._below(message, self._steps, NO_KEYS)

    def _below(self, message: Any, steps: tuple[Any, ...], keys: Mapping[str, str]) -> Iterator[Element | LeftOut]:  # noqa: ANN401 -- the same
        for number, step in enumerate(steps):
            if step is ANY or isinstance(step, Key):
                if not isinstance(message, dict | list | str):
                    yield LeftOut(f"no list and no object at {self.each or 'the top'}")
                    return
                named = {step.name} if isinstance(step, Key) else set()
                for position, (key, below) in enumerate(children(message)):
                    known = {**keys, "key": key, **dict.fromkeys(named, key)}
                    if number == len(steps) - 1:
                        yield Element(below, known, position)
                    else:
                        yield from self._below(below, steps[number + 1 :], known)
                return
            message = child(message, step)


def first_of(paths: list[str]) -> tuple[str, PathReference, PathReference] | None:
    """Return the list into whose first element all paths lead, as text and as path, and a field of its second."""
    found = set()
    for path in paths:
        if path.startswith(("topic:", "const:")):
            continue
        if path.startswith(("jmespath:", "$")) or "{" in path or "0" not in (steps := split(path)):
            return None
        found.add(steps[: steps.index("0")])
    if len(found) != 1:
        return None
    (before,) = found
    where = ".".join(re.sub(r"([.\\*])", r"\\\1", step) for step in before)
    one = next(split(path) for path in paths if not path.startswith(("topic:", "const:")))
    return where, PathReference(before), PathReference((*before, "1", *one[len(before) + 1 :]))
