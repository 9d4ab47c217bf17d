import pytest

from firmware_sim.devices.houston_dr500 import (
    ABOUT,
    ASK,
    ASK_SPEED,
    SET,
    SPEED,
    STATUS,
    TO_KMH,
    VARIABLE,
    HoustonDr500,
    crc,
    packet,
    unpacked,
)  # fmt: skip
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def radar(truth: Truth) -> HoustonDr500:
    return HoustonDr500("radar-1", truth, "seed")


def said(frames: list[Frame], *, arrived: bool | None = True) -> bytes:
    for frame in frames:
        if frame.heard:
            frame.heard(arrived)
    return b"".join(frame.data for frame in frames)


def test_the_check_is_the_catalogue_s() -> None:
    assert crc(b"123456789") == 0x31C3


def test_the_speed_that_is_said_is_in_the_ledger_in_kmh(radar: HoustonDr500, truth: Truth) -> None:
    speeds = [unpacked(said(radar.receive(packet(ASK_SPEED), 0.0))[1:-1]) for _ in range(50)]
    assert all(body[0] == SPEED for body in speeds)
    assert [taken.fields["average_vehicle_speed"] for taken in truth] == [
        round(body[1] * TO_KMH[0], 2) for body in speeds if body[1]
    ]
    assert any(body[1] == 0 for body in speeds)


@pytest.mark.parametrize(("arrived", "entries"), [(True, 1), (None, 1), (False, 0)])
def test_what_did_not_arrive_is_not_in_the_ledger(
    radar: HoustonDr500, truth: Truth, arrived: bool | None, entries: int
) -> None:
    frames: list[Frame] = []
    while not (frames and frames[-1].heard):
        frames = radar.receive(packet(ASK_SPEED), 0.0)
    said(frames, arrived=arrived)
    assert len(truth) == entries
    assert truth.counts["traffic"] == (arrived is True)


def test_variables_are_set_and_read_and_last_through_power_cuts(radar: HoustonDr500) -> None:
    assert said(radar.receive(packet(SET, b"\0UN\1\0"), 0.0)) == packet(STATUS, b"\0\0")
    radar.power_cycle(1.0)
    assert said(radar.receive(packet(ASK, b"\0UN"), 2.0)) == packet(VARIABLE, b"\0UN\1\0")


@pytest.mark.parametrize("question", [packet(0x2A), packet(ASK, b"\0XX"), packet(ASK, b"\1UN"), packet(SET, b"\0UN")])
def test_what_it_does_not_know_it_refuses(radar: HoustonDr500, question: bytes) -> None:
    assert said(radar.receive(question, 0.0)) == packet(STATUS, b"\xff\xff")


def test_it_says_who_it_is(radar: HoustonDr500) -> None:
    assert b"REV=2.61\n" in said(radar.receive(packet(ABOUT), 0.0))


def test_marks_are_escaped() -> None:
    assert packet(SPEED, b"\xf3\xfa\xfc")[2:8] == bytes.fromhex("fa03 fa0a fa0c")
    assert unpacked(packet(SPEED, b"\xf3\xfa\xfc")[1:-1]) == b"\x32\xf3\xfa\xfc"


def test_fault_silent_and_an_idle_line(radar: HoustonDr500) -> None:
    assert (radar.tick(9.0), radar.due()) == ([], NEVER)
    radar.faults.silent = True
    assert radar.receive(packet(ASK_SPEED), 0.0) == []
    radar.stop()
    assert radar.quiet()
