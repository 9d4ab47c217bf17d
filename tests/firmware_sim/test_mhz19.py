import pytest

from firmware_sim.devices.mhz19 import MhZ19
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.parts.winsen import with_sum
from firmware_sim.truth.ledger import Truth

READ = bytes.fromhex("ff0186000000000079")


def said(frames: list[Frame]) -> str:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames).hex()


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> MhZ19:
    return MhZ19("co2-1", truth, "seed")


def test_the_question_of_the_sheet_is_answered_with_what_the_ledger_holds(twin: MhZ19, truth: Truth) -> None:
    answer = bytes.fromhex(said(twin.receive(READ, 200.0)))
    (taken,) = truth
    assert answer[:2] == b"\xff\x86"
    assert len(answer) == 9
    assert sum(answer[1:]) % 256 == 0
    assert taken.fields == {"co2": float(int.from_bytes(answer[2:4], "big"))}
    assert twin.due() == NEVER


def test_while_it_heats_up_it_says_a_placeholder_and_then_far_too_much(twin: MhZ19) -> None:
    assert said(twin.receive(READ, 10.0)) == "ff86019a3d0042cf91"
    assert said(twin.receive(READ, 100.0)) == "ff860de53d4042cffa"
    twin.power_cycle(500.0)
    assert said(twin.receive(READ, 510.0)) == "ff86019a3d0042cf91"


def test_settings_are_confirmed_and_calibrations_are_counted(twin: MhZ19) -> None:
    assert said(twin.receive(bytes.fromhex("ff0179000000000086"), 1.0)) == "ff7901000000000086"
    assert said(twin.receive(bytes.fromhex("ff019900000007d08f"), 1.0)) == "ff9901000000000066"
    assert (twin.abc, twin.range) == (False, 2000)
    assert twin.receive(with_sum(bytes.fromhex("ff01870000000000")), 1.0) == []
    assert twin.receive(bytes.fromhex("ff018807d0000000a0"), 1.0) == []
    assert twin.calibrations == 2


def test_commands_are_found_in_any_pieces_and_between_noise(twin: MhZ19) -> None:
    stream = b"\xff\xff\x01" + READ + b"\x00\xff"
    assert len([frame for byte in stream for frame in twin.receive(bytes((byte,)), 200.0)]) == 1
    assert twin.receive(READ[:8] + b"\x78", 200.0) == []


def test_faults_spoil_the_answer_and_the_ledger_knows(twin: MhZ19, truth: Truth) -> None:
    twin.faults.corrupt = 1.0
    said(twin.receive(READ, 200.0))
    twin.faults.silent = True
    assert twin.receive(READ, 200.0) == []
    twin.stop()
    twin.faults.silent = False
    assert twin.receive(READ, 200.0) == []
    assert twin.quiet()
    assert len(truth) == 0
