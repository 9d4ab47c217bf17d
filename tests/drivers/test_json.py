"""Plain JSON over MQTT: what the options can say, and what a message can get wrong."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.common.json_messages import Output
from drivers.json import DRIVER, Decoder, JsonOptions
from gateway.contract import KINDS, Measurement, Reject, Remark

AIR = {"kind": "air_quality", "fields": {"pm25": "pm.fine", "temperature": {"path": "t", "optional": True}}}


def _say(options: dict[str, Any], message: object, topic: str = "city/air/box-7/state") -> Measurement | Reject:
    (said,) = [one for one in _all(options, message, topic) if not isinstance(one, Remark)]
    assert isinstance(said, Measurement | Reject)
    return said


def _all(options: dict[str, Any], message: object, topic: str = "city/air/box-7/state") -> list[Output]:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    return [*Decoder(JsonOptions.model_validate(options)).decode(topic, payload)]


def _remarks(options: dict[str, Any], message: object) -> list[tuple[str, str]]:
    return [(one.kind, one.what) for one in _all(options, message) if isinstance(one, Remark)]


def _read(options: dict[str, Any], message: object, topic: str = "city/air/box-7/state") -> Measurement:
    said = _say(options, message, topic)
    assert isinstance(said, Measurement), said
    return said


def _reason(options: dict[str, Any], message: object, topic: str = "city/air/box-7/state") -> str:
    said = _say(options, message, topic)
    assert isinstance(said, Reject), said
    assert said.detail
    return said.reason


def _one(name: str, kind: str = "air_quality", **source: object) -> dict[str, Any]:
    return {"kind": kind, "fields": {name: {"path": "x", **source}}}


def test_paths_lead_through_objects_and_lists() -> None:
    options = {"kind": "air_quality", "fields": {"pm25": "a.1.b", "pm10": "a.0"}}
    assert _read(options, {"a": [5, {"b": 7}]}).fields == {"pm25": 7.0, "pm10": 5.0}


def test_whole_numbers_become_floats_where_the_vocabulary_has_floats() -> None:
    value = _read(_one("pm25"), {"x": 12}).fields["pm25"]
    assert (value, type(value)) == (12.0, float)


def test_floats_without_a_fraction_become_whole_where_the_vocabulary_has_whole_numbers() -> None:
    value = _read(_one("available_spots", "parking"), {"x": 12.0}).fields["available_spots"]
    assert (value, type(value)) == (12, int)


def test_scale_and_offset_convert_without_a_tail_of_digits() -> None:
    assert _read(_one("temperature", scale=0.1), {"x": 3}).fields == {"temperature": 0.3}
    assert _read(_one("temperature", offset=-273.15), {"x": 293.15}).fields == {"temperature": 20.0}


@pytest.mark.parametrize(
    ("value", "occupied"),
    [("taken", True), ("Taken ", True), ("free", False), *((one, None) for one in (1, True, "moved", "offline", ""))],
)
def test_words_become_yes_and_no_and_what_is_neither_is_never_no(value: object, occupied: bool | None) -> None:
    options = _one("occupied", "parking", equals="taken")
    if occupied is None:
        assert _reason(options, {"x": value})
    else:
        assert _read(options, {"x": value}).fields == {"occupied": occupied}


@pytest.mark.parametrize(
    ("source", "yes", "no", "neither"),
    [
        (
            {},
            [True, 1, 1.0, "1", "true", "YES", "On"],
            [False, 0, "0", "False", "no", "off"],
            [2, "open", "x", "null"],
        ),
        ({"equals": 1}, [1, "1"], [0, "0"], [True, 2, "true"]),
        ({"equals": "on"}, ["on", "ON"], ["off"], ["no", False, "UNAVAILABLE"]),
        (
            {"true_values": ["zasedeno", 3], "false_values": ["prosto", 0, 1]},
            ["Zasedeno", 3],
            ["prosto", 1],
            [2, True],
        ),
        ({"false_values": ["vacant"]}, ["occupied"], ["Vacant"], ["free", 1]),
    ],
)
def test_each_way_to_say_yes_and_no_knows_its_own_words_only(
    source: dict[str, Any], yes: list[object], no: list[object], neither: list[object]
) -> None:
    options = _one("occupied", "parking", **source)
    assert [_read(options, {"x": one}).fields["occupied"] for one in (*yes, *no)] == [True] * len(yes) + [
        False
    ] * len(no)
    assert all(isinstance(_say(options, {"x": one}), Reject) for one in neither)


@pytest.mark.parametrize("kind", DRIVER.kinds)
def test_every_kind_of_measurement_that_a_device_can_make_can_be_described(kind: str) -> None:
    said = _read(_one("battery_level", kind), {"x": 0.5})
    assert (said.kind, said.fields) == (kind, {"battery_level": 0.5})
    assert set(DRIVER.kinds) == set(KINDS) - {"gateway"}


def test_a_tracker_says_where_it_is() -> None:
    options = {"kind": "position", "fields": {"latitude": "lat", "longitude": "lon", "satellites": "n"}}
    said = _read(options, {"lat": 45.5481, "lon": 13.7302, "n": 9})
    assert said.fields == {"latitude": 45.5481, "longitude": 13.7302, "satellites": 9}


def test_a_missing_field_is_left_out_and_named_unless_it_is_optional() -> None:
    options = {
        "kind": "air_quality",
        "fields": {"pm25": "pm.fine", "co2": "c", "no2": {"path": "n", "optional": True}},
    }
    assert _read(options, {"pm": {"fine": 3}, "c": 400}).fields == {"pm25": 3.0, "co2": 400.0}
    assert _remarks(options, {"pm": {"fine": 3}, "c": 400}) == []
    assert _read(options, {"c": 400}).fields == {"co2": 400.0}
    assert _remarks(options, {"c": 400}) == [("left out", "pm25")]
    assert _remarks(options, {"c": 400, "pm": {"fine": None}, "n": None}) == [("left out", "pm25")]
    assert _remarks(options, {"c": 400, "pm": 5, "n": "much"}) == [("left out", "pm25"), ("left out", "no2")]


def test_a_message_of_which_no_field_remains_is_refused_with_the_reason_for_each() -> None:
    assert _reason(AIR, {"pm": {"fine": None}}) == "unsupported"
    assert _reason(AIR, {"pm": 5}) == "unsupported"
    said = _say(AIR, {"pm": {"fine": "much"}, "t": []})
    assert isinstance(said, Reject)
    assert (said.reason, said.detail) == ("range", "pm25: 'much' is no number; temperature: a list is no number")


def test_a_message_with_none_of_the_optional_fields_is_no_reading() -> None:
    assert _reason(_one("pm25", optional=True), {"y": 1}) == "unsupported"


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("pm25", "air_quality", "twelve"),
        ("pm25", "air_quality", True),
        ("pm25", "air_quality", [1]),
        ("pm25", "air_quality", {"y": 1}),
        ("available_spots", "parking", 1.5),
        ("available_spots", "parking", False),
        ("available_spots", "parking", 2**63),
        ("occupied", "parking", "maybe"),
        ("occupied", "parking", {"y": 1}),
        ("event", "parking", 5),
        ("event", "parking", "two\nlines"),
        ("event", "parking", "x" * 300),
    ],
)
def test_a_value_of_another_type_is_no_value(name: str, kind: str, value: object) -> None:
    assert _reason(_one(name, kind), {"x": value}) == "range"


def test_a_value_that_a_scale_makes_infinite_is_refused() -> None:
    assert _reason(_one("pm25", scale=1e10), {"x": 1e308}) == "range"


@pytest.mark.parametrize("text", [b'{"x": NaN}', b'{"x": Infinity}', b'{"x": 1e999}', b'{"x": -1e999}'])
def test_a_number_that_is_none_is_no_value(text: bytes) -> None:
    assert _reason(_one("pm25"), text) == "unsupported"


@pytest.mark.parametrize("text", [b'{"x": 1', b"x: 1", b'{"x": 1} 2'])
def test_what_only_looks_like_json_is_noise(text: bytes) -> None:
    assert _reason(_one("pm25"), text) == "noise"


def test_the_largest_numbers_are_read_as_floats() -> None:
    assert _read(_one("pm25"), b'{"x": 123456789012345678901234567890}').fields == {"pm25": 1.2345678901234568e29}


@pytest.mark.parametrize(
    ("sensor", "name"),
    [
        ("topic:2", "box-7"),
        ("topic:-2", "box-7"),
        ("id", "17"),
        ("a.0", "b"),
        ("a.-1", "b"),
        ("const:box", "box"),
        ("{model}-{topic:1}-{id}", "TH-air-17"),
        ("{f}", "5"),
        ("x\\.y", "dotted"),
    ],
)
def test_the_sensor_is_named_by_the_topic_the_message_or_the_options(sensor: str, name: str) -> None:
    message = {"x": 1, "id": 17, "a": ["b"], "model": "TH", "f": 5.0, "x.y": "dotted"}
    assert _read({**_one("pm25"), "sensor": sensor}, message).sensor == name


def test_a_number_beyond_64_bits_names_a_sensor_exactly() -> None:
    options = {**_one("pm25"), "sensor": "id"}
    assert _read(options, b'{"x":1,"id":18446744073709551617}').sensor == "18446744073709551617"
    assert _read(options, b'{"x":1,"id":12345678901234567}').sensor == "12345678901234567"


@pytest.mark.parametrize("lost", [{"model": None}, {"id": 2.5}, {"id": [1]}, {"model": ""}])
def test_a_name_of_which_a_part_is_missing_is_refused(lost: dict[str, Any]) -> None:
    options = {**_one("pm25"), "sensor": "{model}-{id}"}
    assert _reason(options, {"x": 1, "model": "TH", "id": 5} | lost) == "range"


@pytest.mark.parametrize("value", [None, "", "x" * 129, "a\nb", 1.5, True, ["a"]])
def test_a_name_that_is_no_name_is_refused(value: object) -> None:
    assert _reason({**_one("pm25"), "sensor": "id"}, {"x": 1, "id": value}) == "range"


def test_a_topic_without_that_level_is_refused() -> None:
    assert _reason({**_one("pm25"), "sensor": "topic:3"}, {"x": 1}, "a/b/c") == "unsupported"


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("rfc3339", "2022-07-18T09:34:15.775023242+00:00", 1658136855_775023242),
        ("s", 1658136855, 1658136855_000000000),
        ("s", 1658136855.775023, 1658136855_775023000),
        ("ms", 1658136855775, 1658136855_775000000),
        ("us", 1658136855775023, 1658136855_775023000),
        ("ns", 1658136855775023242, 1658136855_775023242),
        ("s", "1658136855", 1658136855_000000000),
        ("auto", 1658136855775, 1658136855_775000000),
    ],
)
def test_times_are_read_in_the_format_named(form: str, value: object, expected: int) -> None:
    assert _read({**_one("pm25"), "time": "at", "time_format": form}, {"x": 1, "at": value}).time == expected


@pytest.mark.parametrize("value", ["2022-07-18", 0, -5, True, 1e300, 2**63, 10**19, [], "2022-07-18T09:34:15"])
@pytest.mark.parametrize("form", ["rfc3339", "s", "ns"])
def test_a_time_that_is_no_time_is_refused(form: str, value: object) -> None:
    assert _reason({**_one("pm25"), "time": "at", "time_format": form}, {"x": 1, "at": value}) == "range"


def test_a_missing_time_is_refused_because_the_options_promise_one() -> None:
    assert _reason({**_one("pm25"), "time": "at"}, {"x": 1}) == "unsupported"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "air_quality", "fields": {"pm2_5": "x"}}, "no field 'pm2_5'; known: pm25"),
        ({"kind": "parking", "fields": {"pm25": "x"}}, "parking has no field 'pm25'"),
        ({"kind": "air_quality", "fields": {}}, "at least one field"),
        ({"kind": "weather", "fields": {"pm25": "x"}}, "kind"),
        ({"kind": "air_quality"}, "fields"),
        ({"kind": "air_quality", "fields": {"pm25": {"path": "x", "scael": 2}}}, "scael"),
        ({"kind": "parking", "fields": {"occupied": {"path": "x", "scale": 2}}}, "scale and offset"),
        ({"kind": "air_quality", "fields": {"pm25": {"path": "x", "equals": 2}}}, "can say what they equal"),
        (_one("occupied", "parking", equals="besetzt"), "'besetzt' alone does not say .* set false_values"),
        (_one("occupied", "parking", true_values=["a"], false_values=["A"]), "'a' is both yes and no"),
        (_one("occupied", "parking", equals="a", true_values=["b"]), "keep true_values"),
        (_one("occupied", "parking", unit="%"), "or a unit"),
        (_one("temperature", unit="hPa"), "'hPa' is no unit of temperature: degC, degF, K"),
        (_one("pm25", thousands=",", decimal_comma=True), "a comma cannot stand"),
        (_one("pm25", values={"low": "few"}), "'few', which is no float"),
        ({**_one("pm25"), "time": "t", "time_format": "%H:%M"}, "time_format: the pattern names no day"),
        ({**_one("pm25"), "time": "t", "time_format": "%d.%m.%Y %H:%M"}, "time_format: .* set time_zone"),
        ({**_one("pm25"), "time": "t", "time_format": "unix"}, "time_format: no format; write one of auto"),
        ({**_one("pm25"), "time": "t", "time_zone": "Europe/Lubljana"}, "time_zone: no time zone is called"),
        ({**_one("pm25"), "time_zone": "UTC"}, "time: say where it is"),
        ({**_one("pm25"), "each": "x", "step": "1s"}, "time: say where it is"),
        ({**_one("pm25"), "time": "t", "step": "1s"}, "step: .* set each"),
        ({**_one("pm25"), "tags": {"gateway": "g"}}, "tags.gateway: the gateway has this name"),
        ({**_one("pm25"), "tags": {"pm25": "g"}}, "tags.pm25: a field has this name"),
        ({**_one("pm25"), "sensor": "{a"}, "a brace without its other half"),
        ({**_one("pm25"), "each": "{a}.{a}"}, "each: each key has a name of its own"),
        (
            {"kind": "air_quality", "fields": {"pm25": "a.{b}"}, "each": "*"},
            "fields.pm25: nothing gives {b} its key: each names key",
        ),
        ({"kind": "air_quality", "fields": {"pm25": "jmespath:a["}}, "fields.pm25: no expression of JMESPath"),
        ({**_one("pm25"), "sensor": "topic:two"}, "topic:2"),
    ],
)
def test_options_that_cannot_work_are_refused_in_plain_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        JsonOptions.model_validate(options)
