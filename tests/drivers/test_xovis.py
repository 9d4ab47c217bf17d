"""Xovis: intervals with their own times, logics of one line, events, and hostile pushes."""

import json
from typing import Any

import pytest

from drivers.xovis import Decoder, XovisOptions
from gateway.contract import Measurement, Reject, Remark

SERIAL = {"serial_number": "80:1F:12:0A:0B:0C"}
BEGUN = 1772345160000


def _push(data: object, *, events: bool = False) -> list[Measurement | Reject | Remark]:
    return list(Decoder(XovisOptions(events=events)).decode("xovis/hall", json.dumps(data).encode()))


def _say(*counts: object, begun: object = BEGUN, **logic: Any) -> list[Measurement | Reject | Remark]:  # noqa: ANN401 -- JSON
    record = {"from": begun, "to": BEGUN + 60_000, "counts": list(counts)}
    whole = {"id": 1, "name": "Gate", "info": "XLT_LINE_IN_OUT_COUNT", "records": [record], **logic}
    return _push({"logics_data": {"sensor_info": SERIAL, "logics": [whole]}})


def _one(*counts: object, **logic: Any) -> Measurement:  # noqa: ANN401 -- the same
    (said,) = _say(*counts, **logic)
    assert isinstance(said, Measurement), said
    return said


FORWARD = {"id": 1, "name": "fw", "value": 3}


def test_a_record_keeps_its_own_time_and_says_how_long_it_lasted() -> None:
    said = _one(FORWARD)
    assert (said.time, dict(said.fields)) == (BEGUN * 1_000_000, {"intensity": 3, "period": 60.0})


@pytest.mark.parametrize("end", [None, "later", BEGUN, BEGUN - 1])
def test_a_record_without_an_end_has_no_period(end: object) -> None:
    said = _one(records=[{"from": BEGUN, "to": end, "counts": [FORWARD]}])
    assert said.fields == {"intensity": 3}


@pytest.mark.parametrize("begun", [None, "noon", [], True])
def test_a_record_without_a_beginning_is_left_out(begun: object) -> None:
    (said,) = _say(FORWARD, begun=begun)
    assert isinstance(said, Reject)
    assert "which is no time" in said.detail


def test_two_logics_of_one_line_are_two_series() -> None:
    first, second = _one(FORWARD), _one(FORWARD, id=2, info="XLT_LINE_LATE_COUNT")
    assert first.tags != second.tags


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        ("XLT_4X_LINE_IN_OUT_COUNT", "person"),
        ("XLT_BICYCLE_LINE_IN_OUT_COUNT", "bicycle"),
        ("XLT_SHOPPING_CART_LINE_LATE_COUNT", "shopping_cart"),
        (None, "person"),
        (5, "person"),
    ],
)
def test_the_kind_of_object_is_in_the_logics_info(info: object, kind: str) -> None:
    assert _one(FORWARD, info=info).tags["vehicle_type"] == kind


def test_who_is_in_a_zone_is_no_count_of_passages() -> None:
    said = _one({"name": "balance", "value": 4}, info="XLT_ZONE_OCCUPANCY_COUNT")
    assert (dict(said.fields), said.tags["zone"]) == ({"people_count": 4}, "Gate")


@pytest.mark.parametrize("value", [None, "", "many", -1, 1.5, [], True])
def test_a_count_that_is_none_does_not_cost_the_others(value: object) -> None:
    said = _say(FORWARD, {"name": "bw", "value": value})
    assert [type(one) for one in said] == [Measurement, Remark]


def test_crossings_are_read_only_on_demand_since_they_would_count_twice() -> None:
    frame = {
        "time": BEGUN,
        "events": [{"type": "LINE_CROSS_FORWARD", "attributes": {"geometry_name": "Gate"}}],
    }
    push = {"live_data": {"sensor_info": SERIAL, "frames": [frame]}}
    (refused,) = _push(push)
    assert isinstance(refused, Reject)
    assert "events = true" in refused.detail
    (said,) = _push(push, events=True)
    assert isinstance(said, Measurement)
    assert said.tags == {"line": "Gate", "direction": "forward", "vehicle_type": "person"}


@pytest.mark.parametrize("serial", [None, "", 5, [], "a\x00"])
def test_a_push_without_a_serial_number_is_rejected(serial: object) -> None:
    (said,) = _push({"logics_data": {"sensor_info": {"serial_number": serial}, "logics": []}})
    assert isinstance(said, Reject)
    assert said.detail == "no serial_number"


@pytest.mark.parametrize("data", [[], "x", 5, {}, {"logics_data": 5}, {"logics_data": []}, None])
def test_what_is_no_push_is_not_ours(data: object) -> None:
    (said,) = _push(data)
    assert isinstance(said, Reject)
    assert said.reason == "noise"
