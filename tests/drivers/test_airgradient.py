"""AirGradient: what a monitor says twice, what it leaves out, and hostile messages."""

import json
from typing import Any

import pytest

from drivers.airgradient import AirGradientOptions, Decoder
from gateway.contract import Measurement, Reject, Remark

TWICE = {"pm02": 7, "pm02Compensated": 4, "atmp": 26, "atmpCompensated": 24, "rhum": 43, "rhumCompensated": 49}


def _say(options: AirGradientOptions | None = None, **said: Any) -> Measurement | Reject:  # noqa: ANN401 -- JSON may hold anything
    message = json.dumps({"serialno": "abc", **said}).encode()
    one, *_ = Decoder(options or AirGradientOptions()).decode("airgradient/readings/abc", message)
    assert isinstance(one, Measurement | Reject)
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


@pytest.mark.parametrize("number", [[], 1.5, "a\x00"])
def test_a_serial_number_that_is_none_is_rejected(number: object) -> None:
    said = _say(pm02=1, serialno=number)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@pytest.mark.parametrize("message", [{"serialno": ""}, {"serialno": None}, {"wifi": -60}])
def test_without_a_serial_number_the_topic_names_the_monitor(message: dict[str, object]) -> None:
    said = json.dumps({"pm02": 4, **message}).encode()
    one, *_ = Decoder(AirGradientOptions()).decode("airgradient/readings/kit7", said)
    assert isinstance(one, Measurement)
    assert (one.sensor, one.fields["pm25"]) == ("kit7", 4.0)


def test_a_message_with_nothing_of_a_monitor_is_not_ours() -> None:
    (said,) = Decoder(AirGradientOptions()).decode("airgradient/readings/kit7", b'{"wifi":-60,"voltage":3}')
    assert isinstance(said, Reject)
    assert said.reason == "noise"


def test_counts_above_every_size_are_read() -> None:
    said = _say(pm003Count=600, pm005Count=400, pm01Count=30, pm02Count=20, pm50Count=10, pm10Count=0)
    assert isinstance(said, Measurement)
    counts = {name: value for name, value in said.fields.items() if name.startswith("particles")}
    sizes = {"03": 6.0, "05": 4.0, "1": 0.3, "25": 0.2, "5": 0.1, "10": 0.0}
    assert counts == {f"particles_above_{size}": value for size, value in sizes.items()}


def test_raw_dust_never_stands_in_for_compensated_dust() -> None:
    message = json.dumps({"serialno": "abc", "pm02": 6.67, "rco2": 611}).encode()
    said, remark = Decoder(AirGradientOptions(compensated_dust=True)).decode("airgradient/readings/abc", message)
    assert isinstance(said, Measurement)
    assert "pm25" not in said.fields
    assert remark == Remark("left out", "pm02", "without pm02Compensated")


def test_a_monitor_that_compensated_once_never_gives_its_inside() -> None:
    decoder = Decoder(AirGradientOptions())

    def temperatures(**said: float) -> list[object]:
        message = json.dumps({"serialno": "abc", "pm02": 1, **said}).encode()
        told = decoder.decode("airgradient/readings/abc", message)
        return [one.fields.get("temperature") for one in told if isinstance(one, Measurement)]

    assert temperatures(atmp=26.5) == [26.5]
    assert temperatures(atmp=26.5, atmpCompensated=24.0) == [24.0]
    assert temperatures(atmp=26.5) == [None]


def test_an_inside_temperature_is_said_to_be_one() -> None:
    message = json.dumps({"serialno": "abc", "pm02": 1, "atmp": 26.5}).encode()
    _, remark = Decoder(AirGradientOptions()).decode("airgradient/readings/abc", message)
    assert isinstance(remark, Remark)
    assert (remark.kind, remark.what) == ("doubtful", "atmp")


@pytest.mark.parametrize(("name", "code"), [("rco2", -2), ("pm01", -1), ("atmp", -1000), ("rhum", -1)])
def test_an_error_code_is_left_out_and_costs_nothing_else(name: str, code: int) -> None:
    message = json.dumps({"serialno": "abc", "pm02": 3, name: code}).encode()
    said, remark, *_ = Decoder(AirGradientOptions(compensated_climate=False)).decode(
        "airgradient/readings/abc", message
    )
    assert isinstance(said, Measurement)
    assert said.fields == {"pm25": 3.0, "serial_number": "abc"}
    assert remark == Remark("left out", name, f"{code} stands for no value")
