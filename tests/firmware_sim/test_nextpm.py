import pytest

from firmware_sim.devices.nextpm import NextPm, with_sum
from firmware_sim.parts.twin import NEVER
from firmware_sim.truth.ledger import Truth


def ask(twin: NextPm, command: int, now: float) -> str:
    """Ask, wait as long as it takes, hear, and return the answer."""
    assert twin.receive(with_sum(bytes((0x81, command))), now) == []
    frames = twin.tick(now + 0.4)
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames).hex()


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> NextPm:
    return NextPm("aq-1", truth, "seed")


def test_the_frames_of_the_sheet(twin: NextPm, truth: Truth) -> None:
    answer = bytes.fromhex(ask(twin, 0x12, 20.0))
    assert answer[:3] == b"\x81\x12\x00"
    assert len(answer) == 16
    assert sum(answer) % 256 == 0
    (taken,) = truth
    assert taken.fields["pm10"] == int.from_bytes(answer[13:15], "big") / 10
    assert ask(twin, 0x14, 21.0) == "8114000b4013e726"
    assert ask(twin, 0x17, 22.0) == "811700003434"


def test_an_answer_takes_more_than_350_ms(twin: NextPm) -> None:
    assert twin.due() == NEVER
    twin.receive(with_sum(b"\x81\x12"), 20.0)
    assert twin.due() > 20.35
    assert twin.tick(20.35) == []
    assert len(twin.tick(twin.due())) == 1


def test_for_fifteen_seconds_it_has_no_data_and_answers_with_its_state(twin: NextPm, truth: Truth) -> None:
    assert ask(twin, 0x11, 5.0) == with_sum(b"\x81\x16\x04").hex()
    twin.power_cycle(100.0)
    assert ask(twin, 0x17, 114.0) == with_sum(b"\x81\x16\x04").hex()
    assert len(truth) == 0


def test_the_sleep_command_toggles(twin: NextPm) -> None:
    assert ask(twin, 0x15, 20.0) == "81150169"
    assert ask(twin, 0x12, 40.0) == "81160168"
    assert ask(twin, 0x15, 50.0) == with_sum(b"\x81\x15\x04").hex()
    assert ask(twin, 0x12, 80.0).startswith("8112")
    assert twin.toggles == 2


def test_what_is_no_command_is_not_answered(twin: NextPm) -> None:
    twin.receive(bytes.fromhex("81 22 00 5a 81 12 6e 00 81"), 20.0)
    assert twin.due() == NEVER
    twin.receive(bytes.fromhex("16 69"), 20.0)
    assert twin.due() < NEVER


def test_errors_are_bits_of_the_state(twin: NextPm) -> None:
    twin.errors = 0x20
    assert ask(twin, 0x16, 20.0) == with_sum(b"\x81\x16\x20").hex()


def test_stopped_and_silent_it_gives_no_more_readings(twin: NextPm, truth: Truth) -> None:
    twin.stop()
    assert twin.quiet()
    assert ask(twin, 0x12, 20.0).startswith("8116")
    twin.faults.silent = True
    assert ask(twin, 0x12, 21.0) == ""
    assert len(truth) == 0
