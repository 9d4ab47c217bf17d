"""Lines of text: by columns, by pairs, by a pattern; several in a message; checksums; and what is no such line."""

from typing import Any

import pytest
from pydantic import ValidationError

from drivers.text import DRIVER
from gateway.contract import Measurement, Reject, Remark

CSV = {"kind": "air_quality", "columns": ["temperature", "relative_humidity:%"]}


def say(payload: str | bytes, **options: object) -> list[Measurement | Reject | Remark]:
    given = {"kind": "air_quality", **options}
    decoder: Any = DRIVER.decoder(DRIVER.options.model_validate(given))
    return list(decoder.decode("csv/a-1", payload.encode() if isinstance(payload, str) else payload))


def fields(payload: str | bytes, **options: object) -> list[dict[str, Any]]:
    said = say(payload, **options)
    assert not [one for one in said if isinstance(one, Reject)], said
    return [dict(one.fields) for one in said if isinstance(one, Measurement)]


def refusal(payload: str | bytes, **options: object) -> Reject:
    (said,) = say(payload, **options)
    assert isinstance(said, Reject), said
    return said


def test_a_message_of_lines_to_ignore_says_that_it_is_empty() -> None:
    assert say("# degrees, per cent\n\n#\n", **CSV) == [Remark("empty", "comments only", "# degrees, per cent\n\n#")]
    assert fields("# degrees, per cent\n21.5,55\n", **CSV) == [BOTH]


BOTH = {"temperature": 21.5, "relative_humidity": 0.55}


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("21.5,55", {"columns": ["temperature", "relative_humidity:%"]}),
        (" 21.50 , 55.0 ,\r\n", {"columns": ["temperature", "relative_humidity:%"]}),
        ('"21.5","55"', {"columns": ["temperature", "relative_humidity:%"]}),
        ("21,5;55", {"columns": ["temperature", "relative_humidity:%"], "decimal": ","}),
        ("21.5\t  55", {"columns": ["temperature", "relative_humidity:%"], "separator": " "}),
        ("7,21.5,x,55", {"columns": ["", "temperature", "-", "relative_humidity:%"]}),
        ("21.5,55,and,more", {"columns": ["temperature", "relative_humidity:%", "..."]}),
        ("0021.5 55", {"columns": ["temperature", "relative_humidity:%"], "widths": [6, 3]}),
        ("T=21.5 H=55", {"pattern": "T={temperature} H={relative_humidity:%}"}),
        ("T=21.5 \t H=55\r\n", {"pattern": "T={temperature} H={relative_humidity:%}"}),
        ("air 7: 21.5C/55%", {"pattern": "air {}: {temperature}C/{relative_humidity:%}%"}),
        ("<r><t>21.5</t><h>55</h></r>", {"pattern": "<r><t>{temperature}</t><h>{relative_humidity:%}</h></r>"}),
    ],
)
def test_a_line_is_read_as_the_options_say(line: str, options: dict[str, Any]) -> None:
    assert fields(line, **options) == [BOTH]


@pytest.mark.parametrize(
    "line",
    [
        "t=21.5&h=55",
        "t=21.5 h=55",
        "t:21.5 h:55",
        "t: 21.5, h: 55",
        "t = 21.5; h = 55",
        "id= t=21.5|h=55",
        'name="a b" t="21.5" h=55',
        "h=55\tt=21.5",
    ],
)
def test_pairs_may_be_written_in_many_ways(line: str) -> None:
    wanted = {"temperature": "t", "relative_humidity": {"path": "h", "unit": "%"}}
    assert fields(line, pairs=True, fields=wanted) == [BOTH]


def test_what_stands_between_and_within_pairs_can_be_said() -> None:
    assert fields("t->21.5 // x->1", pairs=True, fields={"temperature": "t"}, separator="//", assign="->") == [
        {"temperature": 21.5}
    ]


def test_the_first_of_two_pairs_of_a_name_counts() -> None:
    assert fields("t=1 t=2", pairs=True, fields={"temperature": "t"}) == [{"temperature": 1.0}]


@pytest.mark.parametrize("line", ["21.5", "21.5,55,7", "21.5;55", "{", "hello"])
def test_another_number_of_columns_is_refused(line: str) -> None:
    assert refusal(line, columns=CSV["columns"]).reason == "noise"


def test_sensor_and_time_may_be_columns() -> None:
    (said,) = say("a-1,1700000000,21.5", columns=["sensor", "time", "temperature"], time_format="s")
    assert said == Measurement("air_quality", {"temperature": 21.5}, "a-1", 1700000000 * 10**9)


def test_a_value_that_makes_no_sense_is_left_out_and_named() -> None:
    left, said = say("21.5,wet", columns=CSV["columns"])
    assert isinstance(left, Remark)
    assert (left.kind, left.what) == ("left out", "relative_humidity")
    assert isinstance(said, Measurement)
    assert said.fields == {"temperature": 21.5}


def test_a_line_of_which_nothing_makes_sense_is_refused() -> None:
    assert refusal("temperature,humidity", columns=CSV["columns"]).reason == "range"


def test_a_message_may_have_several_lines_and_some_say_nothing() -> None:
    assert fields("# degrees\n1,50\n\n2,50\r\n", columns=CSV["columns"])[1]["temperature"] == 2.0
    assert len(fields("1,50\r2,50", columns=CSV["columns"])) == 2


def test_records_may_be_separated_by_something_else_or_by_nothing() -> None:
    assert len(fields("1,50;2,50", columns=CSV["columns"], records=";")) == 2
    wanted = {"temperature": "T", "relative_humidity": {"path": "H", "unit": "%"}}
    assert fields("T=21.5\nH=55\n", pairs=True, fields=wanted, records="") == [BOTH]
    assert fields("21.5\n55\n", columns=CSV["columns"], records="") == [BOTH]


@pytest.mark.parametrize(
    ("line", "kind"), [("21.5*18", "xor"), ("$21.5*18", "xor"), ("21.5*C6", "sum"), ("21.5*zz", "ignore")]
)
def test_a_checksum_is_verified_or_passed_over(line: str, kind: str) -> None:
    pattern = "$" * line.startswith("$") + "{temperature}"
    assert fields(line, pattern=pattern, checksum=kind) == [{"temperature": 21.5}]


def test_the_crc_is_that_of_modbus() -> None:
    assert fields("123456789*4B37", columns=["total_count"], kind="traffic", checksum="crc16") == [
        {"total_count": 123456789}
    ]


@pytest.mark.parametrize("line", ["21.5*19", "21.5", "21.5*", "21.5*no"])
def test_a_wrong_checksum_is_refused(line: str) -> None:
    assert refusal(line, columns=["temperature"], checksum="xor").reason == "checksum"


def test_xml_and_json_are_called_by_their_names() -> None:
    assert "XML" in refusal("<r><t>21.5</t></r>", columns=CSV["columns"]).detail
    assert "XML" in refusal("<r><t>21.5</t></r>", pairs=True, fields={"temperature": "t"}).detail
    assert 'driver = "json"' in refusal('{"t":21.5}', columns=CSV["columns"]).detail


def test_text_in_other_encodings_is_mended_and_said() -> None:
    said = say("21.5,55".encode("utf-16"), columns=CSV["columns"])
    assert {one.kind for one in said if isinstance(one, Remark)} == {"mended"}
    assert isinstance(said[-1], Measurement)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "say how a line is read"),
        ({"columns": ["temperature"], "pairs": True}, "say how a line is read"),
        ({"columns": ["temprature"]}, "no field is taken from 'temprature'"),
        ({"columns": ["", ""]}, "at least one field"),
        ({"pairs": True}, "at least one field"),
        ({"pattern": "T=temperature"}, "a pattern has names in braces"),
        ({"pattern": "T={temperature"}, "a pattern has names in braces"),
        ({"pattern": "{temperature}{pm25}"}, "nothing between them"),
        ({"columns": ["temperature", "pm25"], "widths": [5]}, "1 widths for 2 columns"),
        ({"columns": ["temperature"], "widths": [0]}, "at least one character"),
        ({"columns": ["pm25:%"]}, "%"),
    ],
)
def test_options_that_can_never_work_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DRIVER.options.model_validate({"kind": "air_quality", **options})


def test_a_hostile_line_costs_no_more_than_its_length() -> None:
    for line in ("=" * 200_000, "a " * 100_000, " " * 200_000 + "=", "T=" * 100_000):
        assert not fields_or_nothing(line)


def fields_or_nothing(line: str) -> list[Measurement]:
    wanted = {"temperature": "x"}
    said = say(line, pairs=True, fields=wanted) + say(line, pattern="T={temperature} H={pm25} ", fields={})
    return [one for one in said if isinstance(one, Measurement)]
