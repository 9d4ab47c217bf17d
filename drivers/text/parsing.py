"""From a line of text to names and values: by columns, by pairs, or by a pattern. Linear in the line's length."""

import csv
import re
from collections.abc import Callable, Iterator

from drivers.common.records import name_of

Parse = Callable[[str], dict[str, str] | str]
"""Returns the names and values of a line, or what is wrong with it."""

REST = "..."
"""The last column's name where any number of further ones may follow."""

_PLACE = re.compile(r"\{([^{}]*)\}")


def by_columns(names: list[str], separator: str) -> Parse:
    """Return what reads columns between separators; a space stands for any number of spaces and tabs."""
    rest = bool(names) and names[-1] == REST
    names = names[:-1] if rest else names

    def parse(line: str) -> dict[str, str] | str:
        cells = _cells(line, separator)
        if len(cells) == len(names) + 1 and not cells[-1].strip():
            cells.pop()  # a separator behind the last one
        if len(cells) < len(names) or (len(cells) > len(names) and not rest):
            return f"{len(cells)} columns, {len(names)} expected"
        return {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}

    return parse


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    if '"' in line and len(separator) == 1:
        try:
            return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        except csv.Error:
            return []
    return line.split(separator)


def by_widths(names: list[str], widths: list[int]) -> Parse:
    """Return what reads columns of so many characters each; the last one takes what is left."""

    def parse(line: str) -> dict[str, str] | str:
        if len(line) <= sum(widths[:-1]):
            return f"{len(line)} characters, at least {sum(widths[:-1]) + 1} expected"
        if len(line.rstrip()) > sum(widths):
            return f"{len(line.rstrip())} characters, at most {sum(widths)} expected"
        found = {}
        start = 0
        for name, width in zip(names, widths, strict=True):
            if name:
                found[name] = line[start : start + width].strip()
            start += width
        return found

    return parse


def by_pairs(separator: str | None, assign: str | None, decimal: str) -> Parse:
    """Return what reads pairs of a name and a value.

    Without a separator, white space, ``;``, ``&``, ``|`` and, where it is not in numbers, a comma separate pairs.
    """
    between = "\\s;&|" if decimal == "," else "\\s;&|,"

    def parse(line: str) -> dict[str, str] | str:
        equals = assign or ("=" if "=" in line else ":")
        found: dict[str, str] = {}
        for name, value in _pairs(line, separator, equals, between):
            found.setdefault(name, value)
        return found or f"no name and value with {equals!r} between them"

    return parse


def _pairs(line: str, separator: str | None, equals: str, between: str) -> Iterator[tuple[str, str]]:
    if separator is None:
        yield from _between_marks(line.split(equals), re.compile(f"[{between}]"))
        return
    for part in line.split() if separator == " " else line.split(separator):
        name, found, value = part.partition(equals)
        if found and name.strip():
            yield name.strip(), value.strip().strip('"')


def _between_marks(parts: list[str], between: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of what stands between equals signs: a part ends with a name, the next begins with its value."""
    name = _last_word(parts[0], between)
    for number, part in enumerate(parts[1:], 2):
        text = part.strip()
        if text.startswith('"') and '"' in text[1:]:
            value, _, text = text[1:].partition('"')
        else:
            value = between.split(text, maxsplit=1)[0]
            if value == text and number < len(parts):
                value = ""  # a single word between two signs is the next one's name
        if name:
            yield name, value
        name = _last_word(text, between)


def _last_word(text: str, between: re.Pattern[str]) -> str:
    return between.split(text.strip())[-1].strip('"')


def names_in(pattern: str) -> list[str]:
    """Return the names in a pattern, as they are written."""
    return _PLACE.split(pattern)[1::2]


def by_pattern(pattern: str) -> Parse:
    """Return what reads lines of a pattern.

    A value goes as far as the text behind it. White space stands for any other. ``ValueError`` says what is amiss.
    """
    texts = [_one_space(text) for text in _PLACE.split(pattern)[::2]]
    said = names_in(pattern)
    if not said or any(mark in "".join(texts) for mark in "{}"):
        raise ValueError('a pattern has names in braces: "T={temperature} H={relative_humidity:%}"')
    if any(not text for text in texts[1:-1]):
        raise ValueError("two values with nothing between them: nobody can tell where the first one ends")
    names = [name_of(one).name for one in said]

    def parse(line: str) -> dict[str, str] | str:
        line = _one_space(line.strip())
        at = len(texts[0].lstrip())
        if not line.startswith(texts[0].lstrip()):
            return f"it does not begin with {texts[0]!r}"
        found = {}
        ends = [*texts[1:-1], texts[-1].rstrip()]
        for number, (name, text) in enumerate(zip(names, ends, strict=True)):
            last = number == len(names) - 1
            end = len(line) - len(text) if last else line.find(text, at)
            if end < at or not line.startswith(text, end):
                return f"no {text!r} behind {name or 'what is passed over'!r}"
            if name:
                found[name] = line[at:end].strip()
            at = end + len(text)
        return found

    return parse


def _one_space(text: str) -> str:
    return re.sub(r"\s+", " ", text)
