import pytest

from firmware_sim.devices.winsen_zh import WinsenZh
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

READ = bytes.fromhex("ff0186000000000079")
ASK = bytes.fromhex("ff0178410000000046")
SLEEP = bytes.fromhex("ff01a7010000000057")
WAKE = bytes.fromhex("ff01a7000000000058")


def said(frames: list[Frame]) -> bytes:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames)


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> WinsenZh:
    return WinsenZh("aq-1", truth, "seed")


def test_it_uploads_frames_of_24_bytes_until_it_is_to_be_asked(twin: WinsenZh) -> None:
    frame = said(twin.tick(1.0))
    assert frame[:4] == bytes.fromhex("424d0014")
    assert len(frame) == 24
    assert int.from_bytes(frame[22:], "big") == sum(frame[:22])
    assert said(twin.receive(ASK, 1.5)).hex() == "ff7801000000000087"
    assert twin.due() == NEVER


def test_its_answer_has_pm25_first_and_pm1_last(twin: WinsenZh, truth: Truth) -> None:
    assert twin.receive(READ, 0.5) == []
    twin.receive(ASK, 0.5)
    answer = said(twin.receive(READ, 1.0))
    (taken,) = truth
    values = [float(int.from_bytes(answer[at : at + 2], "big")) for at in (2, 4, 6)]
    assert values == [taken.fields[name] for name in ("pm25", "pm10", "pm1")]


def test_asleep_it_does_not_measure_and_wakes_when_told(twin: WinsenZh) -> None:
    twin.receive(ASK, 0.0)
    assert said(twin.receive(SLEEP, 1.0)).hex() == "ffa701000000000058"
    assert twin.receive(READ, 2.0) == []
    assert said(twin.receive(WAKE, 3.0)).hex() == "ffa701000000000058"
    assert len(twin.receive(READ, 4.0)) == 1


def test_a_power_cut_wakes_it_and_it_uploads(twin: WinsenZh) -> None:
    twin.receive(ASK + SLEEP, 0.0)
    twin.power_cycle(10.0)
    assert twin.due() == 11.0
    twin.stop()
    assert twin.quiet()
    assert twin.due() == NEVER
