"""Lenient reader of JSON that is not quite JSON: asked after the strict one has refused a message.

What is mended has one meaning only, whoever reads it, and each kind of mending is named:

- the encoding: a byte order mark, UTF-16 and UTF-32, single bytes of Western or Central Europe
- the end: NULs, and what stands behind a NUL, as senders of C buffers leave it; a comma before a bracket closes
- several objects one after the other, as in JSON Lines, which are read as a list
- the texts: single quotes, raw control characters, escapes of other languages, words without quotes
- the names: without quotes, or twice in one object, of which the last counts
- the numbers: ``21.``, ``.5``, ``+5``, zeros in front; whole numbers beyond 64 bits, which are kept exactly
- the words: True, False, None; nan, inf and 1e999, or nothing at all behind a name, which are no value

Nothing is guessed: a letter whose alphabet is not known becomes one that is not printable, so that nothing is called
by it, and a number that is octal to one reader and decimal to another is no value. The rest is refused with the place
and what stands there.
"""

import re
from typing import Any, NamedTuple, NoReturn

from drivers.common.lenient_scalars import NO_NUMBER, NO_NUMBER_SAID, NUMBER, TEXTS, WORD, Scalar, number, text, word
from drivers.common.text_encodings import decode

MAX_MENDED = 64 * 1024
"""Bytes of the longest message that is mended: this reader is much slower than the strict one."""
MAX_DEPTH = 64

NAME_TWICE = "a name twice in one object"
"""The mending after which a value may be another."""

_SPACE = re.compile(r"[\s\ufeff]*")
_WHOLE = re.compile(r"-?[0-9]+(?=\s*:)")
_TYPOGRAPHIC = frozenset("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb")


class NotMended(ValueError):
    """The text has no meaning, or more than one; the message says where, and what stands there."""


class Mended(NamedTuple):
    """What a text means, and each kind of mending with its first place."""

    value: Any
    mendings: dict[str, str]


def read(payload: bytes) -> Mended:
    """Read what the strict reader refused; raises `NotMended`."""
    if len(payload) > MAX_MENDED:
        raise NotMended(f"not mended, for it has {len(payload)} bytes, more than {MAX_MENDED}")
    try:
        said, mendings = decode(payload)
    except ValueError as error:
        raise NotMended(str(error)) from None
    return Mended(_Reader(said, mendings).whole(), mendings)


class _Reader:
    def __init__(self, text: str, mendings: dict[str, str]) -> None:
        self._text = text
        self._at = 0
        self._mendings = mendings

    def whole(self) -> Any:  # noqa: ANN401 -- JSON may hold anything
        """Return the one value of the text, or a list of several objects or lists that stand one after the other."""
        value = self._value(0)
        if isinstance(value, dict | list) and self._next() in ("{", "["):
            self._mend("several values one after the other, read as a list")
            value = [value]
            while self._next() in ("{", "["):
                value.append(self._value(0))
        if self._next() == "\0":
            only = not self._text[self._at :].strip("\0 \t\r\n")
            self._mend("NUL at the end" if only else "what stands behind a NUL")
        elif self._next():
            self._refuse("the end")
        return value

    def _value(self, depth: int) -> Any:  # noqa: ANN401 -- JSON may hold anything
        mark = self._next()
        if mark in ("{", "["):
            if depth == MAX_DEPTH:
                raise NotMended(f"brackets within brackets, deeper than {MAX_DEPTH}, at character {self._at + 1}")
            self._at += 1
            return self._object(depth + 1) if mark == "{" else self._list(depth + 1)
        if mark in ('"', "'"):
            return self._string()
        found, scalar = self._scalar(within=depth > 0)
        for what in scalar.mendings:
            self._mend(what)
        self._at = found.end()
        return scalar.value

    def _scalar(self, *, within: bool) -> tuple[re.Match[str], Scalar]:
        if found := NUMBER.match(self._text, self._at):
            try:
                return found, number(found[0])
            except ValueError as error:
                raise NotMended(f"at character {self._at + 1} stands {error}") from None
        if found := NO_NUMBER.match(self._text, self._at):
            return found, Scalar(None, (NO_NUMBER_SAID,))
        if found := WORD.match(self._text, self._at):
            meant = word(found[0])
            if within or meant.value != found[0]:
                return found, meant
        return self._refuse("a value")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        after_comma = False
        while self._next() != "}":
            name = self._name()
            if name in found:
                self._mendings.setdefault(NAME_TWICE, name[:64])
            self._expect(":", "a colon")
            if self._next() in (",", "}"):
                self._mend("no value behind a name")
                found[name] = None
            else:
                found[name] = self._value(depth)
            after_comma = self._comma("}")
            if not after_comma:
                break
        self._close("}", after_comma=after_comma)
        return found

    def _list(self, depth: int) -> list[Any]:
        found = []
        after_comma = False
        while self._next() != "]":
            found.append(self._value(depth))
            after_comma = self._comma("]")
            if not after_comma:
                break
        self._close("]", after_comma=after_comma)
        return found

    def _comma(self, closing: str) -> bool:
        if self._next() == ",":
            self._at += 1
            return True
        if self._next() != closing:
            self._refuse(f"a comma or {closing}")
        return False

    def _close(self, closing: str, *, after_comma: bool) -> None:
        if after_comma:
            self._mend(f"a comma before {closing}")
        self._at += len(closing)

    def _name(self) -> str:
        if self._next() in ('"', "'"):
            return self._string()
        found = WORD.match(self._text, self._at) or _WHOLE.match(self._text, self._at)
        if found is None:
            self._refuse("a name in quotes")
        self._mend("a name without quotes")
        self._at = found.end()
        return found[0]

    def _string(self) -> str:
        found = TEXTS[self._text[self._at]].match(self._text, self._at)
        if found is None:
            raise NotMended(f"the text that begins at character {self._at + 1} has no end: perhaps it was cut off")
        said, mendings = text(found[0])
        for what in mendings:
            self._mend(what)
        self._at = found.end()
        return said

    def _next(self) -> str:
        """Return the character behind the spaces, "" at the end."""
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        if found[0].strip(" \t\r\n"):
            self._mend("spaces of another kind")
        self._at = found.end()
        return self._text[self._at : self._at + 1]

    def _expect(self, mark: str, word: str) -> None:
        if self._next() != mark:
            self._refuse(word)
        self._at += 1

    def _mend(self, what: str) -> None:
        self._mendings.setdefault(what, f"at character {self._at + 1}")

    def _refuse(self, wanted: str) -> NoReturn:
        stands = self._text[self._at : self._at + 12]
        if not self._text.strip():
            raise NotMended("it is empty")
        if not stands:
            raise NotMended(f"it ends at character {self._at} where {wanted} should be: perhaps it was cut off")
        hint = "; typographic quotes are none" if stands[0] in _TYPOGRAPHIC else ""
        raise NotMended(f"at character {self._at + 1} stands {stands!r} where {wanted} should be{hint}")
