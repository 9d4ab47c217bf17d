"""What is nearly JSON: what it means, what is said of it, and what has no one meaning."""

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.common.lenient_json import MAX_DEPTH, MAX_MENDED, NAME_TWICE, NotMended, read

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"))
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)

ODD = "a number written in another way"
NONE = "a number that is none"

MEANINGS: list[tuple[bytes, Any, set[str]]] = [
    (b'{"b":3.9,"t":nan,"h":41}', {"b": 3.9, "t": None, "h": 41}, {NONE}),
    (b'[NaN,-nan,"nan",Infinity,-inf,1e999,1.#QNAN,-1.#IND00,nan(ind)]', [None, None, "nan", *[None] * 6], {NONE}),
    (b'{"t":21.5,}', {"t": 21.5}, {"a comma before }"}),
    (b"[1,2, ]", [1, 2], {"a comma before ]"}),
    (b'{"t":21.5}\0\0\n', {"t": 21.5}, {"NUL at the end"}),
    (b'{"t":21.5}\0.5}\x13', {"t": 21.5}, {"what stands behind a NUL"}),
    (b'\xef\xbb\xbf{"t":21.5}', {"t": 21.5}, {"a byte order mark"}),
    ('{"t":"\u010d"}'.encode("utf-16"), {"t": "\u010d"}, {"a byte order mark", "UTF-16"}),
    ('{"t":21.5}'.encode("utf-16-be"), {"t": 21.5}, {"UTF-16"}),
    ('{"t":21.5}'.encode("utf-16-le") + b"\0", {"t": 21.5}, {"UTF-16"}),
    ('{"t":21.5}'.encode("utf-32-le"), {"t": 21.5}, {"UTF-32"}),
    ('{"t":21.5}'.encode("utf-32-be"), {"t": 21.5}, {"UTF-32"}),
    (b'{"t":21.5,"u":"\xb0C"}', {"t": 21.5, "u": "\u00b0C"}, {"single bytes for letters"}),
    (b"{'t': 21.5, 'on': True, 'n': None}", {"t": 21.5, "on": True, "n": None}, {"single quotes", "_"}),
    (b"""{"it's": 'said "so"', 'a\\'b': 1}""", {"it's": 'said "so"', "a'b": 1}, {"single quotes", "_"}),
    (
        b'{"a":21.,"b":.5,"c":+5,"d":-.5e1,"e":007.5,"f":08}',
        {"a": 21.0, "b": 0.5, "c": 5, "d": -5.0, "e": 7.5, "f": 8},
        {ODD},
    ),
    (b'{"a":010}', {"a": None}, {"zeros before a number, which may be octal"}),
    (b'{"url":"http://x/bin.gz\t"}', {"url": "http://x/bin.gz\t"}, {"a control character in a text"}),
    (b'{"id":18446744073709551617,"t":21.}', {"id": 18446744073709551617, "t": 21.0}, {ODD}),
    (b'{"t":1,"t":2,}', {"t": 2}, {NAME_TWICE, "a comma before }"}),
    (
        b"{t: 21.5, 5: 1, state: ON}",
        {"t": 21.5, "5": 1, "state": "ON"},
        {"a name without quotes", "a word without quotes"},
    ),
    (b'{"t":,"h":41,"c":}', {"t": None, "h": 41, "c": None}, {"no value behind a name"}),
    (b'{"t":TRUE,"u":Null}', {"t": True, "u": None}, {"_"}),
    (rb'{"t":"\x41\ud83d\ude00",}', {"t": "A\U0001f600"}, {"a comma before }", "_"}),
    ('\u00a0{"t":1}'.encode(), {"t": 1}, {"spaces of another kind"}),
    (b"21.", 21.0, {ODD}),
    (b'{"t":1}\n{"t":2}\n', [{"t": 1}, {"t": 2}], {"several values one after the other, read as a list"}),
    (b"[1][2]", [[1], [2]], {"several values one after the other, read as a list"}),
]
"""Text, meaning, and what is said; ``_`` stands for one more."""


def test_what_is_nearly_json_means_one_thing_and_every_mending_is_said() -> None:
    wrong = []
    for text, meaning, wanted in MEANINGS:
        value, mendings = read(text)
        if value != meaning or not wanted - {"_"} <= mendings.keys() or len(mendings) != len(wanted):
            wrong.append(f"{text!r}: {value!r} {mendings}")
    assert not wrong, "\n".join(wrong)


REFUSED: list[tuple[bytes, str]] = [
    (b"", "it is empty"),
    (b" \n", "it is empty"),
    (b'{"t":21.5', "it ends at character 9 where a comma or } should be: perhaps it was cut off"),
    (b'{"t":"21', "the text that begins at character 6 has no end"),
    (b'{"t":21,5}', "at character 9 stands '5}' where a name in quotes should be"),
    ("{\u201ct\u201d: 1}".encode(), "typographic quotes are none"),
    (b'{"t":12abc}', "at character 6 stands '12abc}' where a value should be"),
    (b'{"t":1} 2', "at character 9 stands '2' where the end should be"),
    (b'{"t":1}}', "at character 8 stands '}' where the end should be"),
    (b'{"t":1} {"t":', "it ends at character 13"),
    (b'1 {"t":2}', "where the end should be"),
    (b'{"t" 1}', "a colon"),
    (b'{"t":1 "h":2}', "a comma or }"),
    (b"[,1]", "a value"),
    (b"[1,,2]", "a value"),
    (b"{,}", "a name in quotes"),
    (b'["a"}', "a comma or ]"),
    (b"ON", "at character 1 stands 'ON' where a value should be"),
    (b"t=21.5", "a value"),
    (b"[" * 5000, f"deeper than {MAX_DEPTH}"),
    (b"9" * 5000, "a whole number of 5000 digits"),
    (b'"' + b"x" * MAX_MENDED + b'"\0', "more than 65536"),
    (b'\xff\xfe{\0"', "no UTF-16"),
    (b"datetime.datetime(2026, 1, 1)", "a value"),
]


def test_what_has_no_one_meaning_is_refused_with_the_place_and_what_stands_there() -> None:
    wrong = []
    for text, words in REFUSED:
        try:
            wrong.append(f"{text[:40]!r}: {read(text)!r}")
        except NotMended as error:
            if words not in str(error):
                wrong.append(f"{text[:40]!r}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("text", [b'{"name":"\xe8rpalka"}', b'{"name":"\xb5"}', b'{"name":"\x9a"}'])
def test_a_letter_that_alphabets_differ_in_makes_no_name(text: bytes) -> None:
    name = read(text).value["name"]
    assert not name.isprintable()
    name.encode()  # and can be written into a log


def test_half_a_letter_makes_no_name_either() -> None:
    name = read(rb'{"name":"x\ud800"}').value["name"]
    assert not name.isprintable()
    name.encode()


def _same(one: object, other: object) -> bool:
    """Tell whether two values are alike in their types and signs as well."""
    return repr(one) == repr(other)


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_valid_json_reads_as_the_strict_reader_reads_it(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    found, mendings = read(text)
    assert _same(found, orjson.loads(text))
    assert mendings == {}


LETTERS = "{}[]\"'\\:,0123456789.eE+-naNtruflsx\0 "


@given(st.binary(max_size=200) | st.text(LETTERS, max_size=60).map(str.encode))
def test_whatever_comes_is_read_or_refused(payload: bytes) -> None:
    with suppress(NotMended):
        assert isinstance(read(payload).mendings, dict)


@given(VALUES, st.data())
def test_a_message_cut_off_is_never_read_as_less(value: object, data: st.DataObject) -> None:
    text = json.dumps({"a": value}).encode()
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(NotMended):
        read(text[:cut])
