"""The simulated SDS198; its commands are those of the SDS011, and tested there."""

import pytest

from firmware_sim.devices.sds198 import Sds198
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

SENSOR = bytes.fromhex("e905")


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> Sds198:
    return Sds198("aq-1", truth, "seed", SENSOR)


def hear(frames: list[Frame]) -> list[Frame]:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return frames


def test_a_report_is_framed_as_captured_and_says_what_the_ledger_holds(twin: Sds198, truth: Truth) -> None:
    (frame,) = hear(twin.tick(1.0))
    assert frame.data[:2] == b"\xaa\xcf"
    assert frame.data[6:8] == SENSOR
    assert frame.data[8:] == bytes((sum(frame.data[2:8]) & 0xFF, 0xAB))
    (taken,) = truth
    assert taken.fields == {"pm100": float(int.from_bytes(frame.data[4:6], "little"))}


def test_it_sleeps_and_wakes_by_the_commands_of_its_sibling(twin: Sds198) -> None:
    sleep = bytes.fromhex("aab406010000000000000000000000ffff05ab")
    (answer,) = twin.receive(sleep, 0.0)
    assert answer.data.hex() == "aac506010000e905f5ab"
    assert twin.due() == NEVER
    twin.receive(bytes.fromhex("aab406010100000000000000000000ffff06ab"), 5.0)
    assert len(twin.tick(6.0)) == 1


def test_fault_zeros_at_start_are_no_readings(twin: Sds198, truth: Truth) -> None:
    twin.faults.zeros_at_start = 1
    (zeros,) = hear(twin.tick(1.0))
    assert zeros.data.hex() == "aacf00000000e905eeab"
    hear(twin.tick(2.0))
    assert len(truth) == 1


def test_a_report_spoiled_on_the_way_is_no_reading(twin: Sds198, truth: Truth) -> None:
    twin.wire.faults.corrupt = 1.0
    hear(twin.tick(1.0))
    assert len(truth) == 0
