"""InfluxDB line protocol as a message: whose it is, where it goes, when it was, and which lines are none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.line_protocol import DRIVER
from drivers.line_protocol.parsing import NotLineProtocol, parse
from gateway import line_protocol
from gateway.contract import VOCABULARY, Field, Measurement, Reject, Remark

NOON = 1_700_000_000 * 10**9
OWN = VOCABULARY.extended([Field("rain", "float", "mm", 0, 500, ("weather",))])


def say(payload: str, topic: str = "telegraf/koper", **options: object) -> list[Measurement | Reject | Remark]:
    decoder: Any = DRIVER.decoder(DRIVER.options.model_validate(options, context=OWN))
    return list(decoder.decode(topic, payload.encode()))


def test_a_line_of_names_that_the_gateway_knows_is_taken_as_it_is() -> None:
    assert say(f"air_quality,sensor=a co2=812i,pm25=7 {NOON}") == [
        Measurement("air_quality", {"co2": 812.0, "pm25": 7.0}, "a", NOON)
    ]
    assert say("weather,sensor=a rain=3i,temperature=21") == [
        Measurement("weather", {"rain": 3.0, "temperature": 21.0}, "a")
    ]


def test_a_field_that_the_measurement_cannot_hold_is_left_out_and_named() -> None:
    assert say("air_quality,sensor=a co2=812,rain=1") == [
        Remark("left out", "rain", "air_quality has no such field"),
        Measurement("air_quality", {"co2": 812.0}, "a"),
    ]
    (said,) = say("air_quality,sensor=a rain=1,x=2")
    assert isinstance(said, Reject)
    assert said.detail == "air_quality has no field rain, x: [fields.NAME] makes one"


def test_a_message_of_comments_says_that_it_is_empty() -> None:
    assert say("# written by hand\n#") == [Remark("empty", "comments only", "# written by hand\n#")]


def test_measurements_are_translated_and_others_refused() -> None:
    said = say("co2ampel,sensor=a co2=401\ncpu,host=b usage=5", measurements={"co2ampel": "air_quality"})
    assert said[0] == Measurement("air_quality", {"co2": 401.0}, "a")
    assert isinstance(said[1], Reject)
    assert said[1].detail == "no measurement is configured for 'cpu'"


def test_tags_stay_and_those_that_the_gateway_sets_get_another_name() -> None:
    (said,) = say("air_quality,sensor=a,city=b,room=3 co2=401")
    assert isinstance(said, Measurement)
    assert said.tags == {"own_city": "b", "room": "3"}


def test_two_lines_whose_tags_differ_stay_two_series_when_the_topic_names_the_sensor() -> None:
    said = say("air_quality,sensor=a co2=401\nair_quality,sensor=b co2=402", sensor="topic:1")
    assert [one.tags for one in said if isinstance(one, Measurement)] == [{"own_sensor": "a"}, {"own_sensor": "b"}]


def test_the_tags_that_are_kept_can_be_chosen() -> None:
    (said,) = say("air_quality,sensor=a,host=x,room=3 co2=401", tags=["room"])
    assert isinstance(said, Measurement)
    assert said.tags == {"room": "3"}


@pytest.mark.parametrize(
    ("precision", "number"), [("ns", NOON), ("us", NOON // 1000), ("ms", NOON // 10**6), ("s", NOON // 10**9)]
)
def test_the_time_is_in_the_precision_that_is_set(precision: str, number: int) -> None:
    (said,) = say(f"air_quality,sensor=a co2=401 {number}", precision=precision)
    assert isinstance(said, Measurement)
    assert said.time == NOON


@pytest.mark.parametrize(
    ("set_", "number", "better"), [("ns", NOON // 10**9, "s"), ("ns", NOON // 10**6, "ms"), ("s", NOON, "ns")]
)
def test_a_time_in_another_precision_is_refused_and_that_one_named(set_: str, number: int, better: str) -> None:
    (said,) = say(f"air_quality,sensor=a co2=401 {number}", precision=set_)
    assert isinstance(said, Reject)
    assert said.detail.endswith(f'precision = "{better}" would make it one')


@pytest.mark.parametrize(
    "line",
    ["", "air_quality", "air_quality co2", "air_quality co2=", "a,b co2=401", "a co2=401 x", "a co2=401,", '{"a":1}'],
)
def test_what_is_no_line_protocol_is_noise(line: str) -> None:
    (said,) = say(line, kind="air_quality")
    assert isinstance(said, Reject)
    assert said.reason == "noise"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fields": {"co2": "x"}}, "fields need a kind"),
        ({"kind": "air_quality", "measurements": {"a": "air_quality"}}, "set one of them"),
        ({"kind": "wether"}, "there are air_quality"),
        ({"sensor": "topic:x"}, "sensor: write a topic level"),
        ({"kind": "air_quality", "fields": {"co2": {"path": "x", "unit": "degC"}}}, "no unit of co2"),
        ({"kind": "air_quality", "fields": {"co3": "x"}}, "no field 'co3'"),
        ({"kind": "air_quality", "fields": {"co2": "x"}, "time": "t"}, "Extra inputs"),
    ],
)
def test_options_that_can_never_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DRIVER.options.model_validate(options)


NAMES = st.text(st.sampled_from('ab ,="éx'), min_size=1, max_size=6).map(str.strip).filter(bool)
VALUES = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(-1e9, 1e9) | st.text(st.sampled_from('a b",=\\'))


@given(NAMES, st.dictionaries(NAMES, NAMES, max_size=3), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3))
def test_what_the_gateways_own_grammar_writes_is_read_back(
    measurement: str, tags: dict[str, str], fields: dict[str, bool | int | float | str]
) -> None:
    point = parse(line_protocol.line(measurement, tags, fields, NOON).decode())
    assert (point.measurement, point.tags, point.fields, point.time) == (measurement, tags, fields, NOON)


@given(st.text(st.sampled_from('ab ,=\\"#12i.e-tT\t'), max_size=30))
def test_no_line_costs_more_than_a_refusal(line: str) -> None:
    try:
        parse(line)
    except NotLineProtocol as error:
        assert str(error)  # noqa: PT017 -- most lines are none, and some are


def test_a_tag_written_as_a_topic_is_told_its_right_form() -> None:
    with pytest.raises(ValidationError, match=r"a tag is written tags\.host"):
        DRIVER.options.model_validate({"sensor": "tag:host"}, context=OWN)
