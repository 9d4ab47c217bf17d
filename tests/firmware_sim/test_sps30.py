"""The simulated SPS30, against the datasheet."""

from struct import unpack

import pytest

from firmware_sim.devices.sps30 import Mode, Sps30, Status
from firmware_sim.parts.shdlc import unstuffed
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

START, START_WHOLE, STOP, READ, SLEEP, WAKE, CLEAN, RESET = (
    bytes.fromhex(text)
    for text in (
        "7e0000020103f97e",
        "7e0000020105f77e",
        "7e000100fe7e",
        "7e000300fc7e",
        "7e001000ef7e",
        "7e007d3100ee7e",
        "7e005600a97e",
        "7e00d3002c7e",
    )
)


def said(frames: list[Frame]) -> str:
    return b"".join(frame.data for frame in frames).hex()


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> Sps30:
    return Sps30("aq-1", truth, "seed")


def read(twin: Sps30, now: float) -> bytes:
    """Return the data of one reading, heard."""
    (frame,) = twin.receive(READ, now)
    if frame.heard:
        frame.heard(True)
    return unstuffed(frame.data[1:-1])[4:-1]


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        # From the datasheet, and its sheet of states.
        (START, "7e00000000ff7e"),
        ("7e008001007d5e7e", "7e0080000400093a80b87e"),
        ("7e00800500000000007a7e", "7e008000007f7e"),
        ("7e00d001002e7e", "7e00d000093030303830303030009e7e"),
        ("7e00d1002e7e", "7e00d10007020200070002001a7e"),
        ("7e00d201002c7e", "7e00d200050000000000287e"),
        ("7e00ee007d317e", "7e00ee02000f7e"),
        (READ, "7e00034300b97e"),
        (WAKE, "7e007d314300ab7e"),
    ],
    ids=["start", "interval", "no cleaning", "product", "version", "status", "unknown", "read while idle", "awake"],
)
def test_a_command_is_answered_byte_by_byte_as_in_the_sheet(twin: Sps30, sent: bytes | str, answer: str) -> None:
    question = sent if isinstance(sent, bytes) else bytes.fromhex(sent)
    assert said(twin.receive(question, 0.0)) == answer


def test_a_reading_says_what_the_ledger_holds(twin: Sps30, truth: Truth) -> None:
    twin.receive(START, 0.0)
    values = unpack(">10f", read(twin, 1.0))
    (taken,) = truth
    assert list(taken.fields.values()) == list(values)
    assert list(values[:4]) == sorted(values[:4])


def test_whole_numbers_give_the_size_in_nanometres(twin: Sps30, truth: Truth) -> None:
    twin.receive(START_WHOLE, 0.0)
    whole = unpack(">10H", read(twin, 1.0))
    (taken,) = truth
    assert taken.fields["pm1"] == whole[0]
    assert taken.fields["typical_particle_size"] == whole[9] / 1000
    assert 300 < whole[9] < 1000


def test_a_sample_is_new_once_a_second(twin: Sps30, truth: Truth) -> None:
    twin.receive(START, 0.0)
    assert [len(read(twin, now)) for now in (0.5, 1.0, 1.5, 2.0)] == [0, 40, 0, 40]
    assert len(truth) == 2


def test_started_twice_it_refuses_and_measures_on(twin: Sps30) -> None:
    twin.receive(START, 0.0)
    assert said(twin.receive(START_WHOLE, 0.5)) == "7e00004300bc7e"
    assert len(read(twin, 1.0)) == 40


def test_asleep_it_needs_a_byte_before_the_wake_up_or_the_wake_up_twice(twin: Sps30) -> None:
    twin.receive(START, 0.0)
    assert said(twin.receive(SLEEP, 0.0)) == "7e00104300ac7e", "only when idle"
    twin.receive(STOP + SLEEP, 0.0)
    assert twin.receive(READ, 1.0) == []
    assert twin.receive(WAKE, 2.0) == []
    assert said(twin.receive(WAKE, 2.05)) == "7e007d310000ee7e"
    twin.receive(SLEEP, 3.0)
    assert said(twin.receive(b"\xff" + WAKE, 4.0)) == "7e007d310000ee7e"
    twin.receive(SLEEP, 5.0)
    assert twin.receive(b"\xff", 6.0) + twin.receive(WAKE, 6.2) == [], "too late"


def test_while_it_cleans_its_values_stand_still(twin: Sps30) -> None:
    assert said(twin.receive(CLEAN, 0.0)) == "7e00564300667e", "only while measuring"
    twin.receive(START, 0.0)
    first = read(twin, 1.0)
    twin.receive(CLEAN, 2.0)
    assert read(twin, 3.0) == read(twin, 11.0) == first
    assert read(twin, 12.0) != first


def test_it_cleans_by_itself_after_a_week_without_a_power_cut(twin: Sps30) -> None:
    twin.receive(START, 0.0)
    for day in range(1, 8):
        twin.tick(day * 86_400.0)
    assert twin.cleanings == 1
    for day in range(8, 30):
        twin.power_cycle(day * 86_400.0)
        twin.receive(START, day * 86_400.0)
        twin.tick((day + 1) * 86_400.0 - 1)
    assert twin.cleanings == 1


def test_power_and_reset_bring_it_up_idle(twin: Sps30) -> None:
    for shake in (lambda: twin.power_cycle(1.0), lambda: twin.receive(RESET, 1.0)):
        twin.receive(START, 0.0)
        shake()
        assert twin.mode is Mode.IDLE


def test_an_error_is_flagged_in_every_state_and_a_warning_only_in_the_status(twin: Sps30) -> None:
    twin.receive(START, 0.0)
    twin.faults.status = Status.SPEED
    assert twin.receive(READ, 1.0)[0].data[3] == 0
    twin.faults.status = Status.LASER
    assert twin.receive(READ, 2.0)[0].data[3] == 0x80
    assert said(twin.receive(bytes.fromhex("7e00d201012b7e"), 3.0)) == "7e00d280050000002000887e"
    assert twin.faults.status == Status(0), "that command clears it"


def test_a_command_with_a_wrong_check_or_length_is_not_answered(twin: Sps30) -> None:
    assert twin.receive(bytes.fromhex("7e000300fd7e" + "7e000301fb7e" + "7e010300fb7e"), 0.0) == []


def test_it_says_nothing_by_itself_and_stopped_it_has_no_new_sample(twin: Sps30, truth: Truth) -> None:
    twin.receive(START, 0.0)
    assert (twin.due(), twin.tick(9.0)) == (NEVER, [])
    twin.stop()
    assert twin.quiet()
    assert read(twin, 10.0) == b""
    assert len(truth) == 0
