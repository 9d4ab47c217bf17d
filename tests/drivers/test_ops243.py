"""OmniPreSense OPS243: the variants of its lines, and how lines become vehicles."""

import pytest
from pydantic import ValidationError

from drivers.ops243 import START, UNITS, Answer, Decoder, Ops243Options, Report, parse
from gateway.contract import Measurement, Reject

SECOND = 10**9
KMH = b'{"Units":"km-per-hr"}\n'


def _decoder(**options: object) -> Decoder:
    return Decoder(Ops243Options.model_validate(options))


def _line(speed: float, time: float | None = None) -> bytes:
    clock = "" if time is None else f',"time":{time}'
    return f'{{"speed":{speed}{clock}}}\r\n'.encode()


def _inbound(decoder: Decoder) -> dict[str, object]:
    """Close the line and return the fields of the inbound reading."""
    (said,) = [one for one in decoder.finish() if isinstance(one, Measurement) and one.tags["direction"] == "inbound"]
    return dict(said.fields)


# --- lines


def test_positive_is_inbound_and_negative_is_outbound() -> None:
    inbound, outbound = parse(b'{"speed": 152.3, "magnitude": 1847}'), parse(b"-88.3")
    assert inbound == Report(152.3, 1847.0)
    assert outbound == Report(-88.3)
    assert isinstance(inbound, Report)
    assert isinstance(outbound, Report)
    assert (inbound.direction, outbound.direction) == ("inbound", "outbound")


def test_numbers_may_be_text() -> None:
    assert parse(b'{"speed":"-12.4","magnitude":"310","time":"105.135"}') == Report(-12.4, 310.0, 105.135)


def test_of_several_objects_the_strongest_counts() -> None:
    assert parse(b'{"magnitude":[500.0, 300.0], "speed":[15.5, 12.3]}') == Report(15.5, 500.0)


def test_a_direction_in_words_beats_the_sign() -> None:
    assert parse(b'{"speed":0.58, "direction":"outbound","time":105,"tick":135}') == Report(-0.58, None, 105.135)


def test_object_mode_is_read_as_a_report_that_is_sure() -> None:
    assert parse(b'{"DetectedObjectVelocity":"-33"}') == Report(-33.0, sure=True)


@pytest.mark.parametrize(
    ("line", "report"),
    [
        (b"3.6", Report(3.6)),
        (b" -3.6\r", Report(-3.6)),
        (b"137.429,3.6", Report(3.6, time=137.429)),
        (b"137.429, 310,-3.6", Report(-3.6, 310.0, 137.429)),
        (b'"mps",-3.6', Report(-3.6, unit="mps")),
    ],
)
def test_plain_lines_hold_a_speed_with_time_and_magnitude_before_it(line: bytes, report: Report) -> None:
    assert parse(line) == report


@pytest.mark.parametrize("line", [b'{"Product":"OPS243 Doppler"}', b'{"SamplingRate":10000, "resolution":0.0607}'])
def test_answers_between_the_reports_are_no_rejects(line: bytes) -> None:
    assert isinstance(parse(line), Answer)
    assert _decoder().feed(line + b"\n", 0) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "noise"),
        (b"hello", "noise"),
        (b"1,2,3,4", "noise"),
        (b"nan", "noise"),
        (b"1_0", "noise"),
        (b'{"speed": invalid}', "length"),
        (b'{"speed":48.1,"magni', "length"),
        (b'{"speed":true}', "range"),
        (b'{"speed":[]}', "range"),
        (b'{"speed":"NaN"}', "range"),
        (b'{"range":3.2}', "unsupported"),
    ],
)
def test_a_line_that_says_no_speed_is_rejected_with_its_reason(line: bytes, reason: str) -> None:
    said = parse(line)
    assert isinstance(said, Reject)
    assert said.reason == reason


@pytest.mark.parametrize("nothing", [b"\r\n", b" \r\n", b",\r\n", b"U?\r\n", b"OJ\r\n"])
def test_blank_reports_and_echoes_are_passed_over_and_prove_no_life(nothing: bytes) -> None:
    decoder = _decoder()
    assert [*decoder.feed(nothing, 0), *decoder.feed(nothing, 60 * SECOND), *decoder.finish()] == []


# --- commands


def test_commands_go_one_by_one_and_json_comes_first() -> None:
    commands = list(_decoder().start())
    assert commands[0] == b"OJ"
    assert b"UK" in commands
    assert all(len(command) == 2 for command in commands)


def test_it_is_asked_for_its_units_which_changes_nothing() -> None:
    decoder = _decoder()
    decoder.feed(KMH, 0)
    assert [decoder.poll(), decoder.poll()] == [UNITS, UNITS]


def test_a_radar_that_lost_its_settings_gets_them_again() -> None:
    decoder = _decoder()
    decoder.feed(b'{"Units":"m-per-sec"}\n', 0)
    assert tuple(decoder.poll() for _ in START) == START
    assert decoder.poll() == UNITS


@pytest.mark.parametrize(
    ("units", "speed"),
    [("km-per-hr", 10.0), ("m-per-sec", 36.0), ("mph", 16.09), ("ft-per-sec", 10.97), ("cm-per-sec", 0.36)],
)
def test_speeds_are_converted_from_the_units_it_answers(units: str, speed: float) -> None:
    decoder = _decoder(min_speed=0)
    decoder.feed(f'{{"Units":"{units}"}}\n'.encode() + _line(10) * 2, 0)
    assert _inbound(decoder)["max_vehicle_speed"] == speed


def test_a_unit_in_the_line_beats_the_answer() -> None:
    decoder = _decoder()
    decoder.feed(KMH + b'{"unit":"mps","speed":"10"}\n' * 2, 0)
    assert _inbound(decoder)["max_vehicle_speed"] == 36.0


# --- vehicles


def test_the_many_lines_of_one_vehicle_are_one_passage_at_its_highest_speed() -> None:
    decoder = _decoder()
    for tenth, speed in enumerate([44.0, 48.1, 50.3, 49.9, 31.0]):
        decoder.feed(_line(speed), tenth * SECOND // 2)
    assert _inbound(decoder) == {
        "intensity": 1,
        "period": 2.0,
        "average_vehicle_speed": 50.3,
        "max_vehicle_speed": 50.3,
    }


def test_a_longer_silence_is_another_vehicle() -> None:
    decoder = _decoder(gap="1s")
    for at, speed in [(0, 50), (1, 40), (3, 60), (4, 30)]:
        decoder.feed(_line(speed), at * SECOND)
    assert _inbound(decoder) == {
        "intensity": 2,
        "period": 4.0,
        "average_vehicle_speed": 55.0,
        "max_vehicle_speed": 60.0,
    }


def test_the_radars_own_clock_tells_vehicles_apart_that_arrive_in_one_burst() -> None:
    decoder = _decoder()
    decoder.feed(_line(50, 100.0) + _line(50, 100.5) + _line(50, 103.0) + _line(50, 103.5), 0)
    assert _inbound(decoder)["intensity"] == 2


def test_the_radars_own_clock_keeps_a_vehicle_whole_that_the_host_saw_late() -> None:
    decoder = _decoder()
    decoder.feed(_line(50, 100.0), 0)
    decoder.feed(_line(50, 100.5), 3 * SECOND)
    assert _inbound(decoder)["intensity"] == 1


def test_a_radar_clock_that_was_set_back_is_not_believed() -> None:
    decoder = _decoder()
    decoder.feed(_line(50, 100.0) * 2, 0)
    decoder.feed(_line(50, 2.0) * 2, 10 * SECOND)
    assert _inbound(decoder)["intensity"] == 2


def test_a_clock_beyond_all_bounds_does_no_harm() -> None:
    decoder = _decoder()
    decoder.feed(_line(50, 0) + _line(50, 1e308) + _line(50, 1e308), 0)
    assert _inbound(decoder)["intensity"] == 1


def test_one_line_alone_is_noise() -> None:
    decoder = _decoder()
    decoder.feed(_line(50), 0)
    decoder.feed(_line(50), 10 * SECOND)
    assert _inbound(decoder)["intensity"] == 0


def test_a_whole_number_alone_proves_no_radar() -> None:
    decoder = _decoder()
    assert list(decoder.feed(b"045\r\n", 0)) == []
    assert [one for one in decoder.finish() if isinstance(one, Measurement)] == []


def test_opposite_directions_at_once_are_two_vehicles() -> None:
    decoder = _decoder()
    decoder.feed((_line(50) + _line(-30)) * 3, 0)
    readings = [said for said in decoder.finish() if isinstance(said, Measurement)]
    assert [(one.tags["direction"], one.fields["max_vehicle_speed"]) for one in readings] == [
        ("inbound", 50.0),
        ("outbound", 30.0),
    ]


def test_rain_and_leaves_below_the_lowest_speed_do_not_count_nor_join_vehicles() -> None:
    decoder = _decoder(min_speed=8)
    decoder.feed(_line(50) * 2, 0)
    for second in range(1, 5):
        decoder.feed(_line(7.9), second * SECOND)
    decoder.feed(_line(60) * 2 + _line(300), 5 * SECOND)
    assert _inbound(decoder) == {
        "intensity": 2,
        "period": 5.0,
        "average_vehicle_speed": 55.0,
        "max_vehicle_speed": 60.0,
    }


def test_the_angle_to_the_road_is_corrected_by_its_cosine() -> None:
    decoder = _decoder(angle=20)
    decoder.feed(_line(46.98) * 2, 0)
    assert _inbound(decoder)["max_vehicle_speed"] == 50.0


def test_only_the_wanted_directions_are_read() -> None:
    decoder = _decoder(directions=["outbound"])
    decoder.feed(_line(50) * 2 + _line(-40) * 2, 0)
    (reading,) = decoder.finish()
    assert isinstance(reading, Measurement)
    assert reading.tags == {"direction": "outbound"}


# --- intervals


def test_a_quiet_street_is_a_count_of_zero_without_speeds() -> None:
    decoder = _decoder()
    decoder.feed(KMH, 0)
    readings = list(decoder.feed(KMH, 60 * SECOND))
    assert readings == [
        Measurement("traffic", {"intensity": 0, "period": 60.0}, tags={"direction": "inbound"}),
        Measurement("traffic", {"intensity": 0, "period": 60.0}, tags={"direction": "outbound"}),
    ]


@pytest.mark.parametrize("heard", [b"", b"\xff\xfe\n", b"hello\n"], ids=["silence", "noise", "a foreign line"])
def test_a_dead_radar_is_no_quiet_street(heard: bytes) -> None:
    decoder = _decoder()
    decoder.feed(KMH, 0)
    said = [one for minute in range(1, 4) for one in decoder.feed(heard, minute * 60 * SECOND)]
    assert len([one for one in said if isinstance(one, Measurement)]) == 2  # of the first minute, when it still lived
    assert not [one for one in decoder.finish() if isinstance(one, Measurement)]


def test_the_period_is_the_real_length_of_the_interval() -> None:
    decoder = _decoder(interval="10s")
    decoder.feed(KMH, 0)
    (first, _) = decoder.feed(KMH, 11_500_000_000)
    assert isinstance(first, Measurement)
    assert first.fields["period"] == 11.5
    decoder.feed(b"", 14 * SECOND)
    assert _inbound(decoder)["period"] == 2.5


def test_a_vehicle_on_the_border_of_two_intervals_is_counted_once() -> None:
    decoder = _decoder(interval="60s")
    decoder.feed(KMH, 0)
    decoder.feed(_line(50), 59_800_000_000)
    border = decoder.feed(_line(52), 60_200_000_000)
    assert [one.fields["intensity"] for one in border if isinstance(one, Measurement)] == [0, 0]
    assert _inbound(decoder)["intensity"] == 1


@pytest.mark.parametrize("options", [{"interval": "0s"}, {"gap": "0s"}, {"min_reports": 0}, {"angle": 90}])
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Ops243Options.model_validate(options)


@pytest.mark.parametrize("junk", [b"\x00\xff\x80", b"12.", b"\xfe" * 600])
def test_what_the_line_caught_at_the_start_does_not_cost_a_report(junk: bytes) -> None:
    decoder = _decoder(min_reports=1)
    list(decoder.feed(junk + b'{"speed":48.1}\n', 10**9))
    said = [one for second in (2, 3, 70) for one in decoder.feed(b"", second * 10**9)]
    assert [
        one.fields["intensity"] for one in said if isinstance(one, Measurement) and one.fields.get("intensity")
    ] == [1]
