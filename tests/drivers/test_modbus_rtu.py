"""Modbus RTU: questions, answers, and what else is on a shared line; and what is asked when."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.common.agenda import Agenda
from drivers.common.modbus_rtu import HOLDING, INPUT, WRITE, Answer, Exchange, crc, longest, parse, question, with_crc
from gateway.contract import Reject

SIZES = {INPUT: (2, 8), WRITE: ()}
ANSWER = bytes.fromhex("11 04 02 01 90 79 0F")


def _bit_by_bit(data: bytes) -> bytes:
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return bytes((register & 0xFF, register >> 8))


@settings(deadline=None, derandomize=True)
@given(st.binary(max_size=100))
def test_the_crc_is_what_the_standard_works_out_bit_by_bit(data: bytes) -> None:
    assert crc(data) == _bit_by_bit(data)


def test_questions_are_as_the_documents_print_them() -> None:
    assert question(0xFE, INPUT, 3, 1) == bytes.fromhex("FE 04 00 03 00 01 D5 C5")
    assert question(0xFE, WRITE, 0x1F, 180) == bytes.fromhex("FE 06 00 1F 00 B4 AC 74")
    assert question(1, HOLDING, 1, 10) == bytes.fromhex("01 03 00 01 00 0A 94 0D")


def test_an_answer_gives_its_registers() -> None:
    answer = parse(with_crc(bytes.fromhex("11 03 04 00 01 FF FE")))
    assert isinstance(answer, Answer)
    assert (answer.function, answer.word(0), answer.word(1)) == (HOLDING, 1, 0xFFFE)


def test_an_order_is_confirmed_by_register_and_value() -> None:
    answer = parse(bytes.fromhex("FE 06 00 1F 00 B4 AC 74"))
    assert isinstance(answer, Answer)
    assert (answer.function, answer.data) == (WRITE, bytes.fromhex("00 1F 00 B4"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, "refused with 2: it has no such register, or not so many from there on"),
        (11, "refused with 11: the gateway before it got no answer from it"),
        (0x77, "refused with 119: for its own reason"),
    ],
)
def test_a_refusal_says_of_what_and_why(code: int, words: str) -> None:
    said = parse(with_crc(bytes((0x11, 0x84, code))))
    assert isinstance(said, Reject)
    assert (said.reason, said.detail) == ("unsupported", f"function 4 {words}")


def test_the_answer_of_a_neighbour_is_not_ours() -> None:
    exchange = Exchange(0x12, SIZES)
    said = [*exchange.feed(ANSWER), *exchange.finish()]
    assert said == [Reject("noise", ANSWER, "7 bytes that belong to no frame")]


def test_an_answer_of_a_size_that_is_never_asked_for_is_not_waited_for() -> None:
    exchange = Exchange(0x11, SIZES)
    (noise, answer) = exchange.feed(bytes.fromhex("11 04 07") + ANSWER)
    assert isinstance(noise, Reject)
    assert isinstance(answer, Answer)


def test_what_a_turn_left_unfinished_does_not_swallow_the_next_answer() -> None:
    exchange = Exchange(0x11, SIZES)
    exchange.asking(b"")
    assert list(exchange.feed(ANSWER[:4])) == []
    exchange.asking(b"")
    noise, answer = exchange.feed(ANSWER)
    assert noise == Reject("noise", ANSWER[:4], "4 bytes that belong to no frame")
    assert isinstance(answer, Answer)


def test_what_is_left_at_the_end_is_noise() -> None:
    exchange = Exchange(0x11, SIZES)
    list(exchange.feed(ANSWER[:3]))
    exchange.asking(b"")
    assert [one.raw for one in exchange.finish()] == [ANSWER[:3]]


def test_the_longest_frame_is_known_from_the_sizes() -> None:
    assert (longest(SIZES), longest({INPUT: (2,)}), longest({1: (1,)})) == (13, 8, 8)


def test_wishes_have_few_turns_and_each_has_its_own() -> None:
    agenda = Agenda(b"reading", {"a": b"a?", "b": b"b?"})
    asked = [agenda.question() for _ in range(200)]
    assert [turn for turn, what in enumerate(asked) if what == b"a?"] == [1, 4, 16, 64, 192]
    assert [turn for turn, what in enumerate(asked) if what == b"b?"] == [2, 8, 32, 128]


def test_a_wish_that_was_granted_is_not_asked_for_again() -> None:
    agenda = Agenda(b"reading", {"a": b"a?", "b": b"b?"})
    agenda.granted("a")
    assert [agenda.question() for _ in range(3)] == [b"reading", b"b?", b"b?"]
    agenda.granted("b")
    assert {agenda.question() for _ in range(100)} == {b"reading"}
