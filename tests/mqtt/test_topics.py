"""Topic filters match what the standard says they match."""

import pytest

from gateway.mqtt.topics import matches, overlap


@pytest.mark.parametrize(
    ("filter_", "topic", "fits"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("+/+", "/a", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("$share/g/a/+", "a/b", True),
        ("$share/g/a/+", "g/a/b", False),
    ],
)
def test_a_filter_matches_whole_levels(filter_: str, topic: str, fits: bool) -> None:
    assert matches(filter_, topic) is fits


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [("a/+/c", "+/b/+", True), ("a/+", "b/+", False), ("a/#", "+/+/c", True), ("a/b", "+/+/+/#", False)],
)
def test_two_filters_meet_where_one_topic_fits_both(one: str, other: str, meet: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is meet
