import pytest

from firmware_sim.devices.adec_tdc import NOTHING, AdecTdc, long_frame
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

RESET, STATUS = bytes.fromhex("1040014116"), bytes.fromhex("1049014a16")
VEHICLES = {True: bytes.fromhex("1078017916"), False: bytes.fromhex("1058015916")}


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def detector(truth: Truth) -> AdecTdc:
    return AdecTdc("det-1", truth, "seed")


def said(frames: list[Frame], *, arrived: bool = True) -> bytes:
    for frame in frames:
        if frame.heard:
            frame.heard(arrived)
    return b"".join(frame.data for frame in frames)


def test_a_reset_is_answered_and_without_vehicles_there_is_nothing_to_report(detector: AdecTdc) -> None:
    assert said(detector.receive(RESET, 0.0)) == NOTHING
    assert said(detector.receive(VEHICLES[True], 0.0)) == NOTHING


def test_up_to_four_vehicles_are_said_at_once_the_oldest_first(detector: AdecTdc, truth: Truth) -> None:
    answer = said(detector.receive(VEHICLES[True], 60.0))
    assert len(answer) == 8 + 5 + 4 * 7
    assert int.from_bytes(answer[7:11], "big") == 4
    assert [taken.fields["peak_speed"] for taken in truth] == list(answer[11:-2:7])


def test_the_same_frame_count_bit_gets_the_same_answer_and_the_ledger_one_entry(
    detector: AdecTdc, truth: Truth
) -> None:
    first = said(detector.receive(VEHICLES[True], 60.0), arrived=False)
    assert len(truth) == 0
    assert said(detector.receive(VEHICLES[True], 61.0)) == first
    said(detector.receive(VEHICLES[True], 62.0))
    assert len(truth) == 4
    assert said(detector.receive(VEHICLES[False], 62.0)) != first


def test_vehicles_lost_with_the_power_show_in_the_count(detector: AdecTdc) -> None:
    detector.power_cycle(60.0)
    lost = detector.count
    answer = said(detector.receive(VEHICLES[True], 80.0))
    assert int.from_bytes(answer[7:11], "big") > lost > 4


def test_faults_are_said_with_vehicles_without_and_when_asked(detector: AdecTdc) -> None:
    detector.status = 0x81
    assert said(detector.receive(VEHICLES[True], 0.0)) == long_frame(8, 1, b"\x81")
    assert said(detector.receive(STATUS, 0.0)) == bytes.fromhex("68 03 03 68 0b 01 81 8d 16")


def test_it_hears_its_own_address_alone(detector: AdecTdc) -> None:
    assert detector.receive(bytes.fromhex("1040024216"), 0.0) == []


def test_after_stop_it_is_quiet_once_all_were_asked_for(detector: AdecTdc) -> None:
    detector.tick(60.0)
    detector.stop()
    assert not detector.quiet()
    for turn in range(20):
        said(detector.receive(VEHICLES[turn % 2 == 0], 60.0))
    assert detector.quiet()
