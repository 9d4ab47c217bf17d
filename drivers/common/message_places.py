r"""Where something stands in a message: what a configuration writes as one text, a reference.

===================  ===========================================================================================
``a.b.0``            a path: keys, and positions in lists (-1 is the last), joined by dots; ``a\.b`` is one key
``a.*.b``            the one element that there is, whatever its key
``$.a.b``            the same from the top of the message, where ``each`` has led to an element of it
``""``               the element itself, or the whole message
``{key}``            the key or position of the element; or the name that ``each`` gives it
``topic:1``          a level of the topic, counted from 0, or from the end with -1
``const:text``       the text itself
``jmespath:a[0]``    an expression of JMESPath
``{a}-{topic:1}``    a text made of several of these
===================  ===========================================================================================

A text that holds JSON itself is opened where a path leads into it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol, TypeGuard

from drivers.common.message_paths import Step, child, split, walk
from drivers.common.text_values import LeftOut, NoValue

NO_KEYS: Mapping[str, str] = {}
LONGEST_NAME = 128
FROM_TOP = "$."


EXACT = 2**53
"""Whole numbers from here on are not all told apart by floats."""


class Inexact(LeftOut):
    """A name that a parser has rounded."""


class Place(NamedTuple):
    """An element of a message, and what is known of the way to it."""

    message: Any
    element: Any
    topic: str
    keys: Mapping[str, str] = NO_KEYS


class Reference(Protocol):
    """What finds something in a message."""

    def find(self, place: Place) -> Any:  # noqa: ANN401 -- JSON may hold anything
        """Return what stands there, None for nothing; raises `LeftOut` where that is not one thing."""


class PathReference:
    """A path from the element, or from the top of the message."""

    def __init__(self, steps: tuple[Step, ...], *, from_top: bool = False, text: str = "") -> None:
        self._steps = steps
        self._plain = all(type(step) is str for step in steps)
        self.keys: tuple[str, ...] = steps if self._plain else ()
        """Its steps where each is one key or position, else none."""
        self._from_top = from_top
        self._text = text
        self.key: str | None = steps[0] if len(steps) == 1 and self._plain and not from_top else None
        """The one key that it is, for those in a hurry."""

    def find(self, place: Place) -> Any:  # noqa: ANN401 -- JSON may hold anything
        """See `Reference`."""
        found = place.message if self._from_top else place.element
        if self._plain:
            for step in self._steps:
                found = found.get(step) if type(found) is dict else child(found, step)
            return found
        found = [*walk(found, self._steps, place.keys)]
        if len(found) > 1:
            raise LeftOut(f"{len(found)} values at {self._text}, which are several readings: set each")
        return found[0] if found else None


class _Topic(NamedTuple):
    level: int

    def find(self, place: Place) -> str:
        return self.find_in_topic(place.topic)

    def find_in_topic(self, topic: str) -> str:
        levels = topic.split("/")
        if not -len(levels) <= self.level < len(levels):
            raise NoValue(f"the topic has no level {self.level}: {topic}")
        return levels[self.level]


class _Constant(NamedTuple):
    text: str

    def find(self, _: Place) -> str:
        return self.text

    def find_in_topic(self, _: str) -> str:
        return self.text


class _KeyReference(NamedTuple):
    name: str

    def find(self, place: Place) -> str | None:
        return place.keys.get(self.name)


class Join(NamedTuple):
    """A text made of several; where it is no name, its parts may be any number."""

    parts: tuple[Reference, ...]
    is_name: bool

    def find(self, place: Place) -> str:
        """See `Reference`."""
        write = name_of if self.is_name else _text_of
        return "".join(write(part.find(place)) for part in self.parts)


class _Expression:
    def __init__(self, text: str) -> None:
        try:
            import jmespath  # noqa: PLC0415 -- an extra, and only for those who write expressions
        except ImportError:
            raise ValueError("expressions need JMESPath: pip install 'prehod[jmespath]'") from None
        try:
            self._search = jmespath.compile(text).search
        except jmespath.exceptions.JMESPathError as error:
            raise ValueError(f"no expression of JMESPath: {' '.join(str(error).split())}") from None
        self._error = jmespath.exceptions.JMESPathError
        self._text = text

    def find(self, place: Place) -> Any:  # noqa: ANN401 -- JSON may hold anything
        try:
            return self._search(place.element)
        except self._error as error:
            raise LeftOut(f"{self._text}: {' '.join(str(error).split())}") from None


def reference(text: str, names: Collection[str] = (), *, is_name: bool = False) -> Reference:
    """Return what finds what a text refers to; ``names`` are those of the keys that ``each`` gives.

    Raises ``ValueError`` for what cannot work.
    """
    kind, _, rest = text.partition(":")
    if kind == "topic":
        try:
            return _Topic(int(rest))
        except ValueError:
            raise ValueError('write a topic level as "topic:2", or "topic:-1" for the last') from None
    if kind == "const":
        return _Constant(rest)
    if kind == "jmespath":
        return _Expression(rest)
    if text[:1] == "{" and text[1:-1] in names and text[-1:] == "}":
        return _KeyReference(text[1:-1])
    braces = re.findall(r"(?<!\\)\{([^{}]*)\}", text)
    if len(re.findall(r"(?<!\\)[{}]", text)) != 2 * len(braces):
        raise ValueError(f"a brace without its other half: {text!r}")
    steps = f".{text}."
    if braces and not all(f".{{{name}}}." in steps and name in names for name in braces):
        unknown = [name for name in braces if f".{{{name}}}." in steps and name not in names]
        if names and unknown and not is_name and "." in re.sub(r"\{[^{}]*\}", "", text):
            raise ValueError(f"nothing gives {{{unknown[0]}}} its key: each names {', '.join(sorted(names))}")
        return _join(text, names, is_name=is_name)
    from_top = text.startswith(FROM_TOP) or text == "$"
    return PathReference(split(text[len(FROM_TOP) :] if from_top else text, names), from_top=from_top, text=text)


def _join(text: str, names: Collection[str], *, is_name: bool) -> Reference:
    parts: list[Reference] = []
    for number, part in enumerate(re.split(r"\{([^{}]*)\}", text)):
        if number % 2:
            parts.append(_KeyReference(part) if part in names else reference(part, names))
        elif part:
            parts.append(_Constant(part))
    return Join(tuple(parts), is_name)


def _text_of(value: object) -> str:
    """Return a part of a text; raises `LeftOut` where it is none."""
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return str(value)
    raise NoValue("a part of it is missing") if value is None else LeftOut(f"{value!r:.40} is no text and no number")


def is_of_topic(where: Reference | None) -> TypeGuard[_Topic | _Constant]:
    """Tell whether the topic alone decides what is found."""
    return isinstance(where, (_Topic, _Constant))


def name_of(value: object) -> str:
    """Return what names something: a short text, or a whole number; raises `LeftOut`."""
    if type(value) is int:
        return str(value)
    if type(value) is float and value.is_integer():
        if abs(value) >= EXACT:
            raise Inexact(f"{value!r} is a whole number beyond 64 bits, or a fraction")
        return str(int(value))
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise LeftOut(f"{value!r:.40} is no name of 1 to {LONGEST_NAME} printable characters")
    return value
