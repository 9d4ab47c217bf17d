"""Our line protocol is that of InfluxDB's own client, byte for byte, and two parsers read it back."""

import math
import re
import warnings
from collections.abc import Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point

from firmware_sim.servers.influx.line_protocol import LineError, lines, parse
from firmware_sim.truth.points import StoredPoint
from gateway import line_protocol
from gateway.contract import FieldValue
from gateway.line_protocol import Series, SplitLine

TIME = 1_732_281_600_000_000_000
INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)

# Letters that need an escape somewhere are much more frequent here than in the world.
NASTY = st.text(
    st.sampled_from(list("\\\\\\,= \"'#\n\t\ra1é🙂")) | st.characters(exclude_categories=["Cs"]), max_size=12
)
TEXTS = NASTY | st.text(max_size=20)
# InfluxDB skips NUL before a measurement or a field; ours are the vocabulary's names, and have none.
NAMES = TEXTS.filter(lambda text: text and text != "time" and text[0] != "\0")
MEASUREMENTS = NAMES.filter(lambda text: text[0] != "#")
TAGS = st.dictionaries(NAMES, TEXTS, max_size=4)
VALUES = st.booleans() | INT64 | FLOATS | TEXTS
FIELDS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)
TIMES = st.integers(-(2**63) + 2, 2**63 - 2)


def as_read(name: str) -> str:
    """A name as every server reads it: what has no escape was replaced."""
    runs = re.split(r"(\\+)", name)
    for place in range(1, len(runs), 2):
        after = runs[place + 1][:1]
        runs[place] = "/" * len(runs[place]) if after in {"", ",", "=", " ", '"'} else runs[place]
    name = "".join(runs)
    return name.replace("\n", r"\n").replace("\t", r"\t").replace("\r", r"\r")


def can_say(name: str) -> bool:
    """Tell whether a name has an escape at all; the client writes those that have none in a way servers misread."""
    return re.search(r'\\(?=[,= "]|\Z)', name) is None


def by_client(measurement: str, tags: Mapping[str, str], fields: Mapping[str, FieldValue], time: int) -> bytes:
    point = Point(measurement).time(time)
    for key, tag in tags.items():
        point.tag(key, tag)
    for key, value in fields.items():
        point.field(key, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return str(point.to_line_protocol()).encode()


def same(one: FieldValue, other: FieldValue) -> bool:
    """Tell whether two values are equal in type and sign of zero as well."""
    return type(one) is type(other) and repr(one) == repr(other)


@given(MEASUREMENTS.filter(can_say), TAGS, FIELDS, TIMES)
@example("air quality,x", {"a=b,c d": "e=f,g h", "empty": ""}, {"text": 'quote " back \\ end \\'}, TIME)
@example(
    "a", {}, {"big": 2**63 - 1, "small": -(2**63), "max": 1.7976931348623157e308, "tiny": 5e-324, "no": -0.0}, TIME
)
def test_a_line_is_what_the_clients_own_point_writes(
    measurement: str, tags: dict[str, str], fields: dict[str, FieldValue], time: int
) -> None:
    tags = {name: tag for name, tag in tags.items() if can_say(name) and can_say(tag)}
    fields = {name: value for name, value in fields.items() if can_say(name)} or {"one": 1}
    assert line_protocol.line(measurement, tags, fields, time) == by_client(measurement, tags, fields, time)


@given(MEASUREMENTS, TAGS, FIELDS, TIMES)
@example("a\\", {"k\\": "v\\", "l": "v\\\\", "m": "a\\,b\\ c\\=d\\"}, {"f\\": 1, 'g\\"': 2}, TIME)
@example('a"b', {'q"': '"'}, {'f"g': 1, "h": '"', 'i"': 2.0}, TIME)
def test_an_independent_parser_reads_back_every_name_value_and_type(
    measurement: str, tags: dict[str, str], fields: dict[str, FieldValue], time: int
) -> None:
    tags = {as_read(name): tag for name, tag in tags.items()}
    fields = {as_read(name): value for name, value in fields.items()}
    (point,) = parse(line_protocol.line(measurement, tags, fields, time), 0)
    assert isinstance(point, StoredPoint), point
    assert point.measurement == as_read(measurement)
    assert point.tags == {name: as_read(tag) for name, tag in tags.items() if tag}
    assert point.time == time
    assert point.fields.keys() == fields.keys()
    for name, value in fields.items():
        assert same(point.fields[name], value)


@given(MEASUREMENTS, TAGS, FIELDS, TIMES)
@example("a\\", {"k\\": "v\\", "l": "v\\\\", "m": "a\\,b\\ c\\=d\\"}, {"f\\": 1, 'g\\"': 2}, TIME)
@example('a"b', {'q"': '"'}, {'f"g': 1, "h": '"', 'i"': 2.0, "j": 'said "\n'}, TIME)
def test_our_own_parser_reads_back_every_name_value_and_type(
    measurement: str, tags: dict[str, str], fields: dict[str, FieldValue], time: int
) -> None:
    tags = {as_read(name): tag for name, tag in tags.items()}
    fields = {as_read(name): value for name, value in fields.items()}
    point = line_protocol.parse(line_protocol.line(measurement, tags, fields, time))
    assert point is not None
    assert point.measurement == as_read(measurement)
    assert point.tags == {name: as_read(tag) for name, tag in tags.items() if tag}
    assert point.time == time
    assert point.fields.keys() == fields.keys()
    for name, value in fields.items():
        assert same(point.fields[name], value)


@given(MEASUREMENTS, TAGS, FIELDS, TIMES)
def test_the_parts_of_a_line_are_what_it_was_put_together_from(
    measurement: str, tags: dict[str, str], fields: dict[str, FieldValue], time: int
) -> None:
    tags = {as_read(name): tag for name, tag in tags.items()}
    text = line_protocol.line(measurement, tags, fields, time)
    parts = line_protocol.split_line(text)
    assert parts is not None
    assert parts.series == line_protocol.series(measurement, tags)
    assert parts.series + parts.fields + b" %d" % time == text
    assert parts.time == line_protocol.time_of(text) == time
    read = {name: as_read(tag) for name, tag in tags.items() if tag}
    assert line_protocol.parse_series(parts.series) == Series(as_read(measurement), read)
    assert line_protocol.first_key(parts.fields) == as_read(min(fields))


@given(st.lists(st.tuples(TAGS, FIELDS), max_size=6))
@example([({'"': "\\"}, {'a"': 1}), ({}, {"a": 'two\nlines "\\'}), ({}, {"a": 'said "\n'}), ({}, {"b": True})])
def test_split_cuts_a_text_exactly_where_its_lines_were_joined(
    readings: list[tuple[dict[str, str], dict[str, FieldValue]]],
) -> None:
    written = [line_protocol.line("air", tags, fields, TIME) for tags, fields in readings]
    text = b"".join(line + b"\n" for line in written)
    assert line_protocol.split(text) == written
    assert line_protocol.split(text.removesuffix(b"\n")) == written
    assert [line.text.encode() for line in lines(text)] == written


@given(st.binary(max_size=60) | st.text('\\"=, #\na', max_size=30).map(str.encode))
def test_split_loses_no_byte_of_any_text_but_blank_lines_and_comments(text: bytes) -> None:
    def pieces(*texts: bytes) -> list[bytes]:
        every = [piece for one in texts for piece in one.split(b"\n")]
        return [piece for piece in every if piece and not piece.startswith(b"#")]

    assert pieces(*line_protocol.split(text)) == pieces(text)


def test_split_leaves_out_comments_whatever_quotes_they_hold() -> None:
    text = b'# reason="unclosed\nair a=1 1\n\n# another\nair a="# no comment\n# either" 2\n'
    assert line_protocol.split(text) == [b"air a=1 1", b'air a="# no comment\n# either" 2']


@given(st.lists(TEXTS, max_size=6), FIELDS)
def test_the_sensors_of_a_text_are_the_values_of_that_tag_and_nothing_else(
    sensors: list[str], fields: dict[str, FieldValue]
) -> None:
    fields |= {"said": ",sensor=nobody f=1 5", "sensor": "nobody,sensor=nobody"}
    lines = [line_protocol.line("air,sensor=nobody", {"sensor": name}, fields, TIME) for name in sensors]
    text = b"# air,sensor=nobody f=1 5\n" + b"".join(line + b"\n" for line in lines)
    assert line_protocol.sensors_in(text) == {as_read(name) for name in sensors if name}


@given(FIELDS, st.integers(0, 2**32), st.sampled_from([b"", b"air,sensor=a "]))
def test_quality_is_cut_off_where_it_is_the_last_field_and_left_alone_elsewhere(
    fields: dict[str, FieldValue], quality: int, before: bytes
) -> None:
    assume("quality" not in fields)
    others = before + line_protocol.line("m", {}, fields, 0)[2:-2]
    assert line_protocol.split_quality(b"%s,quality=%di" % (others, quality)) == (others + b",quality=", quality)
    assert line_protocol.split_quality(b"%squality=%di" % (before, quality)) == (before + b"quality=", quality)
    assert line_protocol.split_quality(others) is None
    assert line_protocol.split_quality(b"%squality=%di," % (before, quality) + others.removeprefix(before)) is None
    assert line_protocol.split_quality(b"%s,in_quality=%di" % (others, quality)) is None
    assert line_protocol.split_quality(b'%s,said=",quality=%di"' % (others, quality)) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"m f=1 5", ("m", {}, {"f": 1.0}, 5)),
        (
            rb'my\ m\,x,a\=b=c\ d,e=f g=1i,h="x, y=\"z\" \\",i=t,j=-2.5e3,k=F,l=7u -7',
            (
                "my m,x",
                {"a=b": "c d", "e": "f"},
                {"g": 1, "h": 'x, y="z" \\', "i": True, "j": -2500.0, "k": False, "l": 7},
                -7,
            ),
        ),
        (b"m f=1 5\r", ("m", {}, {"f": 1.0}, 5)),
        (b"m f=other,g=1_0i,h=nan 5", ("m", {}, {"f": "other", "g": "1_0i", "h": "nan"}, 5)),
    ],
)
def test_a_line_that_somebody_else_wrote_is_read(
    line: bytes, expected: tuple[str, dict[str, str], dict[str, FieldValue], int]
) -> None:
    assert line_protocol.parse(line) == expected
    assert line_protocol.time_of(line) == expected[3]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"# a comment",
        b"# f=1 5",
        b"m f=1",
        b"m 5",
        b"m 5 5",
        b"m f 5",
        b"m f=1, 5",
        b"m =1 5",
        b"m f=1 5i",
        b"m  f=1 5",
        b"m,t f=1 5",
        b"m,=a f=1 5",
        b",t=a f=1 5",
        b'm f="unclosed 5',
        b'm f="unclosed\\" 5',
        b"m f=1\nn g=1 5",
        b"\xff f=1 5",
        b"m,t=\xff f=1 5",
        b'm f="\xff" 5',
        b"m f=1 9223372036854775808",
        b"m f=1 -9223372036854775809",
    ],
)
def test_what_is_no_line_with_a_time_is_read_as_none(line: bytes) -> None:
    assert line_protocol.parse(line) is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (b"m f=1 -9223372036854775808", -(2**63)),
        (b"m f=1 9223372036854775807", 2**63 - 1),
        (b"m f=1 9223372036854775808", None),
        (b"m f=1 " + b"1" * 5000, None),
        (b"no grammar 5\r", 5),
        (b"m f=1 1_0", None),
        (b"m f=1 +5", None),
        (b"m f=1 ", None),
        ("m f=1 \N{ARABIC-INDIC DIGIT FIVE}".encode(), None),
        (b"5", None),
        (b"", None),
    ],
)
def test_the_time_of_a_line_is_the_number_at_its_end(text: bytes, time: int | None) -> None:
    assert line_protocol.time_of(text) == time


SIZE = 200_000
HOSTILE = [b"\\", b"\\ ", b"\\,", b'"', b'="', b'="\\', b"=", b",", b" ", b"#", b"a", b"a,", b"a=", b',a="', b"\\a"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_run_of_anything_is_read_in_time_that_grows_with_its_length(piece: bytes) -> None:
    """Where it grew with the square, each would take half an hour: 16,000 backslashes once took ten seconds."""
    many = piece * (SIZE // len(piece))
    for text in (many, b"m " + many, b"m f=" + many + b" 5", b"m," + many + b" f=1 5", b'm f="' + many + b'" 5'):
        assert b"".join(line_protocol.split(text)) in {text, b""}
        line_protocol.split_line(text)
        line_protocol.time_of(text)
        line_protocol.parse(text)
        line_protocol.parse_series(text)
        line_protocol.first_key(text)
        line_protocol.split_quality(text)
        line_protocol.sensors_in(text)


@pytest.mark.parametrize("piece", ["\\", "\\a", "\\ ", "\\,", " ", "="])
def test_a_long_run_of_any_name_is_written_in_time_that_grows_with_its_length(piece: str) -> None:
    name = piece * (SIZE // len(piece)) + "x"
    text = line_protocol.line("air", {"sensor": name}, {name: 1, "text": name}, TIME)
    assert line_protocol.sensors_in(text) == {as_read(name)}


def test_the_parts_of_a_line() -> None:
    line = line_protocol.line("air_quality", {"sensor": "s 1", "city": "Koper"}, {"pm25": 12.0, "pm10": 20.5}, TIME)
    assert line == rb"air_quality,city=Koper,sensor=s\ 1 pm10=20.5,pm25=12 1732281600000000000"
    assert line_protocol.split_line(line) == SplitLine(
        rb"air_quality,city=Koper,sensor=s\ 1 ", b"pm10=20.5,pm25=12", TIME
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (1, "1i"),
        (-(2**63), "-9223372036854775808i"),
        (1.0, "1"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (5e-324, "5e-324"),
        ("", '""'),
        ('a "b" \\', r'"a \"b\" \\"'),
        ("two\nlines", '"two\nlines"'),
    ],
)
def test_a_value_as_text(value: FieldValue, text: str) -> None:
    assert line_protocol.value(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**63, -(2**63) - 1])
def test_what_the_protocol_cannot_say_is_refused(value: FieldValue) -> None:
    with pytest.raises(ValueError, match=r"line protocol has no|does not fit"):
        line_protocol.value(value)


def test_a_measurement_that_would_be_a_comment_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot begin with '#'"):
        line_protocol.series("#air", {})


@pytest.mark.parametrize("name", ["a\\", "a\\\\", "a\\,b", "a\\ b", "a\\=b"])
def test_a_backslash_that_servers_would_misread_becomes_a_slash(name: str) -> None:
    (read,) = parse(line_protocol.line("air", {"sensor": name}, {"pm25": 1.0}, TIME), 0)
    assert isinstance(read, StoredPoint)
    assert read.tags["sensor"] == name.replace("\\", "/")


@pytest.mark.parametrize("name", ["a\\\\", "a\\,b", "a\\ b"])
def test_the_clients_own_point_writes_such_a_name_so_that_it_is_misread(name: str) -> None:
    """The reason for the slash; should this fail one day, the client has found an escape, and so can we."""
    (read,) = parse(by_client("air", {"sensor": name}, {"pm25": 1.0}, TIME), 0)
    assert isinstance(read, LineError)
