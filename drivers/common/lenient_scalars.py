"""Texts, numbers and words of JSON that is not quite JSON; see `drivers.common.lenient_json`."""

import math
import re
from typing import NamedTuple

from drivers.common.text_encodings import UNREADABLE

MAX_DIGITS = 400
"""Digits of the longest whole number; the time to read one grows with the square of them."""

NO_NUMBER_SAID = "a number that is none"

TEXTS = {mark: re.compile(rf"{mark}[^{mark}\\]*(?:\\.[^{mark}\\]*)*{mark}", re.DOTALL) for mark in ('"', "'")}
"""A text by its quote, the quotes included."""
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.#])")
NO_NUMBER = re.compile(r"[+-]?(?:nan|inf|infinity|ovf|1\.#[a-z]+0*)(?:\(\w*\))?(?!\w)", re.IGNORECASE)
"""What programs print for a number that is none: of C, of Microsoft's C, of Arduino's Print."""
WORD = re.compile(r"[^\W\d][\w$]*")

_STRICT_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CONTROL = re.compile(r"[\x00-\x1f]")
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "none": None, "undefined": None}


class Scalar(NamedTuple):
    """A value, and the kinds of mending that it took."""

    value: bool | int | float | str | None
    mendings: tuple[str, ...] = ()


def text(said: str) -> tuple[str, tuple[str, ...]]:
    """Return what stands between quotes, and the kinds of mending that it took."""
    mendings = []
    if said[0] == "'":
        mendings.append("single quotes")
    said = said[1:-1]
    if _CONTROL.search(said):
        mendings.append("a control character in a text")
    if "\\" in said:
        if any(_is_foreign(found) for found in _ESCAPE.finditer(said)):
            mendings.append("an escape that JSON does not have")
        said = _PAIR.sub(_joined, _ESCAPE.sub(_escaped, said))
        if _HALF.search(said):
            mendings.append("half a character in a text")
            said = _HALF.sub(chr(UNREADABLE), said)
    return said, tuple(mendings)


def number(said: str) -> Scalar:
    """Return a number as `NUMBER` finds it; raises ``ValueError`` for one that is too long."""
    mendings = () if _STRICT_NUMBER.fullmatch(said) else ("a number written in another way",)
    digits = said.lstrip("+-")
    if not digits.isdecimal():
        value = float(said)
        return Scalar(value, mendings) if math.isfinite(value) else Scalar(None, (NO_NUMBER_SAID,))
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits")
    if len(digits.lstrip("0")) in (0, 1, len(digits)) or not set(digits).isdisjoint("89"):
        return Scalar(int(said), mendings)
    return Scalar(None, ("zeros before a number, which may be octal",))


def word(said: str) -> Scalar:
    """Return what a bare word means: true, false, null, or itself."""
    if said in ("true", "false", "null"):
        return Scalar(_WORDS[said])
    if said.lower() in _WORDS:
        return Scalar(_WORDS[said.lower()], ("true, false or null in other letters or words",))
    return Scalar(said, ("a word without quotes",))


def _is_foreign(found: re.Match[str]) -> bool:
    return not found[1] and found[3] not in _ESCAPES


def _escaped(found: re.Match[str]) -> str:
    four, two, one = found.groups()
    if four or two:
        return chr(int(four or two, 16))
    return _ESCAPES.get(one) or ("'" if one == "'" else chr(UNREADABLE))


def _joined(found: re.Match[str]) -> str:
    """Return the one letter that two escapes make."""
    return found[0].encode("utf-16", "surrogatepass").decode("utf-16")
