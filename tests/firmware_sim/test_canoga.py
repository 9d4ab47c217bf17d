import pytest

from firmware_sim.devices.canoga import ANYBODY, Canoga, text, xor
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

ASK = text(ANYBODY, b"*")


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def card(truth: Truth) -> Canoga:
    return Canoga("loop-1", truth, "seed", address=3)


def said(frames: list[Frame], *, arrived: bool = True) -> bytes:
    for frame in frames:
        if frame.heard:
            frame.heard(arrived)
    return b"".join(frame.data for frame in frames)


def test_a_text_is_as_the_protocol_draws_it() -> None:
    assert bytes.fromhex("3c 30 38 ff 2a 45 31 3e") == ASK


def test_the_last_vehicles_are_37_bytes_whose_xor_is_nothing(card: Canoga) -> None:
    assert said(card.receive(ASK, 0.0)) == bytes(37)
    answer = said(card.receive(ASK, 60.0))
    assert len(answer) == 37
    assert xor(answer) == 0
    assert all(answer[at] for at in (7, 16, 25, 34))  # each loop has counted


def test_the_ledger_holds_what_came_between_answers_that_were_heard(card: Canoga, truth: Truth) -> None:
    first = said(card.receive(ASK, 30.0))
    said(card.receive(ASK, 60.0), arrived=False)
    last = said(card.receive(ASK, 90.0))
    counted = {str(loop + 1): last[9 * loop + 7] - first[9 * loop + 7] for loop in range(4)}
    assert {lane: sum(taken.tags["lane"] == lane for taken in truth) for lane in counted} == counted


def test_a_vehicle_that_is_in_two_answers_on_their_way_is_entered_once(card: Canoga, truth: Truth) -> None:
    first, second, third = (card.receive(ASK, now) for now in (30.0, 60.0, 90.0))
    for frame in (*first, *second, *third):
        assert frame.heard
        frame.heard(True)
    assert len(truth) == sum(third[0].data[7::9]) - sum(first[0].data[7::9])


def test_it_is_quiet_once_it_was_asked_for_all_that_passed(card: Canoga) -> None:
    said(card.receive(ASK, 30.0))
    card.tick(60.0)
    card.stop()
    card.tick(80.0)
    assert not card.quiet()
    said(card.receive(ASK, 80.0))
    assert card.quiet()


def test_the_loops_of_a_pair_see_the_same_vehicles(card: Canoga) -> None:
    card.tick(60.0)
    card.stop()
    answer = said(card.receive(ASK, 80.0))
    assert card.quiet()
    assert answer[7] == answer[16] == len(card.speeds)


@pytest.mark.parametrize(("letter", "size"), [(b"a", 20), (b"B", 18)])
def test_it_says_who_it_is_under_the_address_it_was_called_by(card: Canoga, letter: bytes, size: int) -> None:
    answer = said(card.receive(text(3, letter), 0.0))
    assert (len(answer), answer[3], answer[4:5]) == (size, 3, letter)
    assert answer == text(3, answer[4:-3])


@pytest.mark.parametrize("question", [text(4, b"*"), text(3, b"?"), text(3, b"*")[:-2] + b"0>"])
def test_what_is_not_for_it_or_not_sound_is_not_answered(card: Canoga, question: bytes) -> None:
    assert card.receive(question, 60.0) == []


def test_a_power_cut_is_a_reset(card: Canoga) -> None:
    card.power_cycle(60.0)
    assert said(card.receive(ASK, 60.0)) == bytes(37)


def test_fault_lose_first_happens_once(card: Canoga) -> None:
    card.lose_first = True
    assert len(said(card.receive(ASK, 60.0))) == 36
    assert len(said(card.receive(ASK, 60.0))) == 37
