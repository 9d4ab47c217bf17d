"""Payloads of entries: reading stops where nothing tells how to go on, and entries about one thing become one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codecs.common.entries import EARLIEST, Output, Part, Table, decode, joined, kept, unread
from gateway.contract import Measurement, Reject, Remark

TABLE: Table = {
    0x0101: (1, lambda value: (Part({"motion": value[0]}),)),
    0x0102: (1, lambda value: (Part({"intensity": value[0]}, "traffic", {"direction": "in"}),)),
    0x0103: (lambda rest: rest[0] if rest else 1, lambda value: (Part({"tag_id": value.hex()}),)),
    0x0104: unread(2),
    0x0105: (1, lambda value: (Part({"event": f"e{value[0]}"}),)),
}


def said(payload: str) -> list[Output]:
    return decode(bytes.fromhex(payload), TABLE, "air_quality")


def test_entries_of_one_kind_and_the_same_tags_are_one_measurement() -> None:
    assert said("010105 010207 0103 0312AB") == [
        Measurement("air_quality", {"motion": 5, "tag_id": "0312ab"}),
        Measurement("traffic", {"intensity": 7}, tags={"direction": "in"}),
    ]


def test_a_later_entry_wins() -> None:
    assert said("010105 010106") == [Measurement("air_quality", {"motion": 6})]


def test_events_are_listed_and_one_that_comes_again_is_not() -> None:
    assert said("010501 010502") == [Measurement("air_quality", {"event": "e1, e2"})]
    assert said("010501 010501") == [Measurement("air_quality", {"event": "e1"})]


@pytest.mark.parametrize("payload", ["", "01", "0101", "010105 01", "010105 0104 00"])
def test_of_a_cut_payload_nothing_is_taken(payload: str) -> None:
    (one,) = said(payload)
    assert isinstance(one, Reject)
    assert one.reason == "length"


def test_what_comes_before_an_unknown_entry_holds_and_the_rest_is_named() -> None:
    first, rest = said("010105 0F0F 010106")
    assert first == Measurement("air_quality", {"motion": 5})
    assert isinstance(rest, Remark)
    assert (rest.kind, rest.detail) == ("left out", "from 0F 0F 01 01 06")


def test_a_payload_that_begins_with_an_unknown_entry_is_refused() -> None:
    (one,) = said("0F0F 010106")
    assert isinstance(one, Reject)
    assert (one.reason, one.raw.hex()) == ("unsupported", "0f0f010106")


def test_a_payload_without_a_reading_is_unsupported() -> None:
    (one,) = said("0104 0000")
    assert isinstance(one, Reject)
    assert one.reason == "unsupported"


def test_a_kept_reading_has_its_own_time_and_stands_for_itself() -> None:
    now, then = Part({"co2": 400.0}), kept(EARLIEST, {"co2": 500.0})
    assert joined([now, then], "air_quality") == [
        Measurement("air_quality", {"co2": 400.0}),
        Measurement("air_quality", {"co2": 500.0}, time=1_577_836_800_000_000_000),
    ]


def test_a_reading_from_before_the_clock_was_set_is_rejected() -> None:
    one = kept(EARLIEST - 1, {"co2": 500.0})
    assert isinstance(one, Reject)
    assert one.reason == "range"


@given(st.lists(st.sampled_from(["010105", "010207", "01040000", "010501"]), min_size=1, max_size=20))
def test_no_two_measurements_of_a_payload_are_about_the_same(entries: list[str]) -> None:
    series = [
        (one.kind, tuple(one.tags.items()), one.time)
        for one in said("".join(entries))
        if isinstance(one, Measurement)
    ]
    assert len(series) == len(set(series))
