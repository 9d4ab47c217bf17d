import pytest

from firmware_sim.devices.senseair_s8 import SenseairS8
from firmware_sim.parts.modbus import with_crc
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

READ = bytes.fromhex("fe040000" + "0004" + "e5c6")


def said(frames: list[Frame]) -> str:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames).hex()


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> SenseairS8:
    return SenseairS8("co2-1", truth, "seed", 7)


def test_the_questions_of_the_sheet_are_answered(twin: SenseairS8, truth: Truth) -> None:
    answer = said(twin.receive(bytes.fromhex("fe0400030001d5c5"), 10.0))
    (taken,) = truth
    co2 = int(float(taken.fields["co2"]))
    assert answer == with_crc(bytes((0xFE, 4, 2)) + co2.to_bytes(2, "big")).hex()
    assert said(twin.receive(bytes.fromhex("fe03001f0001a1c3"), 10.0)) == with_crc(bytes.fromhex("fe030200b4")).hex()
    assert said(twin.receive(bytes.fromhex("fe0600017c066cc7"), 10.0)) == "fe0600017c066cc7"
    assert twin.calibrations == 1


def test_it_answers_at_its_own_address_and_at_that_of_any_sensor(twin: SenseairS8) -> None:
    for address in (7, 0xFE):
        assert said(twin.receive(with_crc(bytes((address, 4, 0, 3, 0, 1))), 5.0)).startswith(f"{address:02x}0402")
    assert twin.receive(with_crc(bytes((8, 4, 0, 3, 0, 1))), 5.0) == []


def test_questions_are_found_in_any_pieces_and_between_noise(twin: SenseairS8) -> None:
    stream = b"\xfe\x04\x00" + READ + b"\xfe" + READ
    answers = [frame for byte in stream for frame in twin.receive(bytes((byte,)), 5.0)]
    assert len(answers) == 2


@pytest.mark.parametrize(
    ("body", "code"), [("fe0400280001", 2), ("fe0400000009", 3), ("fe0100000001", 1), ("fe06001f7fff", 3)]
)
def test_what_it_does_not_have_is_refused(twin: SenseairS8, body: str, code: int) -> None:
    question = bytes.fromhex(body)
    refusal = with_crc(bytes((0xFE, question[1] | 0x80, code)))
    assert said(twin.receive(with_crc(question), 5.0)) == refusal.hex()


def test_until_it_has_measured_it_says_zero_and_that_is_no_reading(twin: SenseairS8, truth: Truth) -> None:
    assert said(twin.receive(READ, 1.0))[6:22] == "00" * 8
    assert len(truth) == 0
    said(twin.receive(READ, 2.0))
    assert len(truth) == 1
    twin.power_cycle(10.0)
    assert said(twin.receive(READ, 11.0))[6:22] == "00" * 8


def test_the_calibration_period_is_set_and_kept_over_a_power_cut(twin: SenseairS8) -> None:
    order = with_crc(bytes.fromhex("fe06001f0000"))
    assert said(twin.receive(order, 1.0)) == order.hex()
    twin.power_cycle(5.0)
    assert twin.abc_hours == 0


def test_faults_spoil_the_answer_and_the_ledger_knows(twin: SenseairS8, truth: Truth) -> None:
    twin.faults.corrupt = 1.0
    whole = said(twin.receive(READ, 5.0))
    assert with_crc(bytes.fromhex(whole)[:-2]).hex() != whole
    twin.faults.corrupt, twin.faults.torn = 0.0, 1.0
    assert 2 <= len(said(twin.receive(READ, 7.0))) < 26
    twin.faults.silent = True
    assert twin.receive(READ, 9.0) == []
    assert len(truth) == 0


def test_when_it_is_stopped_nobody_can_take_an_old_value_for_a_new_one(twin: SenseairS8) -> None:
    assert said(twin.receive(READ, 10.0))
    twin.stop()
    assert twin.receive(READ, 20.0) == []
