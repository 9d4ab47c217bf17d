"""Fields become line protocol in the vocabulary's types, and what is not plausible is marked."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.servers.influx.line_protocol import parse
from firmware_sim.truth.points import StoredPoint
from gateway.contract import VOCABULARY, Field, FieldValue, Quality, field
from gateway.delivery.boot_offsets import restamp
from gateway.ingest.fields import FieldEncoder

ENCODER = FieldEncoder({})
PYTHON = {"float": float, "int": int, "bool": bool, "str": str}


def test_fields_are_sorted_whatever_order_they_come_in() -> None:
    values: dict[str, FieldValue] = {"pm25": 1.5, "pm10": 2.5, "co2": 400.0}
    for names in itertools.permutations(values):
        assert ENCODER.encode({name: values[name] for name in names}) == ("co2=400,pm10=2.5,pm25=1.5", Quality.GOOD)


def test_whoever_invents_orders_of_fields_costs_no_memory() -> None:
    encoder = FieldEncoder({}, max_plans=10)
    for names in itertools.permutations(("pm1", "pm25", "pm10", "co2")):
        assert encoder.encode(dict.fromkeys(names, 1.0))[0] == "co2=1,pm1=1,pm10=1,pm25=1"
        assert len(encoder._plans) <= 10


def test_a_whole_number_under_a_float_field_is_written_as_a_float() -> None:
    assert ENCODER.encode({"pm25": 42}) == ("pm25=42", Quality.GOOD)


def test_a_whole_float_under_an_integer_field_is_written_as_an_integer() -> None:
    assert ENCODER.encode({"intensity": 42.0}) == ("intensity=42i", Quality.GOOD)


def test_truth_and_text_are_written_as_such() -> None:
    text, quality = ENCODER.encode({"occupied": True, "event": 'a "b"'})
    assert (text, quality) == (r'event="a \"b\"",occupied=true', Quality.GOOD)


def test_a_line_break_or_control_in_a_text_becomes_a_space() -> None:
    assert ENCODER.encode({"event": "one\ntwo\rthree\x00\x7f"}) == ('event="one two three  "', Quality.GOOD)


def test_a_name_that_nobody_knows_is_left_out() -> None:
    assert ENCODER.encode({"pm3": 1.0, "pm25": 1.0}) == ("pm25=1", Quality.GOOD)
    assert ENCODER.encode({"pm3": 1.0}) == ("", Quality.GOOD)
    assert ENCODER.encode({}) == ("", Quality.GOOD)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pm25": "12"}, "pm25: '12' is no number"),
        ({"pm25": True}, "pm25: True is no number"),
        ({"pm25": math.nan}, "pm25: line protocol has no nan"),
        ({"pm25": -math.inf}, "pm25: line protocol has no -inf"),
        ({"pm25": 10**400}, "pm25: the number is too large"),
        ({"intensity": 1.5}, "intensity: 1.5 is no whole number"),
        ({"intensity": False}, "intensity: False is no whole number"),
        ({"intensity": "3"}, "intensity: '3' is no whole number"),
        ({"intensity": 2**63}, "intensity: 9223372036854775808 does not fit into 64 bits"),
        ({"intensity": math.inf}, "intensity: inf is no whole number"),
        ({"occupied": 1}, "occupied: 1 is neither true nor false"),
        ({"occupied": "true"}, "occupied: 'true' is neither true nor false"),
        ({"event": 1}, "event: 1 is no text"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_name(fields: dict[str, FieldValue], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("'", "['\"]") + "$"):
        ENCODER.encode(fields)


@pytest.mark.parametrize("value", [-0.1, 2000.1, -(10.0**300)])
def test_what_is_not_plausible_is_marked_and_kept(value: float) -> None:
    text, quality = ENCODER.encode({"pm25": value, "pm10": 1.0})
    assert quality == Quality.OUT_OF_RANGE
    assert float(text.rpartition("=")[2]) == value


@pytest.mark.parametrize("value", [0, 0.0, -0.0, 2000, 2000.0])
def test_the_bounds_themselves_are_plausible(value: float) -> None:
    assert ENCODER.encode({"pm25": value})[1] == Quality.GOOD


def test_a_drivers_own_range_counts_where_it_has_one() -> None:
    encoder = FieldEncoder({"pm25": field("pm25", 0, 999.9)})
    assert encoder.encode({"pm25": 1000.0})[1] == Quality.OUT_OF_RANGE
    assert encoder.encode({"pm10": 1000.0})[1] == Quality.GOOD


def test_a_doubt_in_one_field_stays_whatever_the_next_one_says() -> None:
    assert ENCODER.encode({"co2": -1.0, "pm25": 1.0})[1] == Quality.OUT_OF_RANGE


VALUES = {
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63),
    "int": st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**53), 2**53).map(float),
    "bool": st.booleans(),
    "str": st.text(),
}


@given(
    st.lists(st.sampled_from(sorted(VOCABULARY)), min_size=1, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: VALUES[VOCABULARY[name].type] for name in names})
    )
)
def test_every_field_is_read_back_in_the_vocabularys_type(fields: dict[str, FieldValue]) -> None:
    text, _ = ENCODER.encode(fields)
    (point,) = parse(f"air {text} 1".encode(), 0)
    assert isinstance(point, StoredPoint), point
    assert point.fields.keys() == fields.keys()
    for name, value in point.fields.items():
        assert type(value) is PYTHON[VOCABULARY[name].type] or (
            VOCABULARY[name].type == "float" and value == int(value)
        )
        if VOCABULARY[name].type != "str":
            assert value == float(fields[name]) if VOCABULARY[name].type == "float" else value == fields[name]


@given(st.text())
def test_whatever_a_text_holds_the_line_stays_one_line(text: str) -> None:
    line = f"parking {ENCODER.encode({'event': text})[0]},quality=0i 5\n".encode()
    assert line.count(b"\n") == 1
    assert restamp(line, 0, estimated=False) == line


def test_a_field_of_the_configurations_own_is_written_in_its_type_and_held_to_its_range() -> None:
    own = VOCABULARY.extended(
        [Field("rain", "float", "mm", 0, 500, ("weather",)), Field("wh", "int", "Wh", None, None, ("energy",))]
    )
    encoder = FieldEncoder({}, own)
    assert encoder.encode({"rain": 3, "wh": 12.0}) == ("rain=3,wh=12i", Quality.GOOD)
    assert encoder.encode({"rain": 501.0, "wh": -1}) == ("rain=501,wh=-1i", Quality.OUT_OF_RANGE)
    assert FieldEncoder({}).encode({"rain": 3.0}) == ("", Quality.GOOD)
