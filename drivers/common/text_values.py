"""Texts that stand for numbers, for yes and no, or for nothing: what they mean, where they mean one thing only."""

import math
import re
from collections.abc import Iterable
from typing import NamedTuple

from drivers.common.text_encodings import AS_LATIN_1

Word = bool | int | float | str

LONGEST = 128
"""Letters of the longest text that is looked at as a number."""

_NOTHING = """
nan null none nil undefined unavailable unknown invalid error err fault failed failure offline timeout inf -inf
infinity ovf n/a na n.a. - -- --- ? * ** *** missing no_data nodata
"""
NO_VALUE = frozenset({*_NOTHING.split(), "", "no data", "not available", "out of order", "out of range", "no value"})
"""Texts of devices that have nothing to say, in lower case."""

_PAIRS = """
true/false yes/no on/off 1/0 open/closed open/close occupied/free occupied/vacant occupied/empty occupied/unoccupied
taken/free busy/free parked/free present/absent full/empty detected/clear active/inactive enabled/disabled
home/not_home motion/no_motion
"""
YES_AND_NO = [tuple(pair.split("/")) for pair in _PAIRS.split()]
"""Words that exclude each other, the usual ones for yes and no first."""

_FORM = re.compile(r"([+\u2212-]?)((?:[0-9]|[.,][0-9])[0-9.,]*(?:[eE][+-]?[0-9]{1,3})?)\s*(.*)", re.DOTALL)


class LeftOut(ValueError):
    """A value that is not taken; the message says what stands there and why, and what to set where that helps."""


class NoValue(LeftOut):
    """The device itself says that it has no value."""


class Quantity(NamedTuple):
    """A number as a text states it, and the unit behind it, "" where none is."""

    number: int | float
    unit: str


def check_value(text: str) -> str:
    """Return a text without the spaces around it; raises `NoValue` where it says that there is nothing."""
    said = text.strip()
    if said.lower() in NO_VALUE:
        raise NoValue(f"{text!r} is no value")
    return said


def quantity(text: str, *, decimal_comma: bool = False, thousands: str = "") -> Quantity:
    """Read a number in quotes, and the unit behind it.

    A separator that may stand for thousands and for decimals is refused: ``1,234`` without ``decimal_comma`` or
    ``thousands``. Where it can be the decimal one only, as in ``21,5``, it is. Raises `LeftOut`.
    """
    said = check_value(text)
    decimal = "," if decimal_comma or thousands == "." else "."
    if thousands:
        said = _without(said, thousands, decimal)
    found = _FORM.fullmatch(said) if len(said) <= LONGEST else None
    if found is None:
        raise LeftOut(f"{text[:40]!r} is no number")
    sign, digits, unit = found.groups()
    if unit[:1].isdigit() or unit[:1] in ("'", "\u2019"):
        raise LeftOut(f'{text[:40]!r} may have thousands separators: say which, as thousands = " "')
    digits = _plain(digits, decimal, text) if not thousands else digits.replace(decimal, ".")
    try:
        number = int(digits) if digits.isdecimal() else float(digits)
    except ValueError:
        raise LeftOut(f"{text[:40]!r} is no number with {thousands!r} between its thousands") from None
    if isinstance(number, float) and not math.isfinite(number):
        raise LeftOut(f"{text[:40]!r} is no finite number")
    return Quantity(-number if sign in ("-", "\u2212") else number, unit.strip().translate(AS_LATIN_1))


def _plain(digits: str, decimal: str, text: str) -> str:
    """Write a number with a point; raises `LeftOut` where its separator may be of thousands."""
    marks = [letter for letter in digits if letter in ".,"]
    if len(marks) > 1:
        raise LeftOut(f'{text[:40]!r} has thousands separators: say which, as thousands = ","')
    whole, mark, decimals = digits.partition(marks[0]) if marks else (digits, decimal, "")
    decimals = decimals.lower().partition("e")[0]
    if mark != decimal and len(decimals) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0":
        way = 'thousands = "."' if decimal == "," else 'decimal_comma = true, or thousands = ","'
        raise LeftOut(f"{text[:40]!r} may have a decimal or a thousands separator: set {way}")
    return digits.replace(mark, ".")


def _without(said: str, thousands: str, decimal: str) -> str:
    """Take thousands separators out of the whole part, where they stand before three digits each."""
    whole, point, rest = said.partition(decimal)
    separator = re.escape(thousands) if thousands != " " else "[ \u00a0\u202f]"
    grouped = re.match(rf"[+\u2212-]?[0-9]{{1,3}}(?:{separator}[0-9]{{3}})+(?![0-9])", whole)
    if grouped is None:
        return said
    return re.sub(separator, "", grouped[0]) + whole[grouped.end() :] + point + rest


class Truth:
    """Yes and no by their words; what is neither is refused.

    Without words of its own it knows true, yes, on and 1, and their counterparts. Where only one side is given, the
    other is the usual counterpart of each word; raises ``ValueError`` where there is none.
    """

    def __init__(self, yes: Iterable[Word] = (), no: Iterable[Word] = ()) -> None:
        yes, no = [*yes], [*no]
        self._usual = not yes and not no
        if self._usual:
            yes, no = [one for one, _ in YES_AND_NO[:4]], [other for _, other in YES_AND_NO[:4]]
            self._meanings: dict[tuple[type, object] | None, bool] = {word_key(True): True, word_key(False): False}
        else:
            self._meanings = {}
        yes, no = yes or _counterparts(no, "true_values"), no or _counterparts(yes, "false_values")
        self._meanings |= {word_key(word): False for word in no}
        if both := [word for word in yes if word_key(word) in self._meanings and not self._usual]:
            raise ValueError(f"{both[0]!r} is both yes and no")
        self._meanings |= {word_key(word): True for word in yes}
        self.words = {
            key[1]: meant for key, meant in self._meanings.items() if key is not None and key[0] is not float
        }
        """Words, and true and false, in the letter case in which they are told apart -> whether they mean yes."""

    def read(self, value: object) -> bool:
        """Return whether a value means yes; raises `LeftOut`."""
        meaning = self._meanings.get(word_key(value))
        if meaning is not None:
            return meaning
        if isinstance(value, str):
            check_value(value)
        raise LeftOut(f"{_shown(value)} is neither yes nor no: set true_values and false_values")


def _counterparts(words: Iterable[Word], wanted: str) -> list[Word]:
    found: list[Word] = []
    for word in words:
        if isinstance(word, bool):
            found.append(not word)
            continue
        key = word_key(word)
        others = [other for pair in YES_AND_NO for one, other in (pair, pair[::-1]) if word_key(one) == key]
        if not others:
            raise ValueError(f"{word!r} alone does not say what its contrary is: set {wanted} as well")
        found += others
    return found


def _shown(value: object) -> str:
    return repr(value)[:40]


def word_key(value: object) -> tuple[type, object] | None:
    """Return what makes two words the same: letter case and quotes around a number make no difference.

    True is no 1 here. None for what is no word.
    """
    if isinstance(value, bool):
        return bool, value
    if isinstance(value, str):
        said = value.strip().casefold()
        try:
            value = float(said) if said[:1] in "+-.0123456789" and len(said) <= LONGEST else said
        except ValueError:
            value = said
        if isinstance(value, str):
            return str, value
    return (float, float(value)) if isinstance(value, int | float) and abs(value) < 2**53 else None
