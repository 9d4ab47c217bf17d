import pytest

from firmware_sim.devices.modbus import LD120
from firmware_sim.parts.modbus import with_crc
from firmware_sim.truth.ledger import Truth

COUNT = "fe 03 0009 0002"


def ask(twin: LD120, body: str, now: float) -> bytes:
    frames = twin.receive(with_crc(bytes.fromhex(body)), now)
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames)


def count(twin: LD120, now: float) -> int:
    return int.from_bytes(ask(twin, COUNT, now)[3:7], "big")


@pytest.fixture
def truth() -> Truth:
    return Truth()


def test_the_ledger_holds_the_vehicles_between_the_answers(truth: Truth) -> None:
    twin = LD120("loop-1", truth, "seed", count=100)
    first = count(twin, 60.0)
    assert first > 100
    assert len(truth) == 0
    last = count(twin, 600.0)
    assert len(truth) == last - first > 50
    assert count(twin, 600.0) == last


def test_a_vehicle_that_is_in_two_answers_on_their_way_is_entered_once(truth: Truth) -> None:
    twin = LD120("loop-1", truth, "seed")
    answers = [frame for now in (60.0, 120.0, 180.0) for frame in twin.receive(with_crc(bytes.fromhex(COUNT)), now)]
    for frame in answers:
        assert frame.heard
        frame.heard(True)
    first, _, last = (int.from_bytes(frame.data[3:7], "big") for frame in answers)
    assert len(truth) == last - first > 10


def test_it_is_quiet_once_it_was_asked_for_all_that_passed(truth: Truth) -> None:
    twin = LD120("loop-1", truth, "seed")
    count(twin, 60.0)
    twin.tick(120.0)
    twin.stop()
    assert not twin.quiet()
    count(twin, 121.0)
    assert twin.quiet()


def test_type_and_state_and_what_it_does_not_have(truth: Truth) -> None:
    twin = LD120("loop-1", truth, "seed")
    assert ask(twin, "fe 04 0000 0002", 0.0) == with_crc(bytes.fromhex("fe 04 04 0022 0000"))
    twin.open = True
    assert ask(twin, "fe 02 0000 0006", 0.0) == with_crc(bytes.fromhex("fe 02 01 11"))
    assert ask(twin, "fe 04 0001 0001", 0.0) == with_crc(bytes.fromhex("fe 04 02 0011"))
    assert ask(twin, "fe 03 0000 0009", 0.0) == with_crc(bytes.fromhex("fe 83 03"))
    assert ask(twin, "fe 03 0000 0001", 0.0) == with_crc(bytes.fromhex("fe 83 02"))
    assert ask(twin, "fe 07 0000 0001", 0.0) == b""


def test_it_counts_nothing_with_a_broken_loop_nor_when_stopped(truth: Truth) -> None:
    twin = LD120("loop-1", truth, "seed")
    twin.open = True
    assert count(twin, 600.0) == 0
    twin.open = False
    twin.stop()
    assert count(twin, 1200.0) == 0
    assert twin.quiet()


def test_it_starts_anew_after_its_highest_count_and_after_a_power_cut(truth: Truth) -> None:
    twin = LD120("loop-1", truth, "seed", count=995)
    twin.highest = 999
    assert count(twin, 600.0) < 200
    twin.power_cycle(600.0)
    assert count(twin, 600.0) == 0
