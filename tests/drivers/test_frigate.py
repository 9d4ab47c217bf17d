"""Frigate: each object once, in bounded memory, and hostile events."""

import json
from typing import Literal

import pytest

from drivers.frigate import REMEMBERED, Decoder, FrigateOptions
from gateway.contract import Measurement, Reject, Remark


def _say(decoder: Decoder | None = None, step: str = "end", **after: object) -> Measurement | Reject:
    event = {"id": "1", "camera": "north", "label": "car", "start_time": 1772345228.5, **after}
    message = json.dumps({"type": step, "before": {}, "after": event}).encode()
    (said,) = (decoder or Decoder(FrigateOptions())).decode("frigate/events", message)
    assert isinstance(said, Measurement | Reject)
    return said


def test_an_object_is_counted_once_when_it_has_gone() -> None:
    decoder = Decoder(FrigateOptions())
    steps = [_say(decoder, step) for step in ("new", "update", "update", "end", "end")]
    assert [type(one) for one in steps] == [Reject, Reject, Reject, Measurement, Reject]


def test_memory_of_ids_is_bounded() -> None:
    decoder = Decoder(FrigateOptions())
    for number in range(3 * REMEMBERED):
        assert isinstance(_say(decoder, id=str(number)), Measurement)
    assert len(decoder._counted) == REMEMBERED
    assert isinstance(_say(decoder, id=str(3 * REMEMBERED - 1)), Reject)


def test_only_what_entered_the_zone_counts() -> None:
    decoder = Decoder(FrigateOptions(zone="street"))
    zones: tuple[object, ...] = (["yard"], [], None, "street", ["yard", "street"])
    assert [isinstance(_say(decoder, entered_zones=zone), Measurement) for zone in zones] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "part",
    [
        {"id": None},
        {"id": ""},
        {"id": []},
        {"camera": 5},
        {"camera": "a\n"},
        {"start_time": None},
        {"start_time": -1},
    ],
    ids=str,
)
def test_a_part_of_the_wrong_kind_is_rejected(part: dict[str, object]) -> None:
    said = _say(None, "end", **part)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize("label", [None, [], {}, 5, "cat"])
def test_another_label_makes_no_tag(label: object) -> None:
    said = _say(label=label)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


@pytest.mark.parametrize(("unit", "speed"), [("km/h", 31.7), ("mph", 51.016205)])
def test_an_estimated_speed_is_given_in_kilometres_an_hour(unit: Literal["km/h", "mph"], speed: float) -> None:
    said = _say(Decoder(FrigateOptions(speed_unit=unit)), average_estimated_speed=31.7)
    assert isinstance(said, Measurement)
    assert said.fields == {"intensity": 1, "average_vehicle_speed": pytest.approx(speed)}


@pytest.mark.parametrize("speed", [0, 0.0, None])
def test_no_speed_was_estimated_where_it_is_zero(speed: object) -> None:
    said = _say(average_estimated_speed=speed)
    assert isinstance(said, Measurement)
    assert said.fields == {"intensity": 1}


@pytest.mark.parametrize("speed", ["fast", [], True, -5])
def test_a_speed_that_is_none_costs_no_count(speed: object) -> None:
    event = {"id": "1", "camera": "north", "label": "car", "start_time": 1.5, "average_estimated_speed": speed}
    message = json.dumps({"type": "end", "after": event}).encode()
    said, remark = Decoder(FrigateOptions()).decode("frigate/events", message)
    assert isinstance(said, Measurement)
    assert said.fields == {"intensity": 1}
    assert isinstance(remark, Remark)
    assert remark.what == "average_estimated_speed"
