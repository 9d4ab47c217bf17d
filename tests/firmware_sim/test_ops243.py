import json
from collections import defaultdict
from itertools import pairwise

import pytest

from firmware_sim.devices.ops243 import Modes, Ops243, line_speed
from firmware_sim.parts.street import APART, Street
from firmware_sim.parts.twin import NEVER, Frame
from firmware_sim.truth.ledger import Truth

STEP = 0.05


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def radar(truth: Truth) -> Ops243:
    return Ops243("radar-1", truth, Street("seed", headway=3.0))


def text(frames: list[Frame]) -> str:
    return b"".join(frame.data for frame in frames).decode()


def run(radar: Ops243, start: float, end: float, *, arrived: bool | None = True) -> list[Frame]:
    """Let time pass in steps, as a line would, and let every report be heard."""
    frames = []
    for step in range(int(start / STEP) + 1, int(end / STEP) + 1):
        for frame in radar.tick(step * STEP):
            frames.append(frame)
            if frame.heard:
                frame.heard(arrived)
    return frames


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"UK", '{"Units":"km-per-hr"}\r\n'),
        (b"UM", '{"Units":"m-per-sec"}\r\n'),
        (b"US", '{"Units":"miles-per-hr"}\r\n'),
        (b"U?", '{"Units":"m-per-sec"}\r\n'),
        (b"?P", '{"Product":"OPS243 Doppler"}\r\n'),
        (b"?V", '{"Version":"1.3.0"}\r\n'),
        (b"OJ", '{"OutputFeature":"J"}\r\n'),
        (b"R>10\n", '{"Filter":"R>10"}\r\n'),
        (b"\x03UK\x03OJ\r\n", '{"Units":"km-per-hr"}\r\n{"OutputFeature":"J"}\r\n'),
    ],
)
def test_commands_are_answered_with_a_line_each(radar: Ops243, sent: bytes, answer: str) -> None:
    assert text(radar.receive(sent, 0.0)) == answer


def test_a_command_may_arrive_a_byte_at_a_time(radar: Ops243) -> None:
    answers = [frame for byte in b"UKR>12.5\nOJF0??" for frame in radar.receive(bytes((byte,)), 0.0)]
    assert text(answers).count("\r\n") == 4 + 5
    assert (radar.modes.units, radar.modes.low, radar.modes.json, radar.modes.decimals) == ("K", 12.5, True, 0)


def test_the_vendors_initialisation_string_is_obeyed_whole(radar: Ops243) -> None:
    answers = text(radar.receive(b"UKBVOJONF0S2?P", 0.0)).splitlines()
    assert len(answers) == 7
    assert radar.modes == Modes(units="K", json=True, objects=True, decimals=0)


def test_plain_reports_are_time_magnitude_speed_as_switched_on(radar: Ops243) -> None:
    line = radar._report(-12.96, 847, 105.1234)
    assert line == b"-3.6\r\n"
    radar.receive(b"OT", 0.0)
    assert radar._report(-12.96, 847, 105.1234) == b"105.123,-3.6\r\n"
    radar.receive(b"OM", 0.0)
    assert radar._report(-12.96, 847, 105.1234) == b"105.123,847,-3.6\r\n"
    radar.receive(b"OU", 0.0)
    assert radar._report(-12.96, 847, 105.1234) == b'"mps",105.123,847,-3.6\r\n'


def test_json_reports_hold_what_is_switched_on(radar: Ops243) -> None:
    radar.receive(b"UKOJOMOTF2", 0.0)
    assert radar._report(-50.0, 847, 3.5) == b'{"time":3.500,"magnitude":847,"speed":-50.00}\r\n'
    radar.receive(b"Ot", 0.0)
    radar.faults.numbers_as_text = True
    assert radar._report(50.0, 847, 3.5) == b'{"magnitude":"847","speed":"50.00"}\r\n'
    radar.receive(b"O2", 0.0)
    assert json.loads(radar._report(50.0, 847, 3.5)) == {"magnitude": ["847"], "speed": ["50.00"]}


def test_filters_hold_reports_back(radar: Ops243) -> None:
    radar.receive(b"UKR>10\nR<90\nM>100\n", 0.0)
    assert radar._report(9.9, 500, 0.0) == b""
    assert radar._report(91.0, 500, 0.0) == b""
    assert radar._report(50.0, 99, 0.0) == b""
    assert radar._report(50.0, 500, 0.0) == b"50.0\r\n"
    radar.receive(b"R+", 0.0)
    assert radar._report(-50.0, 500, 0.0) == b""


def test_each_vehicle_is_entered_once_with_the_highest_speed_that_was_printed(radar: Ops243, truth: Truth) -> None:
    radar.receive(b"UKOJ", 0.0)
    frames = run(radar, 0.0, 120.0)
    radar.stop()
    frames += run(radar, 120.0, 125.0)
    assert radar.quiet()
    assert len(truth) > 20
    speeds = [json.loads(frame.data)["speed"] for frame in frames]
    fastest = {"inbound": max(speeds), "outbound": -min(speeds)}
    for way, speed in fastest.items():
        assert max(float(t.fields["peak_speed"]) for t in truth if t.tags["direction"] == way) == speed
    assert all(taken.certain for taken in truth)


def test_vehicles_of_one_direction_keep_apart_and_are_seen_five_to_twenty_times() -> None:
    street = Street("seed", headway=0.1)
    seen = defaultdict(list)
    for glimpse in street.seen_until(300.0):
        seen[glimpse.vehicle].append(glimpse)
    complete = {vehicle: glimpses for vehicle, glimpses in seen.items() if glimpses[-1].last}
    for way, sign in (("inbound", 1), ("outbound", -1)):
        passes = [glimpses for vehicle, glimpses in complete.items() if vehicle.direction == way]
        assert len(passes) > 50
        for before, after in pairwise(passes):
            assert after[0].at - before[-1].at >= APART
        for glimpses in passes:
            assert 5 <= len(glimpses) <= 20
            assert all(glimpse.speed * sign > 10 for glimpse in glimpses)
            assert 0.5 <= glimpses[-1].at - glimpses[0].at <= 2.0


def test_a_peak_in_other_units_is_kept_in_kmh(radar: Ops243, truth: Truth) -> None:
    radar.receive(b"UM", 0.0)
    frames = run(radar, 0.0, 30.0)
    fastest = max(line_speed(frame.data) for frame in frames)
    assert max(float(t.fields["peak_speed"]) for t in truth if t.tags["direction"] == "inbound") == pytest.approx(
        fastest * 3.6
    )


def test_a_vehicle_with_a_missed_line_is_uncertain_and_one_that_nobody_heard_is_none(
    radar: Ops243, truth: Truth
) -> None:
    radar.receive(b"UK", 0.0)
    run(radar, 0.0, 30.0, arrived=False)
    assert len(truth) == 0
    now, frames = 30.0, list[Frame]()
    while not frames:
        now += STEP
        frames = radar.tick(now)
    assert frames[0].heard
    frames[0].heard(False)
    run(radar, now, now + 3.0)
    assert not next(iter(truth)).certain


def test_vehicles_seen_before_the_radar_was_configured_or_during_it_are_uncertain(
    radar: Ops243, truth: Truth
) -> None:
    run(radar, 0.0, 20.0)
    assert len(truth) > 0
    assert not any(taken.certain for taken in truth)
    radar.receive(b"UK", 20.0)
    run(radar, 20.0, 60.0)
    assert truth.counts["traffic"] > 0


def test_a_query_disturbs_no_vehicle(radar: Ops243, truth: Truth) -> None:
    radar.receive(b"UK", 0.0)
    for start in range(40):
        run(radar, start, start + 1.0)
        radar.receive(b"??U?", start + 1.0)
    assert len(truth) > 0
    assert all(taken.certain for taken in truth)


def test_fault_reboot_loses_unsaved_settings_greets_and_restarts_the_clock(radar: Ops243) -> None:
    radar.receive(b"UKOJOT", 0.0)
    radar.power_cycle(50.0)
    greeting = text(radar.tick(50.0))
    assert greeting.startswith("OmniPreSense OPS243-A Doppler Radar\r\n")
    assert '{"Units":"m-per-sec"}' in greeting
    assert radar.modes == Modes()
    radar.receive(b"OT", 50.0)
    (first, *_) = run(radar, 50.0, 70.0)
    assert 0.0 < float(first.data.split(b",")[0]) < 20.0


def test_saved_settings_outlast_a_power_cut(radar: Ops243) -> None:
    radar.receive(b"UKOJA!", 0.0)
    radar.power_cycle(1.0)
    assert radar.modes == Modes(units="K", json=True)


def test_fault_long_command_strings_are_dropped(radar: Ops243) -> None:
    radar.faults.longest_command = 4
    assert radar.receive(b"UKOJOM", 0.0) == []
    assert text(radar.receive(b"UK", 0.0)) == '{"Units":"km-per-hr"}\r\n'


def test_fault_silent_hears_and_says_nothing_and_the_vehicles_are_not_counted(radar: Ops243, truth: Truth) -> None:
    radar.receive(b"UK", 0.0)
    radar.faults.silent = True
    assert run(radar, 0.0, 20.0) == []
    assert radar.receive(b"??", 20.0) == []
    assert len(truth) == 0


def test_rain_is_slow_and_weak_and_no_vehicle(truth: Truth) -> None:
    street = Street("seed", headway=1e9, rain=5.0)
    radar = Ops243("radar-1", truth, street)
    radar.receive(b"UKOJOM", 0.0)
    reports = [json.loads(frame.data) for frame in run(radar, 0.0, 30.0)]
    assert len(reports) > 50
    assert all(abs(report["speed"]) < 3 and report["magnitude"] <= 25 for report in reports)
    assert len(truth) == 0


def test_what_a_stalled_machine_missed_is_not_said_late(radar: Ops243, truth: Truth) -> None:
    radar.receive(b"UK", 0.0)
    late = radar.tick(60.0)
    assert len(late) < 10
    run(radar, 60.0, 70.0)
    assert len([taken for taken in truth if taken.certain]) <= 5


def test_after_stop_the_street_empties_and_nothing_is_due(radar: Ops243) -> None:
    run(radar, 0.0, 20.0)
    radar.stop()
    run(radar, 20.0, 23.0)
    assert radar.quiet()
    assert radar.due() == NEVER
    assert run(radar, 23.0, 60.0) == []
