"""Controllers with Natch; what they say in whole streams is in the recordings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.natch import HEARTBEAT, Decoder, NatchOptions
from drivers.natch.lines import DAY, SECOND, Clock, Event, Line, clock, event, parse
from gateway.contract import Measurement, Quality, Reject

NOON = b"cs,0001,2021-04-01T12:00:00-05:00\n"


def _decoder(*, told: bool = True, **options: object) -> Decoder:
    decoder = Decoder(NatchOptions.model_validate(options))
    if told:
        decoder.feed(NOON, 0)
    return decoder


def _vehicle(number: int = 0x01A5, time: str = "11:59:58", detector: int = 3) -> bytes:
    return f"ds,{number:04x},{detector},323,4638,{time}\n".encode()


def _read(decoder: Decoder, data: bytes, at: float = 0.0) -> list[Measurement]:
    return [one for one in decoder.feed(data, int(at * SECOND)) if isinstance(one, Measurement)]


def _sent(decoder: Decoder, at: float) -> list[bytes]:
    """Return the acknowledgements that have gone out a little after ``at``."""
    decoder.feed(b"", int(at * SECOND))
    return [line for _ in range(2) for line in decoder.poll().splitlines() if line.startswith(b"DS")]


# --- lines


def test_a_vehicle_is_read_in_its_parts() -> None:
    line = parse(b"ds,01a5,3,323,4638,17:50:28")
    assert isinstance(line, Line)
    assert event(line) == Event(0x01A5, 3, 323, 4638, (17 * 3600 + 50 * 60 + 28) * SECOND)


def test_what_the_controller_does_not_know_is_left_out() -> None:
    (vehicle,) = _read(_decoder(), b"ds,01a5,3,,,11:59:58\n")
    assert vehicle.fields == {"intensity": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "noise"),
        (b"hello", "noise"),
        (b"\xff\xfe,01a5", "noise"),
        (b"DS,01a5", "noise"),
        (b"xs,01a5", "noise"),
        (b"ds", "length"),
        (b"ds,1a5,3,323,4638,17:50:28", "length"),
        (b"ds,01g5,3,323,4638,17:50:28", "length"),
    ],
)
def test_a_line_that_is_none_of_the_controllers_is_rejected(line: bytes, reason: str) -> None:
    said = parse(line)
    assert isinstance(said, Reject)
    assert said.reason == reason


@pytest.mark.parametrize(
    "words",
    ["", "3,323,4638", "32,323,4638,17:50:28", "-1,323,4638,17:50:28", "3,x,4638,17:50:28", "3,323,-1,17:50:28",
     "3,323,4638,24:00:00", "3,323,4638,17:50", "3,323,4638,17:50:28,1"],
)  # fmt: skip
def test_a_vehicle_that_cannot_be_is_out_of_range(words: str) -> None:
    (said,) = _decoder().feed(f"ds,01a5,{words}\n".encode(), 0)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@given(st.text(max_size=30))
def test_no_text_raises(text: str) -> None:
    list(_decoder().feed(f"cs,0001,{text}\nds,01a5,{text}\nv.,0001{text}\n".encode(), 0))


# --- times


@given(st.integers(0, 86399), st.integers(-30, 86369))
def test_the_age_is_found_over_midnight_and_a_little_ahead(now: int, age: int) -> None:
    told = Clock(1_617_000_000 * SECOND, now * SECOND, 0)
    seen = Event(1, 0, None, None, (now - age) % 86400 * SECOND)
    assert told.age(seen, 0) == age * SECOND
    assert told.time(seen, 0) == (1_617_000_000 - age) * SECOND + 1


def test_the_clock_goes_on_between_two_looks_at_it() -> None:
    told = Clock(0, DAY - 5 * SECOND, 100)
    assert told.age(Event(0, 0, None, None, 0), 100 + 10 * SECOND) == 5 * SECOND


def test_a_clock_with_its_offset_tells_utc_and_local_time() -> None:
    line = parse(b"cs,00AB,2021-04-01T12:34:56-05:00")
    assert isinstance(line, Line)
    assert clock(line, 7) == Clock(1_617_298_496 * SECOND, (12 * 3600 + 34 * 60 + 56) * SECOND, 7)


def test_a_reading_bears_our_time_unless_the_controllers_clock_is_right() -> None:
    (ours,) = _read(_decoder(), _vehicle())
    (own,) = _read(_decoder(clock="controller"), _vehicle())
    assert ours.time is None
    assert own.time == (1_617_296_400 - 2) * SECOND + 0x01A5


def test_two_vehicles_of_one_second_and_detector_have_two_times() -> None:
    one, other = _read(_decoder(clock="controller"), _vehicle(1) + _vehicle(2))
    assert one.time != other.time


def test_what_waited_in_the_controller_is_marked() -> None:
    fresh, late = _read(_decoder(), _vehicle(1, "11:59:01") + _vehicle(2, "11:58:59"))
    assert (fresh.quality, late.quality) == (Quality.GOOD, Quality.ESTIMATED_TIME)


def test_no_vehicle_is_taken_before_the_clock_is_known() -> None:
    decoder = _decoder(told=False)
    assert _read(decoder, _vehicle()) == []
    assert _sent(decoder, 60.0) == []
    assert len(_read(decoder, NOON + _vehicle(), 61.0)) == 1


# --- once, and not less


def test_a_vehicle_is_acknowledged_when_it_has_had_the_time_to_reach_the_disk() -> None:
    decoder = _decoder()
    _read(decoder, _vehicle(), 10.0)
    assert _sent(decoder, 11.4) == []
    assert _sent(decoder, 11.6) == [b"DS,01a5"]
    assert _sent(decoder, 20.0) == []


def test_a_spool_that_commits_more_seldom_is_given_its_time() -> None:
    decoder = _decoder(settle="5s")
    _read(decoder, _vehicle(), 10.0)
    assert _sent(decoder, 14.9) == []
    assert _sent(decoder, 15.1) == [b"DS,01a5"]


def test_a_vehicle_that_comes_again_is_given_once_and_acknowledged_again() -> None:
    decoder = _decoder()
    assert len(_read(decoder, _vehicle(), 10.0)) == 1
    assert _read(decoder, _vehicle(), 10.5) == []
    assert _sent(decoder, 12.0) == [b"DS,01a5"]
    assert _read(decoder, _vehicle(), 13.0) == []  # the acknowledgement was lost
    assert _sent(decoder, 15.0) == [b"DS,01a5"]


def test_acknowledgements_go_in_the_order_of_the_vehicles() -> None:
    decoder = _decoder()
    _read(decoder, b"".join(_vehicle(number) for number in (9, 10, 11)), 1.0)
    assert _sent(decoder, 3.0) == [b"DS,0009", b"DS,000a", b"DS,000b"]


def test_an_id_that_a_restarted_controller_uses_again_is_another_vehicle() -> None:
    decoder = _decoder()
    assert len(_read(decoder, _vehicle(1, "11:59:58") + _vehicle(1, "11:59:59"))) == 2


def test_what_makes_no_sense_is_acknowledged_only_when_it_comes_again_unchanged() -> None:
    decoder = _decoder()
    for torn in (b"ds,0001,3,3ds,0002,3,1\n", b"ds,0001,3,32ds,0002,3,1\n"):
        _read(decoder, torn)
    assert _sent(decoder, 10.0) == []
    for _ in range(2):
        _read(decoder, b"ds,0001,99,1,1,11:59:58\n", 11.0)
    assert _sent(decoder, 20.0) == [b"DS,0001"]


# --- polls


def test_it_begins_with_the_clock_and_connects_the_detectors() -> None:
    decoder = _decoder(told=False, detectors={"0": 39, "5": 0})
    assert list(decoder.start()) == [b"CS,0001\n", b"DC,0002,0,39\n", b"DC,0003,5,0\n"]


def test_on_a_quiet_road_the_clock_is_asked_for_and_the_version_until_it_is_told() -> None:
    decoder = _decoder()
    polls = [decoder.poll() for _ in range(4 * HEARTBEAT)]
    assert [poll[:3] for poll in polls if poll] == [b"CS,", b"V.,", b"V.,", b"CS,"]
    (version,) = _read(decoder, b"v.,0001,0.1.0,2022-01-31T12:34:56-05:00\n")
    assert version.fields == {"firmware_version": "0.1.0"}
    assert {decoder.poll()[:3] for _ in range(64 * HEARTBEAT)} == {b"", b"CS,"}


@pytest.mark.parametrize("line", [b"dc,00AD,0,39", b"sa,0291,1800,80,50,13,7", b"ps,0250,70,0", b"ms,00AD,1,INV"])
def test_other_answers_are_passed_over(line: bytes) -> None:
    assert _decoder().feed(line + b"\n", 0) == []


@pytest.mark.parametrize("detectors", [{"32": 1}, {"-1": 1}, {"0": 105}, {"x": 1}])
def test_detectors_and_pins_have_their_bounds(detectors: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        NatchOptions.model_validate({"detectors": detectors})
