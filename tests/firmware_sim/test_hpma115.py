"""The simulated HPMA115, against the datasheet."""

from typing import Literal

import pytest

from firmware_sim.devices.hpma115 import Hpma115
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

START, STOP, READ, GET, AUTO_OFF, AUTO_ON = (
    bytes.fromhex(text) for text in ("68010196", "68010295", "68010493", "68011087", "68012077", "68014057")
)
DONE, NOT_DONE = "a5a5", "9696"


def said(frames: list[Frame]) -> str:
    return b"".join(frame.data for frame in frames).hex()


def hear(frames: list[Frame]) -> list[Frame]:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return frames


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> Hpma115:
    return Hpma115("aq-1", truth, "seed")


def test_commands_are_answered_as_in_the_sheet(twin: Hpma115) -> None:
    assert [said(twin.receive(sent, 0.0)) for sent in (START, STOP, AUTO_OFF, AUTO_ON)] == [DONE] * 4
    assert said(twin.receive(GET, 0.0)) == "400210644a"
    assert said(twin.receive(bytes.fromhex("680208c8c6"), 0.0)) == DONE
    assert said(twin.receive(GET, 0.0)) == "400210c8e6"
    assert said(twin.receive(bytes.fromhex("680208c9c5"), 0.0)) == NOT_DONE, "at most 200 per cent"
    assert twin.receive(bytes.fromhex("68010494"), 9.0) == [], "a wrong sum"


@pytest.mark.parametrize(("model", "head", "names"), [("S0", "400504", 2), ("C0", "400d04", 4)])
def test_an_answer_says_what_the_ledger_holds(
    model: Literal["S0", "C0"], head: str, names: int, truth: Truth
) -> None:
    (frame,) = hear(Hpma115("aq-1", truth, "seed", model).receive(READ, 7.0))
    assert frame.data[:3].hex() == head
    assert sum(frame.data) & 0xFF == 0
    (taken,) = truth
    told = [int.from_bytes(frame.data[at : at + 2], "big") for at in range(3, 3 + 2 * names, 2)]
    assert list(taken.fields.values()) == told
    assert told == sorted(told)


@pytest.mark.parametrize(("model", "first"), [("S0", 1), ("C0", 0)])
def test_a_report_is_framed_as_in_the_sheet(model: Literal["S0", "C0"], first: int, truth: Truth) -> None:
    (frame,) = hear(Hpma115("aq-1", truth, "seed", model).tick(6.0))
    assert frame.data[:4].hex() == "424d001c"
    assert int.from_bytes(frame.data[30:], "big") == sum(frame.data[:30])
    words = [int.from_bytes(frame.data[at : at + 2], "big") for at in range(4, 30, 2)]
    (taken,) = truth
    assert words[first : first + len(taken.fields)] == list(taken.fields.values())
    assert words[4:] == [0] * 8 + [0x5100]


def test_it_says_nothing_for_six_seconds_and_then_reports_once_a_second(twin: Hpma115) -> None:
    assert said(twin.receive(READ, 5.9)) == NOT_DONE
    assert [len(twin.tick(now)) for now in (5.9, 6.0, 6.5, 7.0, 8.0)] == [0, 1, 0, 1, 1]


def test_stopped_or_with_reports_off_it_is_silent_and_power_brings_them_back(twin: Hpma115) -> None:
    for command in (STOP, AUTO_OFF):
        twin.receive(command, 10.0)
        assert twin.due() == NEVER
        twin.power_cycle(20.0)
        assert twin.due() == 26.0
    twin.receive(STOP, 30.0)
    assert said(twin.receive(READ, 40.0)) == NOT_DONE
