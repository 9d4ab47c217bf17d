"""Text that devices send, and the names and values in it: shared by the drivers of what is no JSON."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from drivers.common import text_encodings
from drivers.common.json_messages import Output
from gateway.contract import VOCABULARY, Reject, Remark, Vocabulary

_SPECIAL = re.compile(r"([.\\*{}])")


class Name(NamedTuple):
    """A column, or another place of a record: ``temperature``, ``relative_humidity:%``; "" where it means nothing."""

    name: str
    unit: str = ""


def name_of(said: str) -> Name:
    """Return the parts of a name as the options write it."""
    name, _, unit = said.partition(":")
    return Name(name.strip() if name.strip() != "-" else "", unit.strip())


def path_to(name: str) -> str:
    """Return the path whose one key is a name."""
    return _SPECIAL.sub(r"\\\1", name)


def with_named_fields(data: dict[str, Any], names: Iterable[Name], vocabulary: object) -> dict[str, Any]:
    """Return the options as they were given, and in them the fields and the sensor that names themselves say.

    A name of the vocabulary's that no field is taken from is that field; one that is ``sensor`` or ``time`` is that.
    Raises ``ValueError`` for one from which nothing is taken.
    """
    known = vocabulary if isinstance(vocabulary, Vocabulary) else VOCABULARY
    given = data.get("fields", {})
    if not isinstance(given, Mapping):
        return data
    kind, references = str(data.get("kind", "")), [*_references(data)]
    fields, places = {}, {}
    for one in names:
        path = path_to(one.name)
        if path in references or not one.name:
            continue
        if known.find(kind, one.name) is not None:
            fields[one.name] = {"path": path, "unit": one.unit}
        elif one.name in ("sensor", "time"):
            places[one.name] = one.name
        elif kind in known.kinds and not any(path in reference for reference in references):
            raise ValueError(f'no field is taken from {one.name!r}: "" passes over what means nothing')
    return {**places, **data, "fields": {**fields, **given}}


def _references(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the options, as they were given, take something from."""
    tags, fields = data.get("tags", {}), data.get("fields", {})
    found = [data.get("sensor"), data.get("time"), *(tags.values() if isinstance(tags, Mapping) else ())]
    found += [one.get("path") if isinstance(one, Mapping) else one for one in fields.values()]
    yield from (one for one in found if isinstance(one, str))


class Text(NamedTuple):
    """A message that is text, and what had to be mended for that."""

    text: str
    mended: list[Remark]

    def said(self, results: Iterable[Output]) -> list[Output]:
        """Return what a message says, with what was mended in it, unless nothing came of it."""
        said = list(results)
        return said if all(isinstance(one, Reject) for one in said) else [*self.mended, *said]


def text_of(payload: bytes) -> Text | None:
    """Return a message as text, without NULs at its end; None for what is no text, or empty."""
    try:
        text, unusual = text_encodings.decode(payload)
    except ValueError:
        return None
    text = text.rstrip("\0").translate(text_encodings.AS_LATIN_1)
    if not text.strip() or not all(letter.isprintable() or letter in "\t\r\n" for letter in text):
        return None
    return Text(text, [Remark("mended", what, where) for what, where in unusual.items()])
