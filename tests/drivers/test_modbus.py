"""Modbus devices as configured: their registers, and counters that wrap or start again."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.common.modbus_rtu import question, with_crc
from drivers.modbus import DRIVER, Decoder, ModbusOptions
from drivers.modbus.registers import Counter, Register
from gateway.contract import KINDS, Measurement, Quality, Reject

MINUTE = 60 * 10**9
COUNT = {"field": "intensity", "at": 9, "type": "uint32", "counter": True}


def _decoder(*registers: dict[str, Any], kind: str = "traffic", **options: object) -> Decoder:
    said = {"address": 17, "kind": kind, "registers": registers, **options}
    return Decoder(ModbusOptions.model_validate(said))


def _answer(function: int, data: str) -> bytes:
    body = bytes.fromhex(data)
    return with_crc(bytes((17, function, len(body))) + body)


def _one(decoder: Decoder, data: str, now: int = 0, function: int = 3) -> Measurement | Reject:
    (said,) = decoder.feed(_answer(function, data), now)
    return said


def _value(register: dict[str, Any], data: str, kind: str = "air_quality", function: int = 3) -> object:
    said = _one(_decoder({"at": 0, **register}, kind=kind), data, function=function)
    assert isinstance(said, Measurement), said
    return said.fields[register["field"]]


# --- registers


@pytest.mark.parametrize(
    ("register", "data", "value"),
    [
        ({"type": "uint16"}, "FFFF", 65535.0),
        ({"type": "int16"}, "FFFF", -1.0),
        ({"type": "uint32"}, "0001 0002", 65538.0),
        ({"type": "uint32", "low_word_first": True}, "0002 0001", 65538.0),
        ({"type": "int32"}, "FFFF FFFE", -2.0),
        ({"type": "float32"}, "4248 0000", 50.0),
        ({"type": "float32", "low_word_first": True}, "0000 4248", 50.0),
        ({"scale": 0.1, "offset": -40.0}, "0003", -39.7),
        ({"bit": 9}, "0200", 1.0),
        ({"bit": 8}, "0200", 0.0),
    ],
)
def test_a_number_is_read_as_its_type_says(register: dict[str, Any], data: str, value: float) -> None:
    assert _value({"field": "pm25", **register}, data) == value


def test_a_field_has_the_type_of_the_vocabulary() -> None:
    assert _value({"field": "occupied", "bit": 1}, "0002", kind="parking") is True
    assert type(_value({"field": "available_spots", "scale": 1.0}, "0011", kind="parking")) is int
    assert type(_value({"field": "pm25"}, "0011")) is float


@pytest.mark.parametrize("kind", DRIVER.kinds)
def test_every_kind_of_measurement_that_a_device_can_make_can_be_described(kind: str) -> None:
    assert _value({"field": "battery_voltage", "scale": 0.1}, "0078", kind=kind) == 12.0
    assert set(DRIVER.kinds) == set(KINDS) - {"gateway"}


def test_coils_and_discrete_inputs_are_single_bits() -> None:
    occupied = {"field": "occupied", "table": "discrete", "at": 1}
    fault = {"field": "device_error", "table": "discrete", "at": 0}
    decoder = _decoder(occupied, fault, kind="parking")
    assert decoder.poll() == question(17, 2, 0, 2)
    said = _one(decoder, "02", function=2)
    assert said == Measurement("parking", {"device_error": 0, "occupied": True})


@pytest.mark.parametrize("data", ["7FC0 0000", "7F80 0000", "FF80 0000"])
def test_what_is_no_number_is_no_value(data: str) -> None:
    said = _one(_decoder({"field": "pm25", "at": 0, "type": "float32"}, kind="air_quality"), data)
    assert isinstance(said, Reject)
    assert (said.reason, said.detail) == ("range", "pm25: no number")


# --- questions


def test_what_lies_side_by_side_is_asked_for_together_and_the_rest_takes_turns() -> None:
    decoder = _decoder(
        {"field": "intensity", "at": 11},
        {"field": "occupancy", "at": 9, "type": "float32"},
        {"field": "average_vehicle_speed", "at": 20},
        {"field": "device_error", "at": 1, "table": "input"},
    )
    first, second, third = question(17, 3, 9, 3), question(17, 3, 20, 1), question(17, 4, 1, 1)
    assert [decoder.poll() for _ in range(4)] == [first, second, third, first]


def test_no_question_is_longer_than_the_device_takes() -> None:
    registers = [{"field": "intensity", "at": at, "tags": {"lane": str(at)}} for at in range(20)]
    decoder = _decoder(*registers, longest=8)
    assert [decoder.poll() for _ in range(3)] == [
        question(17, 3, 0, 8),
        question(17, 3, 8, 8),
        question(17, 3, 16, 4),
    ]


def test_an_answer_belongs_to_the_last_question_of_its_form() -> None:
    decoder = _decoder({"field": "intensity", "at": 0}, {"field": "occupancy", "at": 5, "scale": 0.01})
    decoder.poll()
    decoder.poll()
    said = _one(decoder, "0032")
    assert isinstance(said, Measurement)
    assert said.fields == {"occupancy": 0.5}


def test_a_late_answer_that_only_one_other_question_can_have_is_taken_for_that_and_else_refused() -> None:
    registers = [
        {"field": "intensity", "at": 0, "type": "uint32"},
        {"field": "occupancy", "at": 5},
        {"field": "device_error", "at": 9},
    ]
    decoder = _decoder(*registers)
    decoder.poll()
    decoder.poll()
    late = _one(decoder, "0000 0007")
    assert isinstance(late, Measurement)
    assert late.fields == {"intensity": 7}
    decoder.poll()
    decoder.poll()
    unclear = _one(decoder, "0007")
    assert isinstance(unclear, Reject)
    assert unclear.reason == "unsupported"


def test_lanes_are_told_apart_by_their_tags() -> None:
    lanes = [{"field": "intensity", "at": at, "tags": {"lane": str(at)}} for at in (0, 1)]
    said = list(_decoder(*lanes).feed(_answer(3, "0003 0009"), 0))
    assert said == [
        Measurement("traffic", {"intensity": 3}, tags={"lane": "0"}),
        Measurement("traffic", {"intensity": 9}, tags={"lane": "1"}),
    ]


# --- counters


def _counted(*shown: int, **settings: object) -> list[int | None]:
    counter = Counter(Register.model_validate({**COUNT, **settings}))
    return [counter.step(one, at * MINUTE)[0] for at, one in enumerate(shown)]


def test_the_first_answer_of_a_counter_gives_nothing_and_the_next_what_was_counted_since() -> None:
    decoder = _decoder(COUNT)
    assert list(decoder.feed(_answer(3, "0000 04D2"), 0)) == []
    said = _one(decoder, "0000 04D9", now=2 * MINUTE)
    assert said == Measurement("traffic", {"period": 120.0, "intensity": 7})


def test_a_counter_begins_again_behind_its_highest_value() -> None:
    assert _counted(0xFFFFFFF0, 5) == [None, 21]
    assert _counted(0xFFF0, 5, type="uint16") == [None, 21]
    assert _counted(9990, 5, highest=9999) == [None, 15]


def test_a_reset_counts_what_is_shown_since_and_is_marked() -> None:
    decoder = _decoder(COUNT)
    list(decoder.feed(_answer(3, "0000 04D2"), 0))
    said = _one(decoder, "0000 0003", now=MINUTE)
    assert said == Measurement("traffic", {"period": 60.0, "intensity": 3}, quality=Quality.INCONSISTENT)


def test_a_short_counter_needs_to_know_how_much_is_too_much() -> None:
    assert _counted(60000, 5, type="uint16") == [None, 5541]
    assert _counted(60000, 5, type="uint16", most=500) == [None, 5]


def test_a_jump_that_neither_counting_nor_a_reset_explains_is_no_count_and_the_next_one_is() -> None:
    assert _counted(100, 70000, 70003, most=500) == [None, None, 3]
    decoder = _decoder({**COUNT, "most": 500})
    list(decoder.feed(_answer(3, "0000 0064"), 0))
    said = _one(decoder, "0001 1170", now=MINUTE)
    assert isinstance(said, Reject)
    assert said.reason == "range"


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 2**16 - 1), st.lists(st.integers(0, 2**15), max_size=20))
def test_counts_add_up_to_what_passed_however_often_the_counter_wraps(begin: int, passed: list[int]) -> None:
    shown = [begin]
    for vehicles in passed:
        shown.append((shown[-1] + vehicles) % 2**16)
    assert _counted(*shown, type="uint16")[1:] == passed


# --- options


@pytest.mark.parametrize(
    ("register", "words"),
    [
        ({"field": "pm2_5"}, "no number and no yes or no is called 'pm2_5'"),
        ({"field": "firmware_version"}, "no number and no yes or no"),
        ({"field": "pm25"}, "'pm25' is no field of 'traffic'"),
        ({"field": "intensity", "counter": True, "type": "float32"}, "a counter is"),
        ({"field": "intensity", "counter": True, "table": "coil"}, "a counter is"),
        ({"field": "intensity", "highest": 9999}, "highest and most belong to a counter"),
        ({"field": "intensity", "bit": 3, "type": "uint32"}, "a bit is one of"),
        ({"field": "intensity", "registers": 3}, "Extra inputs"),
    ],
)
def test_registers_that_make_no_sense_are_refused(register: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        _decoder({"at": 0, **register})


def test_a_field_has_one_place() -> None:
    with pytest.raises(ValidationError, match="'intensity' comes twice with the same tags"):
        _decoder({"field": "intensity", "at": 0}, {"field": "intensity", "at": 1})


def test_no_registers_and_no_address_are_refused() -> None:
    with pytest.raises(ValidationError):
        _decoder()
    with pytest.raises(ValidationError):
        ModbusOptions.model_validate({"kind": "traffic", "registers": [COUNT]})
