import pytest

from firmware_sim.devices.rtms_g4 import COUNT, EVENT, FOOTER, HEADER, INFORM, POLL, REFUSED, RtmsG4, frame
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

ASK = frame(POLL, 1, b"\0")


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def sensor(truth: Truth) -> RtmsG4:
    return RtmsG4("radar-1", truth, "seed")


def said(frames: list[Frame], *, arrived: bool = True) -> list[bytes]:
    for one in frames:
        if one.heard:
            one.heard(arrived)
    return [one.data for one in frames]


def test_a_frame_is_as_the_protocol_draws_it() -> None:
    assert bytes.fromhex("ff aa 53 03 00 01 00 00 01") == ASK


def test_there_is_no_message_before_the_first_period_has_ended(sensor: RtmsG4) -> None:
    assert sensor.receive(ASK, 29.0) == []
    assert sensor.receive(ASK, 30.0)


def test_a_message_has_a_header_its_tables_and_a_footer(sensor: RtmsG4, truth: Truth) -> None:
    message = said(sensor.receive(ASK, 30.0))
    assert [part[2] for part in message] == [HEADER, COUNT, 0x11, 0x12, 0x14, 0x15, 0x16, 0x13, 0x1E, 0x1F, FOOTER]
    counts = [int.from_bytes(message[1][at : at + 2], "big") for at in (6, 8, 10)]
    assert counts == [taken.fields["intensity"] for taken in truth]
    assert [taken.tags["lane"] for taken in truth] == ["1", "2", "3"]


def test_the_same_period_again_is_the_same_message_and_is_in_the_ledger_once(sensor: RtmsG4, truth: Truth) -> None:
    assert said(sensor.receive(ASK, 30.0)) == said(sensor.receive(ASK, 59.0)) != said(sensor.receive(ASK, 60.0))
    assert len(truth) == 6


def test_a_period_of_which_a_frame_is_lost_is_not_in_the_ledger(sensor: RtmsG4, truth: Truth) -> None:
    frames = sensor.receive(ASK, 30.0)
    said(frames[1:])
    assert len(truth) == 0
    said(sensor.receive(ASK, 31.0))
    assert len(truth) == 3


def test_who_it_is_and_what_it_refuses(sensor: RtmsG4) -> None:
    (about,) = said(sensor.receive(frame(INFORM, 1, b""), 0.0))
    assert (about[2], len(about)) == (0x40, 22)
    assert said(sensor.receive(frame(0x49, 1, b""), 0.0)) == [frame(REFUSED, 1, b"")]
    assert sensor.receive(frame(POLL, 2, b"\0"), 60.0) == []


def test_in_event_mode_each_vehicle_is_said_and_entered(truth: Truth) -> None:
    sensor = RtmsG4("radar-1", truth, "seed", events=True)
    vehicles = said(sensor.tick(60.0))
    assert {(part[2], len(part)) for part in vehicles} == {(EVENT, 23)}
    assert [taken.fields["peak_speed"] for taken in truth] == [float(part[9]) for part in vehicles]
    assert 60.0 < sensor.due() < 70.0


def test_a_power_cut_begins_a_new_period(sensor: RtmsG4) -> None:
    sensor.power_cycle(45.0)
    assert sensor.receive(ASK, 74.0) == []
    assert sensor.receive(ASK, 75.0)[0].data[6] == 1
    assert sensor.due() == NEVER
