"""Which readings a database that keeps duplicates already has."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import line_protocol
from gateway.sinks.duplicates import MOST_QUESTIONS, Comparison, Key, key_of
from gateway.vocabulary import FieldValue

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
times = st.integers(min_value=0, max_value=2**62)
MINUTE = 60_000_000_000


def reading(sensor: str, time: int, kind: str = "air_quality", **tags: str) -> bytes:
    all_tags = {"sensor": sensor, "city": "Koper", "gateway": "koper 01", **tags}
    return line_protocol.line(kind, all_tags, {"pm25": 1.5, "quality": 0}, time)


def known_key_of(line: bytes) -> Key:
    key = key_of(line)
    assert key is not None
    return key


def export(lines: Iterable[bytes], **more: str) -> list[bytes]:
    """Write what VictoriaMetrics answers about lines: one JSON object a series, sorted by nothing."""
    found: defaultdict[tuple[str, tuple[tuple[str, str], ...]], list[int]] = defaultdict(list)
    for metric, tags, time in map(known_key_of, lines):
        found[metric, tags].append(time)
    return [
        json.dumps(
            {"metric": {"__name__": metric, **dict(tags), **more}, "values": [0] * len(at), "timestamps": at}
        ).encode()
        for (metric, tags), at in found.items()
    ]


def missing(lines: list[bytes], exported: Iterable[bytes]) -> list[bytes]:
    comparison = Comparison(lines)
    for line in exported:
        comparison.add(line)
    return comparison.missing()


@settings(deadline=None)
@given(names, st.dictionaries(names, names, max_size=4), times)
def test_a_line_of_ours_gives_back_its_series_and_time(name: str, tags: dict[str, str], time: int) -> None:
    name = f"m{name}"
    text = line_protocol.line(name, tags, {"quality": 0}, time)
    # A backslash before a separator is written as a slash: see the encoder.
    found_metric, found_tags, found_time = known_key_of(text)
    assert found_time == time // 1_000_000
    if "\\" not in name + "".join([*tags, *tags.values()]):
        assert (found_metric, dict(found_tags)) == (f"{name}_quality", tags)


@pytest.mark.parametrize(
    ("fields", "witness"),
    [
        ({"pm25": 1.5, "quality": 0}, "quality"),
        ({"pm25": 1.5, "pm10": 3.0}, "pm10"),
        ({"event": "quality=0i 5", "pm25": 1.5}, "event"),
        ({"event": "a, quality=", "quality": 8}, "quality"),
        ({"odd name=": 1}, "odd name="),
    ],
)
def test_quality_speaks_for_a_reading_and_without_it_the_first_field(
    fields: dict[str, FieldValue], witness: str
) -> None:
    assert known_key_of(line_protocol.line("air", {"sensor": "a"}, fields, 5)).metric == f"air_{witness}"


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5_000_000)), max_size=20), st.data())
def test_what_is_stored_is_left_out_and_the_rest_keeps_its_order(
    taken: list[tuple[str, int]], data: st.DataObject
) -> None:
    lines = [reading(sensor, time) for sensor, time in taken]
    stored = [line for line in lines if data.draw(st.booleans())]
    found = missing(lines, export(stored))
    assert Counter(map(key_of, found)) + Counter(map(key_of, stored)) == Counter(map(key_of, lines))
    remaining = iter(lines)
    assert all(line in remaining for line in found)


def test_two_readings_in_one_millisecond_are_told_by_counting() -> None:
    lines = [reading("a", 1_000_000), reading("a", 1_000_001)]
    assert len(missing(lines, export(lines[:1]))) == 1
    assert missing(lines, export(lines)) == []


@pytest.mark.parametrize("line", [b"air,sensor f=1 5", b"air,sensor=a 5", b"air,sensor=a f=1", b"# a comment"])
def test_what_a_person_requeued_that_is_no_reading_is_sent_again_and_not_asked_for(line: bytes) -> None:
    lines = [reading("a", 1), line]
    assert missing(lines, export(lines[:1])) == [line]
    assert Comparison([line]).questions() == []


def test_nothing_stored_leaves_everything() -> None:
    lines = [reading("a", 1), reading("b", 2)]
    assert missing(lines, []) == lines


def test_the_database_that_the_v1_api_names_makes_no_other_series() -> None:
    lines = [reading("a", 1)]
    assert missing(lines, export(lines, db="city")) == []
    own = [reading("a", 1, db="mine")]
    assert missing(own, export(own)) == []
    assert missing(own, export([reading("a", 1)], db="other")) == own


def test_a_series_with_one_tag_more_is_another_series() -> None:
    assert missing([reading("a", 1)], export([reading("a", 1, lane="2")])) == [reading("a", 1)]


def test_what_nobody_asked_for_is_not_remembered() -> None:
    comparison = Comparison([reading("a", 1)])
    for line in export([reading("b", time * 1_000_000) for time in range(1000)]):
        comparison.add(line)
    assert not comparison._stored


@pytest.mark.parametrize("line", [b"<html>", b"[]", b"{}", b'{"metric": {}, "timestamps": []}', b"3"])
def test_what_is_no_export_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Comparison([reading("a", 1)]).add(line)


def test_the_questions_cover_every_kind_gateway_sensor_and_time_and_no_more() -> None:
    late = reading("a", 86_400_000_000_000)
    asked = Comparison([late, reading("b.1", 7_500_000_000, "parking"), reading("a", 5_000_000_000)]).questions()
    assert asked == [
        [
            ("match[]", '{__name__="air_quality_quality",gateway="koper 01",sensor=~"a|b\\\\.1"}'),
            ("match[]", '{__name__="parking_quality",gateway="koper 01",sensor=~"a|b\\\\.1"}'),
            ("start", "4.999"),
            ("end", "7.501"),
            ("max_rows_per_line", "10000"),
        ],
        [
            ("match[]", '{__name__="air_quality_quality",gateway="koper 01",sensor=~"a"}'),
            ("start", "86399.999"),
            ("end", "86400.001"),
            ("max_rows_per_line", "10000"),
        ],
    ]


def test_many_sensors_are_asked_for_without_their_names() -> None:
    (asked,) = Comparison([reading(f"a-sensor-with-a-long-name-{n}", n) for n in range(1000)]).questions()
    assert asked[0] == ("match[]", '{__name__="air_quality_quality",gateway="koper 01"}')


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**38), min_size=1, max_size=200))
def test_few_questions_cover_all_times_however_they_lie(minutes: list[int]) -> None:
    lines = [reading("a", minute * 30_000_000) for minute in minutes]
    asked = [dict(question) for question in Comparison(lines).questions()]
    assert len(asked) <= MOST_QUESTIONS
    for line in lines:
        time = known_key_of(line).time / 1000
        assert any(float(one["start"]) <= time <= float(one["end"]) for one in asked)


def test_one_question_a_stretch_of_time_leaves_the_long_gaps_out() -> None:
    day = 1440 * MINUTE
    lines = [reading("a", day * number + MINUTE * minute) for number in range(10) for minute in range(3)]
    assert len(Comparison(lines).questions()) == 10


def test_names_are_quoted_for_the_question() -> None:
    (asked,) = Comparison([reading('o"dd(', 1)]).questions()
    pattern = json.loads(asked[0][1].partition("sensor=~")[2].rstrip("}"))
    assert re.fullmatch(pattern, 'o"dd(')
