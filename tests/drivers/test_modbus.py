"""Modbus devices as configured: their registers, and counters that wrap or start again."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from drivers.common.modbus_rtu import question, with_crc
from drivers.modbus import DRIVER, Decoder, ModbusOptions
from drivers.modbus.blocks import blocks
from drivers.modbus.registers import Counter, Register
from gateway.contract import KINDS, Measurement, Quality, Reject, Remark

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
    assert not isinstance(said, Remark), said
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
        ({"type": "float32", "order": "CDAB"}, "0000 4248", 50.0),
        ({"type": "float32", "order": "BADC"}, "4842 0000", 50.0),
        ({"type": "float32", "order": "DCBA"}, "0000 4842", 50.0),
        ({"type": "uint16", "order": "BA"}, "3412", 0x1234),
        ({"type": "uint64"}, "0000 0001 0002 0003", 0x1_0002_0003),
        ({"type": "int64"}, "FFFF FFFF FFFF FFFE", -2.0),
        ({"type": "int64", "order": "GHEFCDAB"}, "FFFE FFFF FFFF FFFF", -2.0),
        ({"type": "float64"}, "4035 8000 0000 0000", 21.5),
        ({"type": "float64", "order": "CDAB"}, "0000 0000 8000 4035", 21.5),
        ({"type": "float64", "order": "BADC"}, "3540 0080 0000 0000", 21.5),
        ({"type": "float64", "order": "HGFEDCBA"}, "0000 0000 0080 3540", 21.5),
        ({"missing": 0xFFFF}, "FFFE", 65534.0),
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


@pytest.mark.parametrize(
    ("register", "data", "shown"),
    [
        ({"missing": 0xFFFF}, "FFFF", "65535"),
        ({"type": "int16", "missing": 0x8000}, "8000", "-32768"),
        ({"type": "int16", "missing": [-32768, -32767], "scale": 0.1}, "8001", "-32767"),
        ({"type": "float32", "missing": [-9999.0]}, "C61C 3C00", "-9999.0"),
    ],
)
def test_what_means_that_there_is_no_value_is_left_out_and_the_rest_is_read(
    register: dict[str, Any], data: str, shown: str
) -> None:
    decoder = _decoder(
        {"field": "temperature", "at": 0, **register},
        {"field": "pm25", "at": len(data.replace(" ", "")) // 4},
        kind="air_quality",
    )
    said = list(decoder.feed(_answer(3, data + "0007"), 0))
    assert said == [
        Remark("left out", "temperature", f"{shown} means that there is none"),
        Measurement("air_quality", {"pm25": 7.0}),
    ]


@pytest.mark.parametrize(
    ("register", "data", "words"),
    [
        ({"type": "float32"}, "0000 41AC", 'e-41 was never measured: order = "CDAB" would make it 21.5'),
        ({"type": "float32", "low_word_first": True}, "41AC 0000", 'order = "ABCD" would make it 21.5'),
        ({"type": "float32"}, "AC41 0000", ""),
        ({"type": "float64"}, "0000 0000 8000 4035", 'order = "CDAB" would make it 21.5'),
        ({"type": "float32"}, "7F7F FFFF", "3.40282e+38 was never measured: "),
    ],
)
def test_a_float_in_another_order_of_words_is_refused_with_the_order_that_would_do(
    register: dict[str, Any], data: str, words: str
) -> None:
    said = _one(_decoder({"field": "temperature", "at": 0, **register}, kind="air_quality"), data)
    if not words:  # in the other order of bytes it is a number like any other
        assert isinstance(said, Measurement)
        return
    assert isinstance(said, Reject)
    assert said.reason == "range"
    assert words in said.detail


def test_texts_are_read_without_what_fills_them() -> None:
    decoder = _decoder(
        {"field": "serial_number", "at": 0, "type": "string", "length": 4},
        {"field": "firmware_version", "at": 4, "type": "string", "length": 2, "order": "BADC"},
        {"field": "hardware_version", "at": 6, "type": "string", "length": 1},
    )
    said = list(decoder.feed(_answer(3, "534E 2D31 3220 0000 2E31 0035 0000"), 0))
    assert said == [
        Remark("left out", "hardware_version", "'' means that there is none"),
        Measurement("traffic", {"serial_number": "SN-12", "firmware_version": "1.5"}),
    ]


def test_whole_numbers_keep_every_digit_and_one_that_no_database_holds_is_refused() -> None:
    total = {"field": "total_count", "at": 0, "type": "uint64"}
    assert _value(total, "0020 0000 0000 0001", kind="traffic") == 2**53 + 1
    said = _one(_decoder(total), "FFFF FFFF FFFF FFFF")
    assert isinstance(said, Reject)
    assert said.detail == "total_count: no number"


_FORMS = {"uint16": "H", "int16": "h", "uint32": "I", "int32": "i", "uint64": "Q", "int64": "q", "float64": "d"}


@settings(deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(sorted(_FORMS)), st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]))
def test_any_number_in_any_order_comes_back(data: st.DataObject, type_: str, order: str) -> None:
    form = _FORMS[type_]
    bits = 8 * struct.calcsize(form)
    whole = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if type_[0] == "i" else st.integers(0, 2**bits - 1)
    number = data.draw(st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6) if form == "d" else whole)
    words = struct.pack(">" + form, number)
    pairs = [words[at : at + 2] for at in range(0, len(words), 2)]
    if order in ("CDAB", "DCBA"):
        pairs.reverse()
    if order in ("BADC", "DCBA"):
        pairs = [pair[::-1] for pair in pairs]
    register = {"field": "temperature", "type": type_, "order": order}
    assert _value(register, b"".join(pairs).hex()) == float(number)


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


def test_registers_that_no_field_needs_may_lie_between_two_that_are_asked_for_together() -> None:
    registers = [{"field": "intensity", "at": 0}, {"field": "occupancy", "at": 3}, {"field": "device_error", "at": 9}]
    decoder = _decoder(*registers, gap=2)
    assert [decoder.poll() for _ in range(3)] == [question(17, 3, 0, 4), question(17, 3, 9, 1), question(17, 3, 0, 4)]
    decoder.poll()
    decoder.poll()
    assert _one(decoder, "0005 AAAA BBBB 0001") == Measurement("traffic", {"intensity": 5, "occupancy": 1.0})


@settings(deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(["uint16", "uint32", "uint64"])), min_size=1, max_size=40
    ),
    st.integers(4, 125),
    st.integers(0, 125),
)
def test_every_register_is_in_exactly_one_question_and_none_is_too_long(
    places: list[tuple[int, str]], longest: int, gap: int
) -> None:
    registers = [
        Register(field="intensity", at=at, type=type_, tags={"lane": str(index)})
        for index, (at, type_) in enumerate(places)
    ]
    asked = list(blocks(registers, longest, gap))
    assert sorted(one.tags["lane"] for block in asked for one in block.registers) == sorted(
        map(str, range(len(places)))
    )
    for block in asked:
        assert block.number <= longest
        assert all(block.first <= one.at <= block.first + block.number - one.size for one in block.registers)


def test_a_refusal_says_what_was_asked_for() -> None:
    decoder = _decoder(
        {"field": "intensity", "at": 9, "type": "uint32"}, {"field": "device_error", "at": 2, "table": "discrete"}
    )
    for function, code, words in (
        (2, 11, "the gateway before it got no answer from it; asked for discrete input 2"),
        (3, 2, "no such register, or not so many from there on; asked for holding registers 9 to 10"),
    ):
        decoder.poll()
        (said,) = decoder.feed(with_crc(bytes((17, 0x80 | function, code))), 0)
        assert isinstance(said, Reject)
        assert said.detail.endswith(words)


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
        ({"field": "intensity", "order": "ACBD"}, "Input should be 'ABCD', 'CDAB', 'BADC' or 'DCBA'"),
        ({"field": "intensity", "order": "BADC", "low_word_first": True}, 'low_word_first is order = "CDAB"'),
        ({"field": "serial_number", "type": "string"}, "needs its length in registers"),
        ({"field": "intensity", "length": 2}, "length belongs to"),
        ({"field": "intensity", "type": "string", "length": 2}, "no text is called 'intensity'"),
        ({"field": "serial_number"}, "no number and no yes or no is called 'serial_number'"),
        ({"field": "event", "type": "string", "length": 1, "table": "coil"}, "are single bits"),
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
