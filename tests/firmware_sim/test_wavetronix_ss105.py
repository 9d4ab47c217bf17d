import pytest

from firmware_sim.devices.wavetronix_ss105 import BORN, WavetronixSs105, checksum
from firmware_sim.truth.ledger import Truth

ASK = b"Z00001XD\r"


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def sensor(truth: Truth) -> WavetronixSs105:
    return WavetronixSs105("x", truth, "seed")


def said(sensor: WavetronixSs105, data: bytes, now: float) -> str:
    return b"".join(frame.data for frame in sensor.receive(data, now)).decode()


def test_an_interval_is_a_line_with_every_lane_and_a_sum(sensor: WavetronixSs105, truth: Truth) -> None:
    (answer,) = sensor.receive(ASK, 61.0)
    text = answer.data.decode()
    payload = text[8:-6]
    assert text == f"Z00001XD{payload}{checksum(payload)}~\r"
    assert int(payload[:8], 16) == BORN + 60
    assert [payload[at] for at in (8, 37)] == ["1", "2"]
    assert answer.heard
    answer.heard(True)
    answer.heard(True)
    assert [taken.fields["intensity"] for taken in truth] == [int(payload[at : at + 8], 16) for at in (9, 38)]


def test_older_intervals_are_told_by_their_age_until_there_are_none(sensor: WavetronixSs105) -> None:
    sensor.tick(91.0)
    assert said(sensor, b"Z00001XD0001\r", 91.0)[8:16] == f"{BORN + 60:08X}"
    assert said(sensor, b"Z00001XD0003\r", 91.0) == "Z00001XDEmpty~\r"


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (b"Z00001XD\r", "Z00001XDEmpty~\r"),
        (b"Z00001XDxyz\r", "Z00001XDInvalid~\r"),
        (b"Z00001QQ\r", "Z00001QQInvalid~\r"),
        (b"Z00001S5\r", "Z00001S5SS105 V2.20~\r"),
        (b"Z00002XD\r", ""),
        (b"XD\r", ""),
    ],
)
def test_other_questions_have_their_answers(sensor: WavetronixSs105, asked: bytes, answer: str) -> None:
    assert said(sensor, asked, 1.0) == answer


def test_a_power_cut_takes_what_was_counted(sensor: WavetronixSs105) -> None:
    sensor.tick(61.0)
    sensor.power_cycle(61.0)
    assert said(sensor, ASK, 62.0) == "Z00001XDEmpty~\r"
    sensor.stop()
    assert sensor.quiet()


def test_when_it_is_stopped_no_further_interval_ends(sensor: WavetronixSs105) -> None:
    last = said(sensor, ASK, 61.0)
    sensor.stop()
    assert said(sensor, ASK, 200.0) == last
