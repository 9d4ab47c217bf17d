"""Axis cameras: kinds of scenarios, names of classes through the firmware's years, and hostile events."""

import json
from typing import Any

import pytest

from drivers.axis import Decoder
from gateway.contract import Measurement, Options, Reject, Remark

TOPIC = "axis/B8A44F0A0B0C/event/tns:axis/CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1"
LINE = {"reason": "car", "resetTime": "2026-03-01T00:00:00Z"}


def _say(data: object, topic: str = TOPIC, **parts: Any) -> list[Measurement | Reject | Remark]:  # noqa: ANN401 -- JSON
    event = "axis:CameraApplicationPlatform/ObjectAnalytics/Device1Scenario1"
    message = {"topic": event, "timestamp": 1772345228123, "serial": "CAM", "message": {"data": data}, **parts}
    return list(Decoder(Options()).decode(topic, json.dumps(message).encode()))


def _values(data: object) -> dict[str, tuple[str, object]]:
    return {
        one.tags.get("vehicle_type", ""): next(iter(one.fields.items()))
        for one in _say(data)
        if isinstance(one, Measurement)
    }


def test_a_line_counts_on_and_on_and_an_area_says_who_is_there() -> None:
    assert _values({**LINE, "total": "9", "totalHuman": "4", "totalCar": "5"}) == {
        "": ("total_count", 9),
        "person": ("total_count", 4),
        "car": ("total_count", 5),
    }
    assert _values({"total": "9", "human": "4", "car": "5"}) == {
        "": ("object_count", 9),
        "person": ("people_count", 4),
        "car": ("vehicle_count", 5),
    }


@pytest.mark.parametrize("signs", [{"reason": "car"}, {"startTime": "x"}, {"resetTime": "x"}, {"totalCar": "9"}])
def test_a_line_is_known_by_what_only_lines_say(signs: dict[str, str]) -> None:
    assert _values({"total": "9", **signs})[""] == ("total_count", 9)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("totalBike", "bicycle"),
        ("totalMotorcycle/bicycle", "bicycle"),
        ("totalOtherVehicle", "vehicle"),
        ("totalUnknown", "vehicle"),
        ("totalTruck", "truck"),
        ("totalBus", "bus"),
    ],
)
def test_classes_are_known_by_all_the_names_they_have_had(name: str, kind: str) -> None:
    assert _values({**LINE, name: "3"}) == {kind: ("total_count", 3)}


def test_numbers_may_be_numbers() -> None:
    assert _values({**LINE, "total": 3}) == {"": ("total_count", 3)}


def test_scenarios_of_one_camera_are_told_apart() -> None:
    named, unnamed = _say({"scenario": "Gate", "total": "1"}), _say({"total": "1"})
    assert isinstance(named[0], Measurement)
    assert isinstance(unnamed[0], Measurement)
    assert (named[0].tags["scenario"], unnamed[0].tags["scenario"]) == ("Gate", "Device1Scenario1")


def test_the_camera_is_named_by_its_topic_or_else_by_its_message() -> None:
    sensors = [
        one.sensor
        for said in (_say({"total": "1"}, serial=None), _say({"total": "1"}, topic="cameras/gate"))
        for one in said
        if isinstance(one, Measurement)
    ]
    assert sensors == ["B8A44F0A0B0C", "CAM"]
    (lost,) = _say({"total": "1"}, topic="cameras/gate", serial=None)
    assert isinstance(lost, Reject)
    assert lost.detail == "neither the message nor its topic names the camera"


@pytest.mark.parametrize("value", [None, "", "many", "-1", "1.5", True, [], "1e30"])
def test_a_count_that_is_none_does_not_cost_the_others(value: object) -> None:
    said = _say({"total": value, "human": "2"})
    assert [type(one) for one in said] == [Measurement, Remark]


@pytest.mark.parametrize("value", [None, "many", {}])
def test_an_event_without_a_count_says_which_were_none(value: object) -> None:
    (said,) = _say({"total": value})
    assert isinstance(said, Reject)
    assert said.reason == "range"
    assert "total" in said.detail


@pytest.mark.parametrize("data", [None, [], "5", 5])
def test_an_event_without_data_is_not_ours(data: object) -> None:
    (said,) = _say(data)
    assert isinstance(said, Reject)
    assert said.reason == "noise"


@pytest.mark.parametrize("data", [{"active": "1", "objectId": "1", "classTypes": "human"}, {}, {"totalling": "1"}])
def test_a_scenario_that_counts_nothing_is_passed_over(data: dict[str, str]) -> None:
    (said,) = _say(data)
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"
