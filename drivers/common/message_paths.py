"""Paths in a message of objects, lists, texts and numbers; texts that hold JSON are opened where a path leads in."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from drivers.common.json_messages import parse
from gateway.contract import Reject

ANY = object()


class Key(NamedTuple):
    """A step whose key is that of the element, or another that ``each`` names."""

    name: str


Step = Any
"""A key, `ANY`, or a `Key`."""


def split(path: str, names: Collection[str] = ()) -> tuple[Step, ...]:
    """Return the steps of a path; a backslash makes a dot, or any other sign, a part of the key."""
    steps: list[Step] = []
    for written in _pieces(path) if path else ():
        if written == "*":
            steps.append(ANY)
        elif written[:1] == "{" and written[-1:] == "}":
            if written[1:-1] not in names:
                raise ValueError(f"nothing gives {written} its key: each names {', '.join(sorted(names)) or 'none'}")
            steps.append(Key(written[1:-1]))
        else:
            steps.append(re.sub(r"\\(.)", r"\1", written))
    return tuple(steps)


def _pieces(path: str) -> list[str]:
    """Cut a path at its dots; what a backslash escapes stays escaped."""
    pieces, escaped = [""], False
    for letter in path:
        if letter == "." and not escaped:
            pieces.append("")
        else:
            pieces[-1] += letter
        escaped = letter == "\\" and not escaped
    return pieces


def child(message: object, step: str) -> Any:  # noqa: ANN401 -- JSON may hold anything
    """Return what stands one step further; None where there is nothing, or null."""
    if type(message) is str and message.lstrip()[:1] in ("{", "["):
        message = parse(message.encode())
        if isinstance(message, Reject):
            return None
    if type(message) is dict:
        return message.get(step)
    if type(message) is list and (position := position_of(step)) is not None:
        return message[position] if -len(message) <= position < len(message) else None
    return None


def position_of(step: str) -> int | None:
    """Return the position in a list that a step is, None where it can be none."""
    return int(step) if step.removeprefix("-").isdecimal() and len(step) < 7 else None


def walk(message: Any, steps: tuple[Step, ...], keys: Mapping[str, str]) -> Iterator[Any]:  # noqa: ANN401 -- JSON
    """Yield what stands at a path, of which a step may be any key; what is null is nothing."""
    for number, step in enumerate(steps):
        if step is ANY:
            for _, below in children(message):
                yield from walk(below, steps[number + 1 :], keys)
            return
        message = child(message, keys.get(step.name, "") if isinstance(step, Key) else step)
    if message is not None:
        yield message


def children(message: object) -> list[tuple[str, Any]]:
    """Return what a list or an object holds, by position or key."""
    if type(message) is str and message.lstrip()[:1] in ("{", "["):
        message = parse(message.encode())
    if type(message) is dict:
        return [*message.items()]
    return [(str(number), one) for number, one in enumerate(message)] if type(message) is list else []
