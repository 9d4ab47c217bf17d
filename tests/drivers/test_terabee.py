"""Terabee: two counts, a clock that may not be set, credentials, and hostile pushes."""

import json

import pytest

from drivers.terabee import Decoder
from gateway.contract import Measurement, Options, Reject, Remark


def _say(**parts: object) -> list[Measurement | Reject | Remark]:
    message = {"count_in": 23, "count_out": 12, "timestamp": "1772345228", "device_id": "FA21", **parts}
    return list(Decoder(Options()).decode("terabee/door", json.dumps(message).encode()))


def test_both_ways_are_told_apart() -> None:
    said = [one for one in _say() if isinstance(one, Measurement)]
    assert [(one.tags["direction"], one.fields["total_count"]) for one in said] == [("in", 23), ("out", 12)]


@pytest.mark.parametrize("stamp", ["1772345228", 1772345228, 1772345228.0])
def test_the_time_is_in_seconds_as_a_text_or_a_number(stamp: object) -> None:
    said = _say(timestamp=stamp)
    assert [one.time for one in said if isinstance(one, Measurement)] == [1772345228 * 10**9] * 2


@pytest.mark.parametrize("stamp", [0, "60", 165776767, None, "", "noon", True, [], 1e30])
def test_a_clock_that_was_never_set_leaves_it_to_the_time_of_arrival(stamp: object) -> None:
    said = _say(timestamp=stamp)
    assert [one.time for one in said if isinstance(one, Measurement)] == [None, None]
    assert [one.what for one in said if isinstance(one, Remark)] == ["timestamp"]


@pytest.mark.parametrize("value", [None, "", "many", -1, 1.5, True, {}])
def test_one_count_that_is_none_does_not_cost_the_other(value: object) -> None:
    said = _say(count_in=value)
    assert [type(one) for one in said] == [Measurement, Remark]


@pytest.mark.parametrize("device", [None, "", 5, "a\x00"])
def test_credentials_are_struck_from_what_is_kept_of_a_refused_push(device: object) -> None:
    (said,) = _say(device_id=device, username='us"er', password="se\\cret")
    assert isinstance(said, Reject)
    assert b"er" not in said.raw.replace(b"username", b"").replace(b"Terabee", b"")
    assert b"cret" not in said.raw
    assert b"count_in" in said.raw
