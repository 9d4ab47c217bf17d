"""Which readings a database that keeps duplicates already has."""

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gateway.sinks import line_protocol
from gateway.sinks.resend import key_of, queries, without_stored

names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
times = st.integers(min_value=0, max_value=2**62)


def reading(sensor: str, time: int, kind: str = "air_quality") -> bytes:
    tags = {"sensor": sensor, "city": "Koper", "gateway": "koper 01"}
    return line_protocol.line(kind, tags, {"pm25": 1.5, "quality": 0}, time)


def export(lines: list[bytes]) -> bytes:
    """Write what VictoriaMetrics answers about lines: one JSON object a series, sorted by nothing."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[int]] = {}
    for name, tags, time in map(key_of, lines):
        found.setdefault((name, tags), []).append(time)
    return b"\n".join(
        json.dumps(
            {"metric": {"__name__": f"{name}_quality", **dict(tags)}, "values": [0] * len(at), "timestamps": at}
        ).encode()
        for (name, tags), at in found.items()
    )


@given(names, st.dictionaries(names, names, max_size=4), times)
def test_a_line_of_ours_gives_back_its_series_and_time(name: str, tags: dict[str, str], time: int) -> None:
    name = f"m{name}"
    text = line_protocol.line(name, tags, {"quality": 0}, time)
    # A backslash before a separator is written as a slash: see the encoder.
    found_name, found_tags, found_time = key_of(text)
    assert found_time == time // 1_000_000
    if "\\" not in name + "".join([*tags, *tags.values()]):
        assert (found_name, dict(found_tags)) == (name, tags)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5_000_000)), max_size=20), st.data())
def test_what_is_stored_is_left_out_and_the_rest_keeps_its_order(
    taken: list[tuple[str, int]], data: st.DataObject
) -> None:
    lines = [reading(sensor, time) for sensor, time in taken]
    stored = [line for line in lines if data.draw(st.booleans())]
    missing = without_stored(lines, export(stored))
    assert Counter(map(key_of, missing)) + Counter(map(key_of, stored)) == Counter(map(key_of, lines))
    remaining = iter(lines)
    assert all(line in remaining for line in missing)


def test_two_readings_in_one_millisecond_are_told_by_counting() -> None:
    lines = [reading("a", 1_000_000), reading("a", 1_000_001)]
    assert len(without_stored(lines, export(lines[:1]))) == 1
    assert without_stored(lines, export(lines)) == []


def test_nothing_stored_leaves_everything() -> None:
    lines = [reading("a", 1), reading("b", 2)]
    assert without_stored(lines, b"") == lines


def test_the_questions_cover_every_kind_gateway_and_time_and_no_more() -> None:
    late = reading("a", 86_400_000_000_000)
    asked = queries([late, reading("b", 7_500_000_000, "parking"), reading("a", 5_000_000_000)])
    assert asked == [
        [
            ("match[]", '{__name__="air_quality_quality",gateway="koper 01"}'),
            ("match[]", '{__name__="parking_quality",gateway="koper 01"}'),
            ("start", "4.999"),
            ("end", "7.501"),
        ],
        [
            ("match[]", '{__name__="air_quality_quality",gateway="koper 01"}'),
            ("start", "86399.999"),
            ("end", "86400.001"),
        ],
    ]
