"""The strict reader of line protocol, against a tiny writer of the test's own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.servers.influx.line_protocol import LineError, lines, parse
from firmware_sim.truth.points import StoredPoint, Value

NOW = 1_700_000_000_123_456_789


def written(point: StoredPoint) -> bytes:
    def value(of: Value) -> str:
        match of:
            case bool():
                return "true" if of else "false"
            case int():
                return f"{of}i"
            case float():
                return repr(of)
            case str():
                return '"' + of.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def name(of: str, special: str = "[, =]") -> str:
        return re.sub(special, lambda found: "\\" + found[0], of)

    tags = "".join(f",{name(key)}={name(of)}" for key, of in point.tags.items())
    fields = ",".join(f"{name(key)}={value(of)}" for key, of in point.fields.items())
    return f"{name(point.measurement, '[, ]')}{tags} {fields} {point.time}".encode()


# What line protocol can carry: a name has no newline, and no backslash at its end or before what is escaped.
special = st.sampled_from('\\",= #ab')
names = st.text(special | st.characters(exclude_categories=["Cs"], exclude_characters="\n\0\t"), min_size=1).filter(
    lambda text: not re.search(r'\\(?:[, ="]|\Z)', text) and text != "time" and text[0] != " "
)
measurements = names.filter(lambda text: text[0] not in ",#")
values = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(special | st.characters(exclude_categories=["Cs"]))
)
points = st.builds(
    StoredPoint,
    measurements,
    st.dictionaries(names, names, max_size=3),
    st.dictionaries(names, values, min_size=1, max_size=4),
    st.integers(-(2**63) + 2, 2**63 - 2),
)


def one(line: str | bytes, precision: str = "ns") -> StoredPoint | LineError:
    text = line if isinstance(line, bytes) else line.encode()
    (outcome,) = parse(text, NOW, precision)
    return outcome


def error(line: str | bytes) -> LineError:
    outcome = one(line)
    assert isinstance(outcome, LineError), outcome
    return outcome


@given(st.lists(points, max_size=5))
def test_what_is_written_is_read_with_values_and_types(batch: list[StoredPoint]) -> None:
    read = list(parse(b"\n".join(map(written, batch)), NOW))
    assert read == batch
    for before, after in zip(batch, read, strict=True):
        assert isinstance(after, StoredPoint)
        assert [type(value) for value in after.fields.values()] == [type(value) for value in before.fields.values()]


@given(points, st.binary(max_size=40).filter(lambda junk: b'"' not in junk))
def test_a_bad_line_takes_no_other_with_it(point: StoredPoint, junk: bytes) -> None:
    text = b"bad\n" + junk.replace(b"\\", b"").replace(b"\n", b"") + b"\n" + written(point) + b"\nbad"
    outcomes = list(parse(text, NOW))
    assert isinstance(outcomes[0], LineError)
    assert outcomes[-2] == point
    assert isinstance(outcomes[-1], LineError)


@given(st.binary())
def test_no_bytes_raise(junk: bytes) -> None:
    for outcome in parse(junk, NOW):
        assert isinstance(outcome, StoredPoint | LineError)
        if isinstance(outcome, LineError):
            assert 1 <= outcome.column <= len(outcome.text) + 1


@given(st.binary())
def test_cutting_into_lines_loses_nothing(junk: bytes) -> None:
    text = "\n".join(line.text for line in lines(junk)).encode("utf-8", "surrogateescape")
    assert text == junk.removesuffix(b"\n") or text == junk


@pytest.mark.parametrize(
    ("line", "tags", "fields"),
    [
        (r"m\,1,t\ 1=a\=b f=1", {"t 1": "a=b"}, {"f": 1.0}),
        (r"m\,1,t=a\\b,u=c\d f=1", {"t": r"a\\b", "u": r"c\d"}, {"f": 1.0}),
        (r'm\,1,t="a" "f"=1', {"t": '"a"'}, {'"f"': 1.0}),
        (r'm\,1 s="a, b=c d\\",t="\"",u=""', {}, {"s": "a, b=c d\\", "t": '"', "u": ""}),
        ('m\\,1 s="one\ntwo",f=2i', {}, {"s": "one\ntwo", "f": 2}),
        (r"m\,1,t=🚗 s=" + '"🍭"', {"t": "🚗"}, {"s": "🍭"}),
        (r"m\,1 a=t,b=T,c=true,d=True,e=TRUE", {}, dict.fromkeys("abcde", True)),
        (r"m\,1 a=f,b=F,c=false,d=False,e=FALSE", {}, dict.fromkeys("abcde", False)),
        (r"m\,1 a=1,b=-1.5,c=.5,d=1.,e=1e-9,g=-0i", {}, {"a": 1.0, "b": -1.5, "c": 0.5, "d": 1.0, "e": 1e-9, "g": 0}),
        (r"m\,1 a=9223372036854775807i,b=18446744073709551615u", {}, {"a": 2**63 - 1, "b": 2**64 - 1}),
        (r"   m\,1   f=1   ", {}, {"f": 1.0}),
    ],
)
def test_a_line_by_hand_is_read_as_the_reference_says(
    line: str, tags: dict[str, str], fields: dict[str, Value]
) -> None:
    assert one(line) == StoredPoint("m,1", tags, fields, NOW)


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("m", 2, "missing fields"),
        ("m ", 3, "missing fields"),
        (",t=a f=1", 1, "missing measurement"),
        ("m, f=1", 3, "missing tag key"),
        ("m,t f=1", 4, "missing tag value"),
        ("m,t= f=1", 5, "missing tag value"),
        ("m,t=a=b f=1", 6, "invalid tag format"),
        ("m,t=a,t=b f=1", 7, "duplicate tags"),
        ("m,time=1 f=1", 3, 'invalid tag key: "time"'),
        ("m time=1", 3, 'invalid field name: "time"'),
        ("m =1", 3, "missing field key"),
        ("m f= 5", 5, "missing field value"),
        ("m f 5", 4, "invalid field format"),
        ("m f=1,,g=2", 7, "invalid field format"),
        ("m f=1,f=2", 7, "the same field twice, of which InfluxDB keeps the last"),
        ('m f="a 5', 5, "unbalanced quotes"),
        ('m f="a"b 5', 8, "text after the closing quote"),
        ("m f=NaN", 5, "invalid number"),
        ("m f=+1", 5, "invalid number"),
        ("m f=1.5i", 5, "invalid number"),
        ("m f=1e400", 5, "invalid number"),
        ("m f=9223372036854775808i", 5, "invalid number"),
        ("m f=18446744073709551616u", 5, "invalid number"),
        ("m f=\u0661", 5, "invalid boolean"),
        ("m f=truE", 5, "invalid boolean"),
        ("m f=1 5.5", 7, "bad timestamp"),
        ("m f=1 5 6", 7, "bad timestamp"),
        ("m f=1 5\r", 7, "bad timestamp"),
        ("m f=1 9223372036854775807", 7, "time outside range -9223372036854775806 - 9223372036854775806"),
        ("m,t=a\\\\ f=1", 7, "two backslashes before a separator, which servers read differently"),
        ("m\\\\,t=a f=1", 3, "two backslashes before a separator, which servers read differently"),
        ("m f\\\\=1", 5, "two backslashes before a separator, which servers read differently"),
        (b"m,t=\xff f=1", 5, "not UTF-8"),
    ],
)
def test_an_error_names_its_place_and_reason(line: str | bytes, column: int, reason: str) -> None:
    found = error(line)
    assert (found.line, found.column, found.reason) == (1, column, reason)


def test_an_error_quotes_its_line_and_counts_the_lines_within_strings() -> None:
    first, second = parse(b'm s="a\nb" 1\n\n# fine\nm f=oops 2\n', NOW)
    assert first == StoredPoint("m", {}, {"s": "a\nb"}, 1)
    assert str(second) == "line 5, column 5: invalid boolean: 'm f=oops 2'"


def test_an_unclosed_string_takes_the_rest_as_it_does_in_influxdb() -> None:
    first, second = parse(b'm f=1 1\nm s="a\nm f=2 2\n', NOW)
    assert first == StoredPoint("m", {}, {"f": 1.0}, 1)
    assert isinstance(second, LineError)
    assert second.text == 'm s="a\nm f=2 2\n'


def test_blank_lines_and_comments_give_nothing() -> None:
    assert list(parse(b'\n   \n# m f=1\n  # it\'s "quoted", a=1\n\n', NOW)) == []


@pytest.mark.parametrize("comment", ['# x="y', '# "a=b"', '# p, q=r s=t "u', "# ends in a backslash\\"])
def test_a_comment_that_would_take_points_with_it_is_an_error_and_the_points_are_read(comment: str) -> None:
    first, second = parse(f"{comment}\nm f=1 1".encode(), NOW)
    assert isinstance(first, LineError)
    assert second == StoredPoint("m", {}, {"f": 1.0}, 1)


@pytest.mark.parametrize(("precision", "unit"), [("ns", 1), ("us", 1000), ("ms", 10**6), ("s", 10**9)])
def test_timestamps_count_in_the_stated_precision(precision: str, unit: int) -> None:
    stated, missing = one("m f=1 7", precision), one("m f=1", precision)
    assert isinstance(stated, StoredPoint)
    assert isinstance(missing, StoredPoint)
    assert (stated.time, missing.time) == (7 * unit, NOW // unit * unit)
