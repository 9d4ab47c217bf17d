"""A bare number or word a message: what it is, whose it is, and which words are none."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.value import DRIVER
from gateway.contract import Measurement, Reject, Remark

RELAY = {"kind": "parking", "sensor": "topic:1", "fields": {"occupied": ""}}
HOME = {
    "kind": "air_quality",
    "sensor": "topic:1",
    "name": "topic:2",
    "fields": {"temperature": "temp", "relative_humidity": {"path": "hum", "unit": "%"}},
}


def say(payload: bytes, topic: str = "home/kitchen/temp", **options: object) -> list[Measurement | Reject | Remark]:
    decoder: Any = DRIVER.decoder(DRIVER.options.model_validate({**HOME, **options}))
    return list(decoder.decode(topic, payload))


def fields(payload: bytes, topic: str = "home/kitchen/temp", **options: object) -> dict[str, Any]:
    (said,) = say(payload, topic, **options)
    assert isinstance(said, Measurement), said
    return dict(said.fields)


def refusal(payload: bytes, topic: str = "home/kitchen/temp", **options: object) -> Reject:
    (said,) = say(payload, topic, **options)
    assert isinstance(said, Reject), said
    return said


@pytest.mark.parametrize(
    ("payload", "value"),
    [(b"21.5", 21.5), (b" 21.5\r\n", 21.5), (b"21.", 21.0), (b"-.5", -0.5), (b"2e1", 20.0), (b'"21.5"', 21.5)],
)
def test_a_number_may_be_written_as_people_write_it(payload: bytes, value: float) -> None:
    assert fields(payload) == {"temperature": value}


@pytest.mark.parametrize("payload", [b"", b"nan", b"unavailable", b"1,234", b"21.5 22", b"\xff\x00", b'{"t":21.5}'])
def test_what_is_no_single_number_is_refused(payload: bytes) -> None:
    assert refusal(payload).reason == "noise"


def test_the_topic_says_which_value_it_is_and_whose() -> None:
    (said,) = say(b"55", "home/cellar/hum")
    assert said == Measurement("air_quality", {"relative_humidity": 0.55}, "cellar")


def test_a_topic_that_nothing_is_configured_for_is_named() -> None:
    assert refusal(b"3.3", "home/cellar/volt").detail == "no field is configured for 'volt'"


@pytest.mark.parametrize("word", [b"ON", b"on", b"True", b"yes", b"1"])
def test_the_usual_words_for_yes_are_true_in_any_capitals(word: bytes) -> None:
    assert fields(word, "stat/gate/POWER", **RELAY, name=None) == {"occupied": True}


@pytest.mark.parametrize("word", [b"OFF", b"off", b"False", b"no", b"0"])
def test_the_usual_words_for_no_are_false(word: bytes) -> None:
    assert fields(word, "stat/gate/POWER", **RELAY, name=None) == {"occupied": False}


def test_a_word_that_is_neither_is_refused_and_never_false() -> None:
    assert "TOGGLE" in refusal(b"TOGGLE", "stat/gate/POWER", **RELAY, name=None).detail


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fields": {}}, "at least one field"),
        ({"name": None}, "several fields need name"),
        ({"name": "temp"}, "a level of its topic"),
        ({"sensor": "id"}, "it is a topic level"),
        ({"fields": {"temperature": "t", "co2": "t"}}, "one field only"),
    ],
)
def test_options_that_can_never_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DRIVER.options.model_validate({**HOME, **options})
