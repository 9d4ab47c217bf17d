"""SenML: what holds until it is replaced, times relative to now, and hostile packs."""

import json

import pytest

from drivers.senml import Decoder, Record, Resolved, resolve
from gateway.contract import Measurement, Options, Quality, Reject, Remark


def _say(*records: object) -> list[Measurement | Reject | Remark]:
    return list(Decoder(Options()).decode("senml/x", json.dumps(records).encode()))


def test_base_values_hold_until_they_are_replaced() -> None:
    pack = [
        {"bn": "a:", "bt": 1e9, "bu": "Cel", "bv": 20, "n": "x", "v": 1},
        {"n": "y", "t": -5, "v": 2},
        {"bn": "b:", "bv": 0, "u": "K", "n": "z", "v": 3},
    ]
    records = [
        Record("a:", "x", "Cel", 1e9, 21),
        Record("a:", "y", "Cel", 1e9 - 5, 22),
        Record("b:", "z", "K", 1e9, 3),
    ]
    assert resolve(pack) == Resolved(records, [])


def test_what_is_no_number_is_resolved_as_well() -> None:
    pack = [{"bn": "a:", "bs": 10, "n": "x", "s": 5}, {"n": "on", "vb": False}, {"n": "key", "vd": "aGkgCg"}]
    found = resolve(pack)
    assert isinstance(found, Resolved)
    assert [(one.value, one.other, one.total) for one in found.records] == [
        (None, None, 15),
        (None, False, None),
        (None, "aGkgCg", None),
    ]


def test_records_of_one_sensor_and_time_are_one_measurement() -> None:
    said = _say({"bn": "a:", "bt": 1e9, "n": "x", "u": "Cel", "v": 1}, {"n": "co2", "v": 400}, {"n": "pm25", "v": 5})
    assert said == [Measurement("air_quality", {"temperature": 1.0, "co2": 400.0, "pm25": 5.0}, "a", 10**18)]


@pytest.mark.parametrize(
    ("time", "quality"), [(0, Quality.GOOD), (-5, Quality.ESTIMATED_TIME), (2**28 - 1, Quality.ESTIMATED_TIME)]
)
def test_a_time_relative_to_now_is_left_to_the_time_of_arrival(time: int, quality: Quality) -> None:
    (said,) = _say({"n": "a", "u": "Cel", "t": time, "v": 1})
    assert isinstance(said, Measurement)
    assert (said.time, said.quality) == (None, quality)


def test_records_without_a_number_are_passed_over() -> None:
    (said,) = _say({"bn": "a:", "n": "x", "u": "Cel", "v": 1}, {"n": "on", "vb": True}, {"n": "word", "vs": "x"})
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 1.0}


@pytest.mark.parametrize(
    "record",
    [
        5,
        None,
        {"n": "a", "v": "1"},
        {"n": "a", "v": True},
        {"n": 5, "v": 1},
        {"n": "a", "vb": "true"},
        {"n": "a", "vs": 5},
        {"n": "a", "v": 1, "s": "5"},
        {"bn": [], "v": 1},
        {"bt": "now", "v": 1},
        {"bver": 11, "v": 1},
        {"n": "a", "v": 1, "new_": 1},
        {"n": "a", "u": "Cel", "v": 1, "t": 1e300},
        {"u": "Cel", "v": 1},
        {"bv": 1.7e308, "v": 1.7e308, "u": "Cel", "n": "a"},
    ],
    ids=str,
)
def test_a_record_of_the_wrong_kind_is_rejected(record: object) -> None:
    (said,) = _say(record)
    assert isinstance(said, Reject)
    assert said.reason == "range"


def test_a_pack_of_nothing_known_is_told_apart_from_noise() -> None:
    (said,) = _say({"n": "a", "u": "A", "v": 1})
    assert isinstance(said, Reject)
    assert said.reason == "unsupported"


@pytest.mark.parametrize("value", [None, "warm", True, []])
def test_a_record_without_sense_costs_no_other(value: object) -> None:
    pack = [{"bn": "box/", "n": "temperature", "u": "Cel", "v": value}, {"n": "humidity", "u": "%RH", "v": 80}]
    said, remark = Decoder(Options()).decode("senml/x", json.dumps(pack).encode())
    assert isinstance(said, Measurement)
    assert said.fields == {"relative_humidity": 0.8}
    assert remark == Remark("left out", "temperature", "v is no number")
