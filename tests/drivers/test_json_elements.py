"""Several readings in one message: what leads to them, what names them, and what is said of those left out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.common.json_messages import Output
from drivers.common.message_elements import MOST_ELEMENTS
from drivers.json import Decoder, JsonOptions
from gateway.contract import Measurement, Reject, Remark

SECOND = 10**9
AT = 1_782_907_200
TEMPERATURE = {"kind": "air_quality", "fields": {"temperature": "t"}}


def say(options: dict[str, Any], message: object, topic: str = "a/b/c") -> list[Output]:
    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    return [*Decoder(JsonOptions.model_validate({**TEMPERATURE, **options})).decode(topic, payload)]


def rows(options: dict[str, Any], message: object) -> list[tuple[str | None, float | None, object]]:
    """Return sensor, seconds and temperature of the readings, of which nothing else is said."""
    found = say(options, message)
    assert all(isinstance(one, Measurement) for one in found), found
    return [
        (one.sensor, None if one.time is None else one.time / SECOND, one.fields.get("temperature"))
        for one in found
        if isinstance(one, Measurement)
    ]


SAMPLES = [{"id": "a", "at": AT, "t": 1.5}, {"id": "b", "at": AT + 10, "t": 2.5}]
EXPECTED = [("a", AT, 1.5), ("b", AT + 10, 2.5)]
OWN: dict[str, Any] = {"sensor": "id", "time": "at"}

SHAPES: dict[str, tuple[dict[str, Any], object]] = {
    "a list below a key": ({**OWN, "each": "log.values"}, {"log": {"values": SAMPLES}}),
    "a list at the top": ({**OWN, "each": ""}, SAMPLES),
    "a list at the top, by a star": ({**OWN, "each": "*"}, SAMPLES),
    "lists in a list": (
        {"each": "*", "sensor": "1", "time": "0", "fields": {"temperature": "2.t"}},
        [[AT, "a", {"t": 1.5}], [AT + 10, "b", {"t": 2.5}]],
    ),
    "lists in lists": ({**OWN, "each": "*.log.*"}, [{"log": SAMPLES[:1]}, {"log": SAMPLES[1:]}]),
    "a map by time": (
        {"each": "", "sensor": "id", "time": "{key}"},
        {str(AT): {"id": "a", "t": 1.5}, str(AT + 10): {"id": "b", "t": 2.5}},
    ),
    "a map by device": (
        {"each": "devices", "sensor": "{key}", "time": "at"},
        {"devices": {"a": SAMPLES[0], "b": SAMPLES[1]}},
    ),
    "a map by device and time": (
        {"each": "{device}.{at}", "sensor": "{device}", "time": "{at}", "fields": {"temperature": ""}},
        {"a": {str(AT): 1.5}, "b": {str(AT + 10): 2.5}},
    ),
    "JSON in a text of JSON": ({**OWN, "each": "data"}, {"data": json.dumps(SAMPLES)}),
    "an expression": (
        {**OWN, "each": "jmespath:log[?ok]"},
        {"log": [*({**one, "ok": 1} for one in SAMPLES), {"t": 9}]},
    ),
    "columns": (
        {"each": "at", "sensor": "$.id.{key}", "time": "", "fields": {"temperature": "$.t.{key}"}},
        {"id": ["a", "b"], "at": [AT, AT + 10], "t": [1.5, 2.5]},
    ),
    "lines": ({**OWN, "each": ""}, b"\n".join(json.dumps(one).encode() for one in SAMPLES)),
    "a start and a step": (
        {"each": "v", "sensor": "id", "time": "$.start", "step": "10s"},
        {"start": AT, "v": SAMPLES},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_gives_every_reading_its_sensor_and_time(shape: str) -> None:
    options, message = SHAPES[shape]
    found = [one for one in say(options, message) if not (isinstance(one, Remark) and one.kind == "mended")]
    assert [
        (one.sensor, one.time and one.time / SECOND, one.fields["temperature"])
        for one in found
        if isinstance(one, Measurement)
    ] == EXPECTED
    assert len(found) == len(EXPECTED)


def test_a_name_may_be_of_the_message_and_the_element() -> None:
    message = {"box": "roof", "v": SAMPLES}
    assert [name for name, *_ in rows({"each": "v", "sensor": "{$.box}-{id}"}, message)] == ["roof-a", "roof-b"]


def test_samples_are_numbers_without_names_from_a_start_with_a_step() -> None:
    options = {"each": "v", "time": "$.dt", "time_zone": "UTC", "step": "10ms", "fields": {"temperature": ""}}
    said = say({**options, "sensor": "topic:1"}, {"dt": "2026-07-01 12:00:00", "v": [1, 2.5, "3,5"]})
    assert [(one.sensor, one.time, one.fields) for one in said if isinstance(one, Measurement)] == [
        ("b", AT * SECOND, {"temperature": 1.0}),
        ("b", AT * SECOND + 10_000_000, {"temperature": 2.5}),
        ("b", AT * SECOND + 20_000_000, {"temperature": 3.5}),
    ]


def test_elements_that_are_no_reading_are_counted_and_said_and_cost_the_others_nothing() -> None:
    message = [
        SAMPLES[0],
        {"id": "c", "at": AT},
        None,
        {"id": "d", "t": 4},
        {"id": None, "at": AT, "t": 5},
        SAMPLES[1],
    ]
    remark, first, second = say({**OWN, "each": ""}, message)
    assert remark == Remark("left out", "elements of the top", "4 of 6; the first: temperature: nothing at t")
    assert [one.sensor for one in (first, second) if isinstance(one, Measurement)] == ["a", "b"]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"log": []}, "no element at log"),
        ({"log": 5}, "no list and no object at log"),
        ({}, "no list and no object at log"),
        ({"log": [{"x": 1}, {"y": 2}]}, "temperature: nothing at t (the first of 2 elements)"),
    ],
)
def test_a_message_without_a_single_reading_is_refused(message: object, words: str) -> None:
    (said,) = say({"each": "log"}, message)
    assert isinstance(said, Reject)
    assert said.detail == words


def test_a_list_where_none_is_expected_says_what_to_set() -> None:
    (said,) = say({}, SAMPLES)
    assert isinstance(said, Reject)
    assert said.detail == 'temperature: nothing at t; the message is a list: set each = ""'


def test_a_field_that_many_elements_lack_is_said_once_a_message() -> None:
    options = {"each": "", "fields": {"temperature": "t", "co2": "c"}}
    assert [one.what for one in say(options, [{"t": 1}] * 100) if isinstance(one, Remark)] == ["co2"]


def test_a_message_of_too_many_elements_is_read_up_to_a_bound() -> None:
    said = say({"each": "", "fields": {"temperature": ""}}, b"[" + b"1," * MOST_ELEMENTS + b"1]")
    assert sum(isinstance(one, Measurement) for one in said) == MOST_ELEMENTS
    assert [one.detail.split(";")[0] for one in said if isinstance(one, Remark)] == [f"1 of {MOST_ELEMENTS + 1}"]


@pytest.mark.parametrize(
    ("options", "message", "where"),
    [
        ({"fields": {"temperature": "log.0.t"}, "sensor": "log.0.id"}, {"log": SAMPLES}, 'each = "log"'),
        ({"fields": {"temperature": "0.t", "co2": "0.c"}}, SAMPLES, 'each = ""'),
        ({"fields": {"temperature": "0.2.t"}}, [[1, 2, {"t": 1.5}], [1, 2, {"t": 2.5}]], 'each = ""'),
    ],
)
def test_a_path_into_the_first_element_of_several_is_said(
    options: dict[str, Any], message: object, where: str
) -> None:
    remarks = [one for one in say(options, message) if isinstance(one, Remark) and one.what.startswith("elements")]
    assert [one.detail for one in remarks] == [f"1 of 2 are not read: set {where}"]


def test_a_first_element_that_is_alone_or_of_another_kind_is_nothing_to_say() -> None:
    one = {"fields": {"temperature": "log.0.t"}}
    assert len(say(one, {"log": SAMPLES[:1]})) == 1
    assert len(say(one, {"log": [{"t": 1}, {"x": 2}]})) == 1
    assert len(say({"fields": {"temperature": "t", "rssi": "rx.0.rssi"}}, {"t": 1, "rx": [{"rssi": -7}] * 3})) == 1


def test_tags_tell_lanes_apart() -> None:
    options = {"kind": "traffic", "sensor": "cam", "time": "at", "fields": {"intensity": "n"}}
    tagged = {**options, "tags": {"lane": "lane", "way": "topic:-1", "wet": "wet"}}
    said = [say(tagged, {"cam": "c", "lane": lane, "at": AT, "n": lane * 3, "wet": True})[0] for lane in (1, 2)]
    assert [one.tags for one in said if isinstance(one, Measurement)] == [
        {"lane": "1", "way": "c", "wet": "true"},
        {"lane": "2", "way": "c", "wet": "true"},
    ]


@pytest.mark.parametrize(("lost", "words"), [({}, "the tag lane is not in it"), ({"lane": 1.5}, "the tag lane: 1.5")])
def test_a_reading_without_its_tag_is_refused(lost: dict[str, object], words: str) -> None:
    (said,) = say({"tags": {"lane": "lane"}}, {"t": 1, **lost})
    assert isinstance(said, Reject)
    assert words in said.detail


def test_a_tag_with_too_many_values_is_said() -> None:
    decoder = Decoder(JsonOptions.model_validate({**TEMPERATURE, "tags": {"run": "run"}}))
    said = [one for number in range(202) for one in decoder.decode("a", b'{"t":1,"run":%d}' % number)]
    assert [one.what for one in said if isinstance(one, Remark)] == ["tag run"] * 2


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("PM2\\.5", {"PM2.5": 5}),
        ("a.1\\.7\\.0.b", {"a": {"1.7.0": {"b": 5}}}),
        ("back\\\\slash", {"back\\slash": 5}),
        ("temperature:0.tC", {"temperature:0": {"tC": 5}}),
        ("\\*", {"*": 5, "x": 6}),
        ("*.t", {"whatever": {"t": 5}}),
        ("a.-1", {"a": [1, 5]}),
        ("a.b", {"a": '{"b": 5}'}),
        ("a.b", '{"a": {"b": 5}}'),
        ("a.0", {"a": "[5,]"}),
        ("topic:0", {}),
        ("const:5", {}),
        ("jmespath:max(a)", {"a": [1, 5]}),
        ("{a} {unit}", {"a": 41, "unit": "F"}),
        ("{a} {unit}", {"a": 278.15, "unit": "K"}),
        ("jmespath:v[?n=='t'].x | [0]", {"v": [{"n": "h", "x": 1}, {"n": "t", "x": 5}]}),
        ("\u0161\u010d\u017e", {"\u0161\u010d\u017e": 5}),
    ],
)
def test_a_path_leads_to_one_value(path: str, message: object) -> None:
    (said,) = say({"fields": {"temperature": path}}, message, "5/a")
    assert isinstance(said, Measurement), said
    assert said.fields == {"temperature": 5.0}


@pytest.mark.parametrize(
    ("path", "message", "words"),
    [
        ("*.t", {"a": {"t": 1}, "b": {"t": 2}}, "2 values at *.t, which are several readings: set each"),
        ("a.9", {"a": [1]}, "nothing at a.9"),
        ("{a} {unit}", {"a": 5}, "a part of it is missing"),
        ("{a} {unit}", {"a": 5, "unit": True}, "True is no text and no number"),
        ("a.b.c", {"a": "{broken"}, "nothing at a.b.c"),
        ("topic:7", {}, "the topic has no level 7"),
        ("jmespath:max(a)", {"a": "x"}, "max"),
    ],
)
def test_a_path_that_leads_nowhere_or_to_several_is_refused(path: str, message: object, words: str) -> None:
    (said,) = say({"fields": {"temperature": path}}, message)
    assert isinstance(said, Reject)
    assert words in said.detail


def test_a_name_twice_in_one_object_is_doubtful() -> None:
    remark, said = say({}, b'{"t": 1.5, "t": 2.5}')
    assert remark[:2] == ("doubtful", "a name twice in one object")
    assert isinstance(said, Measurement)
    assert len(say({}, b'{"t": 1.5, "u": {"t": 2.5}, "text": "\\":\\":"}')) == 1


def test_a_field_that_looks_like_another_unit_is_doubtful() -> None:
    said = say({"fields": {"temperature": "t", "relative_humidity": "h"}}, {"t": 21, "h": 55})
    assert said[0] == Remark("doubtful", "relative_humidity", '55 is no fraction: set unit = "%", or scale')
    assert isinstance(said[1], Measurement)
    assert said[1].fields == {"temperature": 21.0}


def test_an_hour_that_comes_twice_marks_the_reading() -> None:
    remark, said = say({"time": "at", "time_zone": "Europe/Ljubljana"}, {"t": 1, "at": "2026-10-25 02:30:00"})
    assert remark[:2] == ("doubtful", "time")
    assert isinstance(said, Measurement)
    assert said.quality.name == "ESTIMATED_TIME"


def test_without_its_extra_an_expression_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jmespath", None)
    with pytest.raises(ValueError, match=r"pip install 'prehod\[jmespath\]'"):
        JsonOptions.model_validate({**TEMPERATURE, "each": "jmespath:a"})


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["21,5 C", "on"])
)
KEYS = st.sampled_from(["t", "h", "id", "at", "log", "lane", "x.y"]) | st.text(max_size=3)
ANY_VALUE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5)
)

RICH: list[dict[str, Any]] = [
    {
        "each": each,
        "sensor": "{id}-{topic:0}",
        "time": time,
        "time_zone": "Europe/Ljubljana",
        "tags": {"lane": "lane"},
        "fields": {
            "temperature": {"path": "t", "unit": "F", "no_value": [-127]},
            "relative_humidity": "*.h",
            "pm25": "{t} {h}",
            "battery_low": {"path": "x\\.y", "values": {"low": True}},
            "co2": "jmespath:max(log)",
        },
    }
    for each, time in ((None, "at"), ("", "{key}"), ("log", "$.at"), ("*.{house}.log", "at"))
]


@pytest.mark.parametrize("options", RICH)
def test_no_message_raises_whatever_is_described(options: dict[str, Any]) -> None:
    given_options = {name: value for name, value in {**TEMPERATURE, **options}.items() if value is not None}
    decoder = Decoder(JsonOptions.model_validate(given_options))

    @given(ANY_VALUE)
    def law(message: object) -> None:
        said = [*decoder.decode("a/b", json.dumps(message).encode())]
        assert said
        assert all(isinstance(one, Measurement | Reject | Remark) for one in said)

    law()


PLAIN: dict[str, Any] = {
    "sensor": "id",
    "time": "at",
    "time_format": "s",
    "fields": {
        "temperature": "t",
        "relative_humidity": {"path": "h", "unit": "%"},
        "co2": {"path": "lane", "optional": True},
        "battery_low": {"path": "log", "optional": True},
    },
}
NEAR = st.fixed_dictionaries(
    {
        "t": st.floats() | SCALARS,
        "id": st.sampled_from(["a", 5, 5.0, 1e30, None, ""]),
        "at": st.sampled_from([AT, 5, "x"]),
    },
    optional={"h": SCALARS, "lane": SCALARS, "log": SCALARS},
)


@given(NEAR, st.sampled_from(["id", "topic:1", "topic:7", "const:box", "{id}-{topic:0}"]))
def test_the_quick_way_of_a_flat_message_leads_where_the_long_one_does(message: object, sensor: str) -> None:
    options = JsonOptions.model_validate({**TEMPERATURE, **PLAIN, "sensor": sensor})
    quick, long = Decoder(options), Decoder(options)
    long._reader._plain = None
    payload = json.dumps(message).encode()
    for _ in range(2):
        assert [*quick.decode("a/b", payload)] == [*long.decode("a/b", payload)]


WITHIN = st.dictionaries(
    st.sampled_from(["t", "s", "id"]), st.one_of(SCALARS, st.sampled_from(["low", "LOW", "ok", 12]))
)
DEEP = st.fixed_dictionaries(
    {},
    optional={
        "a": st.one_of(SCALARS, WITHIN, WITHIN.map(json.dumps), st.lists(st.one_of(SCALARS, WITHIN), max_size=3)),
        "at": st.one_of(st.sampled_from([AT, 5, "x"]), WITHIN),
    },
)


@given(
    DEEP,
    st.sampled_from(["a.t", "a.0.t", "a.1.t", "a.-1.t", "a.0", "$.a.t"]),
    st.sampled_from([1.0, 0.1]),
    st.sampled_from(["a.id", "a.0.id", "topic:0"]),
)
def test_the_quick_way_of_a_message_with_objects_in_it_leads_where_the_long_one_does(
    message: object, path: str, scale: float, sensor: str
) -> None:
    fields = {
        "temperature": {"path": path, "scale": scale},
        "battery_low": {"path": "a.s", "true_values": ["low"], "false_values": ["ok"], "optional": True},
        "relative_humidity": {"path": "a.h", "optional": True},
    }
    options = JsonOptions.model_validate({"kind": "air_quality", "fields": fields, "time": "at", "sensor": sensor})
    quick, long = Decoder(options), Decoder(options)
    assert quick._reader._plain is not None
    long._reader._plain = None
    payload = json.dumps(message).encode()
    for _ in range(2):
        assert [*quick.decode("box/b", payload)] == [*long.decode("box/b", payload)]
