import re

import pytest

from firmware_sim.devices.natch import Natch
from firmware_sim.parts.road import Road
from firmware_sim.parts.twin import Frame
from firmware_sim.truth.ledger import Truth

STEP = 0.25


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def controller(truth: Truth) -> Natch:
    return Natch("x", truth, "seed")


def said(controller: Natch, data: bytes, now: float) -> str:
    return b"".join(frame.data for frame in controller.receive(data, now)).decode()


def run(controller: Natch, start: float, end: float) -> list[Frame]:
    return [frame for step in range(int(start / STEP), int(end / STEP)) for frame in controller.tick(step * STEP)]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"CS,00AC\n", "cs,00AC,2026-03-01T23:58:10+01:00\n"),
        (b"DC,00AD,0,41\nDC,00AE,0\n", "dc,00AD,0,41\ndc,00AE,0,41\n"),
        (b"DC,00AD,0,105\n", "dc,00AD,0,0\n"),
        (b"PS,0250,70\n", "ps,0250,70,0\n"),
        (b"SA,0291\n", "sa,0291,1800,80,50,13,7\n"),
        (b"SC,05c1,restart\n", "sc,05c1,restart\n"),
        (b"V.,A042\n", "v.,A042,0.1.0,2022-01-31T12:34:56-05:00\n"),
        (b"CS,0001,2026-03-02T00:00:00+01:00\nCS,0002\n", "cs,0002,2026-03-02T00:00:00+01:00\n"),
        (b"hello\nXX,0001\nCS,0001,soon\n", ""),
    ],
)
def test_polls_are_answered_with_their_id(controller: Natch, asked: bytes, answer: str) -> None:
    assert said(controller, asked, 10.0).endswith(answer)
    assert bool(said(controller, b"", 10.0)) is False


def test_vehicles_come_again_until_the_oldest_is_acknowledged(controller: Natch, truth: Truth) -> None:
    frames = run(controller, 0.0, 30.0)
    lines = [frame.data.decode() for frame in frames]
    assert all(re.fullmatch(r"ds,[0-9a-f]{4},[0-2],\d+,\d+,\d\d:\d\d:\d\d\n", line) for line in lines)
    assert len(set(lines)) < len(lines)
    ids = list(dict.fromkeys(line[3:7] for line in lines))
    assert ids == sorted(ids)
    waiting = controller.waiting
    said(controller, f"DS,{ids[1]}\n".encode(), 30.0)
    assert controller.waiting == waiting
    said(controller, f"DS,{ids[0]}\nDS,{ids[1]}\n".encode(), 30.0)
    assert controller.waiting == waiting - 2
    for frame in frames:
        assert frame.heard
        frame.heard(True)
    assert len(truth) == len(set(lines))


def test_no_more_than_sixteen_are_sent_at_once(controller: Natch) -> None:
    run(controller, 0.0, 120.0)
    assert controller.waiting > 16
    assert len(controller.tick(controller.due() + 0.01)) in (0, 16)
    controller.stop()
    assert len(controller.tick(130.0)) == 16
    assert not controller.quiet()


def test_a_detector_without_a_pin_sees_nothing(controller: Natch) -> None:
    said(controller, b"DC,0001,0,0\nDC,0002,1,0\nDC,0003,2,0\n", 0.0)
    assert run(controller, 0.0, 30.0) == []


def test_a_restart_loses_who_waited_and_begins_the_ids_again(controller: Natch) -> None:
    run(controller, 0.0, 30.0)
    controller.power_cycle(30.0)
    assert controller.waiting == 0
    assert said(controller, b"CS,0001\n", 31.0) == ""
    assert run(controller, 31.0, 60.0)[0].data.startswith(b"ds,0001,")


def test_vehicles_of_a_lane_do_not_overlap() -> None:
    left = [0.0, 0.0]
    road = Road("seed", lanes=2, headway=1.0)
    vehicles = list(road.left_until(300.0))
    for vehicle in vehicles:
        assert vehicle.left_at - vehicle.presence > left[vehicle.lane]
        assert vehicle.headway > 0.5
        left[vehicle.lane] = vehicle.left_at
    assert len(vehicles) > 100
    road.close()
    assert list(road.left_until(1e9)) == []
