"""Raw words and structures: orders of bytes, letters of the layout, and bytes that do not fit."""

import struct
from typing import Any

import pytest
from pydantic import ValidationError

from drivers.struct import DRIVER
from gateway.contract import Measurement, Reject, Remark


def say(payload: bytes, **options: object) -> list[Measurement | Reject | Remark]:
    decoder: Any = DRIVER.decoder(DRIVER.options.model_validate({"kind": "air_quality", **options}))
    return list(decoder.decode("raw/a-1", payload))


def fields(payload: bytes, **options: object) -> dict[str, Any]:
    *remarks, said = say(payload, **options)
    assert isinstance(said, Measurement), said
    assert {one.kind for one in remarks if isinstance(one, Remark)} <= {"doubtful"}  # beyond what the field may be
    return dict(said.fields)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("letter", "value"),
    [("b", -5), ("B", 200), ("h", -300), ("H", 40_000), ("i", -70_000), ("I", 2**31), ("q", -(2**40)), ("d", 0.1)],
)
def test_each_letter_is_a_number_in_either_order(order: str, letter: str, value: float) -> None:
    assert fields(struct.pack(order + letter, value), layout=order + letter, names=["co2"]) == {"co2": value}


@pytest.mark.parametrize("value", [0.1, 21.7, -40.05, 812.3, 1e-5, 16777216.0, 0.0])
def test_a_number_of_32_bits_is_the_decimal_that_was_meant(value: float) -> None:
    assert fields(struct.pack("<f", value), layout="<f", names=["co2"]) == {"co2": value}


def test_what_means_nothing_is_passed_over() -> None:
    data = struct.pack(">2xH8sB?", 812, b"a-1", 7, True)
    options = {"layout": ">2xH8sB?", "names": ["co2", "name", "", "low"], "sensor": "name"}
    (said,) = say(data, **options, fields={"battery_low": "low"})
    assert said == Measurement("air_quality", {"co2": 812.0, "battery_low": True}, "a-1")


def test_several_values_of_one_letter_have_a_name_each() -> None:
    assert fields(struct.pack("<3H", 1, 2, 3), layout="<3H", names=["pm1", "pm25", "pm10"]) == {
        "pm1": 1.0,
        "pm25": 2.0,
        "pm10": 3.0,
    }


@pytest.mark.parametrize(("encoding", "payload"), [("hex", b"2c03"), ("base64", b"LAM="), ("bytes", b"\x2c\x03")])
def test_bytes_may_be_written_in_several_ways(encoding: str, payload: bytes) -> None:
    assert fields(payload, layout="<H", names=["co2"], encoding=encoding) == {"co2": 812.0}


@pytest.mark.parametrize("payload", [b"", b"\x2c", b"\x2c\x03\x00"])
def test_another_length_is_refused(payload: bytes) -> None:
    (said,) = say(payload, layout="<H", names=["co2"])
    assert isinstance(said, Reject)
    assert said.reason == "noise"


def test_bytes_may_follow_where_that_is_allowed() -> None:
    assert fields(b"\x2c\x03\x00", layout="<H", names=["co2"], more=True) == {"co2": 812.0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": "fH", "names": ["pm25", "co2"]}, "begins with < or >"),
        ({"layout": "<fP", "names": ["pm25", "co2"]}, "begins with < or >"),
        ({"layout": "<fH", "names": ["co2"]}, "2 values, and names has 1"),
        ({"layout": "<H", "names": ["x"]}, "no field is taken from 'x'"),
        ({"layout": "<H", "names": [""]}, "at least one field"),
        ({"layout": "<H", "names": ["co2"], "fields": {"pm25": "p"}}, "no value is called 'p'; there are co2"),
    ],
)
def test_options_that_can_never_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DRIVER.options.model_validate({"kind": "air_quality", **options})
