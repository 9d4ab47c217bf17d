"""Texts that stand for numbers: what they mean, and what may mean two things."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.common.text_values import NO_VALUE, LeftOut, NoValue, Quantity, Truth, quantity, word_key

MEANINGS: list[tuple[str, dict[str, Any], tuple[float, str]]] = [
    ("19.6", {}, (19.6, "")),
    (" 840 ", {}, (840, "")),
    ("-3", {}, (-3, "")),
    ("\u22123", {}, (-3, "")),
    ("+.5", {}, (0.5, "")),
    ("21.", {}, (21.0, "")),
    ("1.2e3", {}, (1200.0, "")),
    ("15\u00b0C", {}, (15, "\u00b0C")),
    ("80 %", {}, (80, "%")),
    ("-76 dbM", {}, (-76, "dbM")),
    ("12 \uf7b5g/m\uf7b3", {}, (12, "\u00b5g/m\u00b3")),
    ("21,5", {}, (21.5, "")),
    ("0,125", {}, (0.125, "")),
    ("1013,25 hPa", {}, (1013.25, "hPa")),
    ("1,5e3", {}, (1500.0, "")),
    ("1.234", {}, (1.234, "")),
    ("1,234", {"decimal_comma": True}, (1.234, "")),
    ("1.5", {"decimal_comma": True}, (1.5, "")),
    ("1,234", {"thousands": ","}, (1234, "")),
    ("1,234,567.5", {"thousands": ","}, (1234567.5, "")),
    ("1.234,5 m", {"thousands": "."}, (1234.5, "m")),
    ("1 234,5", {"thousands": " ", "decimal_comma": True}, (1234.5, "")),
    ("12\u00a0345", {"thousands": " "}, (12345, "")),
    ("1'234", {"thousands": "'"}, (1234, "")),
    ("999", {"thousands": ","}, (999, "")),
]


def test_a_number_in_quotes_means_what_it_says() -> None:
    wrong = []
    for text, options, meaning in MEANINGS:
        found = quantity(text, **options)
        if found != Quantity(*meaning) or type(found.number) is not type(meaning[0]):
            wrong.append(f"{text!r} {options}: {found}")
    assert not wrong, "\n".join(wrong)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("1,234", {}, 'set decimal_comma = true, or thousands = ","'),
    ("1.234", {"decimal_comma": True}, 'set thousands = "."'),
    ("1.234,5", {}, "has thousands separators"),
    ("1,234,567", {}, "has thousands separators"),
    ("1 234", {}, "may have thousands separators"),
    ("1'234", {}, "may have thousands separators"),
    ("12,34", {"thousands": ","}, "is no number with ',' between its thousands"),
    ("warm", {}, "is no number"),
    ("1e999", {}, "is no finite number"),
    ("9" * 200, {}, "is no number"),
    ("\u0663", {}, "is no number"),
]


def test_what_may_mean_two_numbers_is_refused_with_what_to_set() -> None:
    wrong = []
    for text, options, words in REFUSED:
        try:
            wrong.append(f"{text!r} {options}: {quantity(text, **options)}")
        except LeftOut as error:
            if words not in str(error):
                wrong.append(f"{text!r} {options}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("text", sorted(NO_VALUE))
def test_a_device_that_has_nothing_to_say_says_no_number_and_neither_yes_nor_no(text: str) -> None:
    for said in (text, text.upper(), f" {text} "):
        with pytest.raises(NoValue):
            quantity(said)
        with pytest.raises(NoValue):
            Truth().read(said)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20))
def test_every_number_that_python_prints_is_read_as_itself(number: float) -> None:
    assert quantity(repr(number)).number == number


@given(st.text(max_size=40), st.booleans(), st.sampled_from(["", ",", ".", " ", "'"]))
def test_no_text_raises_anything_else(text: str, decimal_comma: bool, thousands: str) -> None:
    try:
        assert isinstance(quantity(text, decimal_comma=decimal_comma, thousands=thousands), Quantity)
    except LeftOut as error:
        said = str(error)
        said.encode("utf-8", "surrogatepass")


@given(st.integers(1, 10**9))
def test_thousands_that_were_told_are_read_and_untold_ones_never_change_a_value(number: int) -> None:
    assert quantity(f"{number:,}", thousands=",").number == number
    try:
        assert quantity(f"{number:,}").number == number
    except LeftOut:
        assert number >= 1000


def test_words_are_the_same_in_any_letters_and_quotes_but_true_is_no_one() -> None:
    assert word_key("ON") == word_key(" on ")
    assert word_key("1") == word_key(1) == word_key(1.0)
    assert word_key(True) not in (word_key(1), word_key("true"))
    assert word_key([1]) is None
