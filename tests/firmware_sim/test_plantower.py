"""The simulated Plantower sensors, against the data sheets."""

from collections.abc import Callable

import pytest

from firmware_sim.devices.pms3003 import pms3003
from firmware_sim.devices.pms5003 import pms5003
from firmware_sim.devices.pms5003st import pms5003s, pms5003st
from firmware_sim.devices.pms5003t import pms5003t
from firmware_sim.parts.plantower import Plantower
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

PASSIVE, ACTIVE, READ, SLEEP, WAKE = (
    bytes.fromhex(text)
    for text in ("424de100000170", "424de100010171", "424de200000171", "424de400000173", "424de400010174")
)
MODELS = {pms5003: 32, pms3003: 24, pms5003t: 32, pms5003st: 40, pms5003s: 32}


def said(frames: list[Frame]) -> str:
    return b"".join(frame.data for frame in frames).hex()


def hear(frames: list[Frame]) -> list[Frame]:
    for frame in frames:
        if frame.heard:
            frame.heard(True)
    return frames


def words(frame: Frame) -> list[int]:
    return [int.from_bytes(frame.data[at : at + 2], "big") for at in range(4, len(frame.data) - 2, 2)]


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def twin(truth: Truth) -> Plantower:
    return pms5003("aq-1", truth, "seed")


@pytest.mark.parametrize(("make", "length"), MODELS.items(), ids=lambda one: getattr(one, "__name__", one))
def test_a_report_is_framed_as_in_the_sheet(
    make: Callable[[str, Truth, str], Plantower], length: int, truth: Truth
) -> None:
    (frame,) = make("aq-1", truth, "seed").tick(1.0)
    assert len(frame.data) == length
    assert frame.data[:2] == b"BM"
    assert int.from_bytes(frame.data[2:4], "big") == length - 4
    assert int.from_bytes(frame.data[-2:], "big") == sum(frame.data[:-2])


def test_a_report_says_what_the_ledger_holds(twin: Plantower, truth: Truth) -> None:
    (frame,) = twin.tick(1.0)
    assert len(truth) == 0, "nobody has heard it yet"
    hear([frame])
    (taken,) = truth
    told = words(frame)
    assert [taken.fields[name] for name in ("pm1", "pm25", "pm10")] == told[3:6]
    assert taken.fields["particles_above_03"] == told[6] / 100
    assert told[6:12] == sorted(told[6:12], reverse=True)
    assert told[12] == 0x9700


def test_temperature_humidity_and_formaldehyde_stand_where_the_model_has_them(truth: Truth) -> None:
    for make, at in ((pms5003t, 10), (pms5003st, 13)):
        (frame,) = hear(make(make.__name__, truth, "seed").tick(1.0))
        taken = list(truth)[-1]
        assert words(frame)[at] == taken.fields["temperature"] * 10
        assert words(frame)[at + 1] == pytest.approx(taken.fields["relative_humidity"] * 1000)
    for make in (pms5003st, pms5003s):
        (frame,) = hear(make(make.__name__, truth, "seed").tick(1.0))
        assert words(frame)[12] == list(truth)[-1].fields["ch2o"]


def test_it_reports_every_two_seconds_and_faster_while_values_change(twin: Plantower) -> None:
    gaps = []
    for _ in range(200):
        now = twin.due()
        twin.tick(now)
        gaps.append(round(twin.due() - now, 3))
    assert max(gaps) == 2.3
    assert min(gaps) < 0.8
    assert not [gap for gap in gaps if 0.8 < gap < 2.3]


def test_mode_and_sleep_are_acknowledged_and_the_wake_up_is_not(twin: Plantower) -> None:
    assert said(twin.receive(PASSIVE, 0.0)) == "424d0004e1000174"
    assert said(twin.receive(ACTIVE, 0.0)) == "424d0004e1010175"
    assert said(twin.receive(SLEEP, 0.0)) == "424d0004e4000177"
    assert twin.receive(WAKE, 0.0) == []


def test_in_passive_mode_it_speaks_only_when_asked(twin: Plantower) -> None:
    assert twin.receive(READ, 0.0) == []
    twin.receive(PASSIVE, 0.0)
    assert twin.due() == NEVER
    assert said(twin.receive(READ, 5.0)).startswith("424d001c")


def test_asleep_it_hears_only_the_wake_up(twin: Plantower) -> None:
    twin.receive(SLEEP, 0.0)
    assert twin.tick(5.0) == []
    assert twin.receive(PASSIVE + READ + SLEEP, 5.0) == []
    twin.receive(WAKE, 6.0)
    assert len(twin.tick(7.0)) == 1


def test_a_power_cut_leaves_it_awake_and_active(twin: Plantower) -> None:
    twin.receive(PASSIVE + SLEEP, 0.0)
    twin.power_cycle(9.0)
    assert len(twin.tick(10.0)) == 1


def test_fault_hollow_at_start_is_no_reading(twin: Plantower, truth: Truth) -> None:
    twin.faults.hollow_at_start = 2
    hollow = [hear(twin.tick(twin.due()))[0] for _ in range(2)]
    assert [any(words(frame)[6:12]) for frame in hollow] == [False, False]
    assert len(truth) == 0
    hear(twin.tick(twin.due()))
    assert len(truth) == 1


def test_fault_clean_is_a_reading_of_nothing_whose_sum_ends_like_a_header(twin: Plantower, truth: Truth) -> None:
    twin.faults.clean = True
    (frame,) = hear(twin.tick(1.0))
    assert frame.data.hex() == "424d001c" + "00" * 24 + "97000142"
    (taken,) = truth
    assert set(taken.fields.values()) == {0.0}


def test_faults_that_damage_a_report_leave_no_reading(twin: Plantower, truth: Truth) -> None:
    twin.faults.corrupt = 1.0
    (frame,) = hear(twin.tick(1.0))
    assert int.from_bytes(frame.data[-2:], "big") != sum(frame.data[:-2])
    twin.faults.corrupt, twin.faults.lost_byte = 0.0, 1.0
    (frame,) = hear(twin.tick(9.0))
    assert len(frame.data) == 31
    assert len(truth) == 0


def test_faults_noise_inverted_and_error_leave_the_reading(twin: Plantower, truth: Truth) -> None:
    twin.faults.noise = twin.faults.inverted = 1.0
    twin.faults.error = 5
    noise, frame = hear(twin.tick(1.0))
    assert noise.heard is None
    assert words(frame)[12] == 0x9705
    (taken,) = truth
    assert float(taken.fields["pm10"]) < float(taken.fields["pm25"])


def test_fault_silent_neither_speaks_nor_hears(twin: Plantower) -> None:
    twin.faults.silent = True
    assert twin.due() == NEVER
    assert twin.receive(PASSIVE, 9.0) == []
    twin.faults.silent = False
    assert len(twin.tick(10.0)) == 1


def test_stopped_it_takes_no_reading_and_one_nobody_can_vouch_for_is_uncertain(twin: Plantower, truth: Truth) -> None:
    (frame,) = twin.tick(1.0)
    assert frame.heard
    frame.heard(None)
    assert [taken.certain for taken in truth] == [False]
    twin.stop()
    assert twin.quiet()
    assert twin.due() == NEVER
