"""AirGradient: what a monitor says twice, what it leaves out, and hostile messages."""

import json
from typing import Any

import pytest

from drivers.airgradient import AirGradientOptions, Decoder
from gateway.contract import Measurement, Reject

TWICE = {"pm02": 7, "pm02Compensated": 4, "atmp": 26, "atmpCompensated": 24, "rhum": 43, "rhumCompensated": 49}


def _say(options: AirGradientOptions | None = None, **said: Any) -> Measurement | Reject:  # noqa: ANN401 -- JSON may hold anything
    message = json.dumps({"serialno": "abc", **said}).encode()
    (one,) = Decoder(options or AirGradientOptions()).decode("airgradient/readings/abc", message)
    return one


@pytest.mark.parametrize(
    ("climate", "dust", "fields"),
    [(True, False, (7, 24, 0.49)), (False, False, (7, 26, 0.43)), (True, True, (4, 24, 0.49))],
)
def test_of_what_is_said_twice_the_wanted_word_is_taken(climate: bool, dust: bool, fields: tuple[float, ...]) -> None:
    said = _say(AirGradientOptions(compensated_climate=climate, compensated_dust=dust), **TWICE)
    assert isinstance(said, Measurement)
    assert tuple(said.fields[name] for name in ("pm25", "temperature", "relative_humidity")) == fields


def test_counts_are_of_a_decilitre() -> None:
    said = _say(pm003Count=442)
    assert isinstance(said, Measurement)
    assert said.fields["particles_above_03"] == 4.42


def test_a_missing_sensor_is_absent() -> None:
    said = _say(pm02=1)
    assert isinstance(said, Measurement)
    assert set(said.fields) == {"pm25", "serial_number"}


@pytest.mark.parametrize("value", ["x", True, [], {}, "nan"])
@pytest.mark.parametrize("name", ["pm02", "atmpCompensated", "wifi"])
def test_what_is_no_number_is_rejected_by_name(name: str, value: object) -> None:
    said = _say(None, **{name: value})
    assert isinstance(said, Reject)
    assert name in said.detail


@pytest.mark.parametrize("number", ["", None, [], 1.5, "a\x00"])
def test_a_serial_number_that_is_none_is_rejected(number: object) -> None:
    said = _say(pm02=1, serialno=number)
    assert isinstance(said, Reject)
    assert said.reason == "range"
