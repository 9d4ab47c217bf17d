"""RTMS G4: messages frame by frame, what makes a period whole, and the vehicles of event mode."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from drivers.rtms_g4 import EVENT, FOOTER, HEADER, INFORM, NORMAL, POLL, Decoder, RtmsG4Options
from drivers.rtms_g4.framing import frame, parse, vehicle
from gateway.contract import Measurement, Reject

SECOND = 10**9
STAMP = bytes.fromhex("30 15 08 02 23 11 26")
TWO_CLASSES, FOUR_CLASSES, SIX_CLASSES = 0x08, 0x38, 0x3B


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def _header(number: int, composition: int = TWO_CLASSES, flags: int = 0, lanes: int = 1, health: int = 0x10) -> bytes:
    settled = bytes((number, 0, 0, flags)) + STAMP + bytes((lanes, composition))
    return frame(HEADER, 1, settled + _words(30) + bytes((120, health)) + bytes(5))


def _table(code: int, *values: int) -> bytes:
    return frame(code, 1, _words(*values))


TABLES = {0x10: (9,), 0x11: (100,), 0x12: (50,), 0x14: (4,)}


def _message(
    number: int, tables: Mapping[int, tuple[int, ...]] = TABLES, composition: int = TWO_CLASSES
) -> list[bytes]:
    lanes = len(next(iter(tables.values())))
    between = [_table(code, *values) for code, values in tables.items()]
    return [_header(number, composition, lanes=lanes), *between, frame(FOOTER, 1, bytes((number,)))]


def _decoder(**options: object) -> Decoder:
    """Return one that has passed over its first period."""
    decoder = Decoder(RtmsG4Options.model_validate({"address": 1, **options}))
    decoder.feed(b"".join(_message(255)), 0)
    return decoder


def _lanes(decoder: Decoder, data: bytes) -> list[dict[str, object]]:
    return [dict(one.fields) for one in decoder.feed(data, 0) if isinstance(one, Measurement) and one.tags]


def _rejects(decoder: Decoder, data: bytes) -> list[str]:
    return [one.detail for one in decoder.feed(data, 0) if isinstance(one, Reject)]


def test_the_question_is_as_the_protocol_draws_it() -> None:
    assert frame(POLL, 1, b"\0") == bytes.fromhex("FF AA 53 03 00 01 00 00 01")
    assert frame(POLL, 0xFFFE, b"\0")[-2:] == b"\x01\xfd"


def test_the_period_found_first_is_passed_over_however_often_it_comes() -> None:
    decoder = _decoder()
    assert _lanes(decoder, b"".join(_message(255))) == []
    assert len(_lanes(decoder, b"".join(_message(0)))) == 1


def test_the_same_period_again_bears_the_same_key_and_the_next_one_another() -> None:
    decoder = _decoder()
    said = [
        {one.key for one in decoder.feed(b"".join(_message(number)), 0) if isinstance(one, Measurement)}
        for number in (1, 1, 2)
    ]
    assert said[0] == said[1] != said[2]
    assert all(len(keys) == 1 and None not in keys for keys in said)


@pytest.mark.parametrize(
    ("code", "composition", "highest", "name", "value"),
    [
        (0x10, 0, 0xFE00, "intensity", 0xFE00),
        (0x11, 0, 1000, "occupancy", 1.0),
        (0x12, 0, 200, "average_vehicle_speed", 200.0),
        (0x13, 0x80, 36000, "average_gap_time", 3600.0),
        (0x1E, 0x40, 36000, "average_headway_time", 3600.0),
        (0x1F, 0x04, 200, "speed_85th_percentile", 200.0),
    ],
)
def test_a_number_above_its_bound_is_none(code: int, composition: int, highest: int, name: str, value: float) -> None:
    tables = {0x10: (5, 5), 0x11: (1, 1)} | {code: (highest, highest + 1)}
    best, none = _lanes(_decoder(), b"".join(_message(1, tables, TWO_CLASSES | composition)))
    assert best[name] == value
    assert name not in none


def test_speeds_are_converted_where_the_header_says_miles() -> None:
    message = [_header(1, flags=1), *_message(1)[1:]]
    (said,) = _lanes(_decoder(), b"".join(message))
    assert said["average_vehicle_speed"] == 80.467


def test_without_vehicles_there_is_no_speed() -> None:
    (said,) = _lanes(_decoder(), b"".join(_message(1, {**TABLES, 0x10: (0,), 0x14: (0,)})))
    assert "average_vehicle_speed" not in said
    assert (said["intensity"], said["period"]) == (0, 30.0)


@pytest.mark.parametrize(("composition", "longer"), [(TWO_CLASSES, 1), (FOUR_CLASSES, 3), (SIX_CLASSES, 5)])
def test_the_shortest_class_is_what_the_others_leave(composition: int, longer: int) -> None:
    tables = {0x10: (20,), 0x11: (1,), 0x12: (50,)} | {0x14 + number: (1,) for number in range(longer)}
    (said,) = _lanes(_decoder(), b"".join(_message(1, tables, composition)))
    classes = [said[f"intensity_class_{number}"] for number in range(longer + 1)]
    assert classes == [20 - longer, *[1] * longer]
    assert f"intensity_class_{longer + 1}" not in said


def test_classes_that_are_more_than_the_whole_are_none() -> None:
    (said,) = _lanes(_decoder(), b"".join(_message(1, {**TABLES, 0x14: (10,)})))
    assert "intensity_class_0" not in said


def test_health_other_than_good_is_an_error() -> None:
    decoder = _decoder()
    (own, *_) = decoder.feed(b"".join([_header(1, health=0x12), *_message(1)[1:]]), 0)
    assert isinstance(own, Measurement)
    assert own.fields == {"battery_voltage": 12.0, "device_error": 0x12}


def test_of_a_message_that_arrives_damaged_nothing_is_taken_and_it_comes_again() -> None:
    decoder = _decoder()
    damaged = _message(1)
    damaged[2] = damaged[2][:-1] + b"\0"
    assert _lanes(decoder, b"".join(damaged)) == []
    assert len(_lanes(decoder, b"".join(_message(1)))) == 1


def test_noise_between_whole_tables_is_no_damage() -> None:
    assert len(_lanes(_decoder(), b"\x00\x01".join(_message(1)))) == 1


def test_a_table_that_bears_anothers_name_spoils_the_message() -> None:
    """The byte that says what a frame is stands in no sum."""
    decoder = _decoder()
    renamed = [part.replace(b"\xff\xaa\x10", b"\xff\xaa\x11") for part in _message(1)]
    assert _rejects(decoder, b"".join(renamed)) == ["table 11 twice", "its message is damaged"]
    absent = [part.replace(b"\xff\xaa\x10", b"\xff\xaa\x13") for part in _message(2)]
    assert _rejects(decoder, b"".join(absent)) == ["no table 13 belongs to it", "its message is damaged"]


@pytest.mark.parametrize(
    ("parts", "details"),
    [
        (lambda message: message[1:], ["its message has lost its header"] * 5),
        (lambda message: [*message[:-1], frame(FOOTER, 1, b"\7")], ["the end of message 7, not 1"]),
        (
            lambda message: [message[0], _table(0x10, 1, 2), *message[2:]],
            ["4 bytes for 1 zones", "its message is damaged"],
        ),
    ],
    ids=["header", "footer", "size"],
)
def test_what_is_missing_or_wrong_in_a_message_is_named(parts: object, details: list[str]) -> None:
    assert callable(parts)
    decoder = _decoder()
    assert _rejects(decoder, b"".join(parts(_message(1)))) == details


def test_it_hears_its_own_id_alone() -> None:
    (said,) = _decoder().feed(frame(FOOTER, 2, b"\1") + frame(NORMAL, 1), 0)
    assert isinstance(said, Reject)
    assert said.reason == "noise"


def test_who_it_is_is_asked_for_until_it_told() -> None:
    decoder = _decoder()
    asked = [decoder.poll() for _ in range(10)]
    assert asked.count(frame(INFORM, 1)) == 4
    assert asked.count(frame(POLL, 1, b"\0")) == 6
    decoder.feed(frame(0x40, 1, bytes(14)), 0)
    assert frame(INFORM, 1) not in [decoder.poll() for _ in range(100)]


# --- event mode


def _event(lane: int, speed: int = 50, mph: int = 0) -> bytes:
    return frame(EVENT, 1, bytes((lane, 1, 45, speed)) + _words(500) + b"\x12" + STAMP + bytes((mph,)))


def test_vehicles_are_counted_by_lane_from_one() -> None:
    decoder = _decoder(events=True)
    decoder.feed(_event(0) + _event(11) + _event(0, 60), 0)
    said = [one for one in decoder.feed(b"", 60 * SECOND) if isinstance(one, Measurement)]
    assert [(one.tags["lane"], one.fields["intensity"]) for one in said] == [("1", 2), ("12", 1)]
    assert said[0].fields["average_vehicle_speed"] == 55.0


def test_in_event_mode_it_asks_for_no_period() -> None:
    assert frame(POLL, 1, b"\0") not in [_decoder(events=True).poll() for _ in range(100)]


def test_events_are_passed_over_where_periods_are_asked_for() -> None:
    decoder = _decoder()
    assert list(decoder.feed(_event(0), 0)) == []
    assert [one for one in decoder.feed(b"", 60 * SECOND) if isinstance(one, Measurement)] == []


@pytest.mark.parametrize("data", [bytes(14), bytes(16), b"\x0c" + bytes(14), bytes(14) + b"\2"])
def test_what_is_no_vehicle_is_none(data: bytes) -> None:
    assert vehicle(data) is None


def test_a_sum_of_all_bytes_is_held_to_two() -> None:
    assert not isinstance(parse(frame(EVENT, 0xFFFF, b"\xff" * 60)), Reject)


def test_it_needs_an_id() -> None:
    with pytest.raises(ValidationError):
        RtmsG4Options.model_validate({})
