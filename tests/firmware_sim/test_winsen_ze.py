import pytest

from firmware_sim.devices.winsen_ze import WinsenZe
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

READ = bytes.fromhex("ff0186000000000079")
ASK = bytes.fromhex("ff0178410000000046")
UPLOAD = bytes.fromhex("ff0178400000000047")


def said(frames: list[Frame]) -> bytes:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return b"".join(frame.data for frame in frames)


@pytest.fixture
def truth() -> Truth:
    return Truth()


def test_it_uploads_once_a_second_what_the_ledger_holds(truth: Truth) -> None:
    twin = WinsenZe("aq-1", truth, "seed")
    assert [len(twin.tick(now)) for now in (0.5, 1.0, 1.5, 2.0)] == [0, 1, 0, 1]
    frame = said(twin.tick(3.0))
    (taken,) = truth
    assert frame[:4] == bytes.fromhex("ff2a0400")
    assert sum(frame[1:]) % 256 == 0
    assert taken.fields == {"o3": pytest.approx(int.from_bytes(frame[4:6], "big") * 1.9953, rel=1e-3)}


def test_carbon_monoxide_is_in_tenths_of_a_ppm(truth: Truth) -> None:
    twin = WinsenZe("aq-1", truth, "seed", gas="co")
    frame = said(twin.tick(1.0))
    assert frame[:4] == bytes.fromhex("ff040301")
    (taken,) = truth
    assert taken.fields == {"co": pytest.approx(int.from_bytes(frame[4:6], "big") * 116.44, rel=1e-3)}


def test_asked_only_it_answers_in_both_units_and_uploads_no_more(truth: Truth) -> None:
    twin = WinsenZe("aq-1", truth, "seed", gas="ch2o")
    assert twin.receive(READ, 0.5) == []
    assert said(twin.receive(ASK, 0.6)).hex() == "ff7801000000000087"
    assert twin.due() == NEVER
    answer = said(twin.receive(READ, 2.0))
    micrograms, ppb = int.from_bytes(answer[2:4], "big"), int.from_bytes(answer[6:8], "big")
    assert answer[:2] == b"\xff\x86"
    assert micrograms == pytest.approx(ppb * 1.34, abs=1)
    said(twin.receive(UPLOAD, 3.0))
    assert len(twin.tick(4.0)) == 1


def test_a_failed_cell_and_a_power_cut(truth: Truth) -> None:
    twin = WinsenZe("aq-1", truth, "seed", gas="co")
    twin.fault = True
    assert said(twin.tick(1.0))[4] & 0x80
    said(twin.receive(ASK, 2.0))
    twin.power_cycle(3.0)
    assert twin.due() == 4.0
    twin.stop()
    assert twin.quiet()
    assert twin.due() == NEVER
