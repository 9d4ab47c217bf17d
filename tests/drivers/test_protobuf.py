"""Our reader of Protocol Buffers against the official one: what that writes we read, what it refuses we refuse."""

import struct
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.common.protobuf import COUNTED, FIXED32, FIXED64, VARINT, Malformed, Value, key, read, write_varint

EXACT = settings(deadline=None, derandomize=True, max_examples=200)

FIELDS = {"whole": ("UINT64", 1), "fraction": ("DOUBLE", 2), "text": ("STRING", 3), "data": ("BYTES", 4)}
FIELDS |= {"yes": ("BOOL", 5), "small": ("FLOAT", 6), "far": ("UINT64", 536_870_911), "within": ("MESSAGE", 8)}


def _official() -> Any:  # noqa: ANN401 -- a class made at run time
    """Return a message with fields of every way of writing, one of them a message of its own kind."""
    message = DescriptorProto(name="Message")
    for name, (kind, number) in FIELDS.items():
        repeated = FieldDescriptorProto.LABEL_REPEATED
        field = message.field.add(name=name, number=number, label=repeated)
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind}")
        if kind == "MESSAGE":
            field.type_name = ".test.Message"
    file = FileDescriptorProto(name="test.proto", package="test", syntax="proto2", message_type=[message])
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("test.Message"))


OFFICIAL = _official()

SCALARS = {
    "whole": st.lists(st.integers(0, 2**64 - 1), max_size=3),
    "fraction": st.lists(st.floats(), max_size=3),
    "text": st.lists(st.text(max_size=200), max_size=3),
    "data": st.lists(st.binary(max_size=200), max_size=3),
    "yes": st.lists(st.booleans(), max_size=3),
    "small": st.lists(st.floats(width=32), max_size=3),
    "far": st.lists(st.integers(0, 2**64 - 1), max_size=3),
}
MESSAGES = st.recursive(
    st.fixed_dictionaries({}, optional=SCALARS),
    lambda inner: st.fixed_dictionaries({}, optional={**SCALARS, "within": st.lists(inner, max_size=3)}),
    max_leaves=5,
)


def _written(said: dict[str, Any]) -> Any:  # noqa: ANN401 -- of that class
    within = [_written(one) for one in said.get("within", [])]
    return OFFICIAL(**{**said, "within": within})


def _expected(said: dict[str, Any]) -> list[tuple[int, Value]]:
    """Return what is to be read: in the order of the numbers, as everybody writes."""
    expected: list[tuple[int, Value]] = []
    for name, (kind, number) in sorted(FIELDS.items(), key=lambda one: one[1][1]):
        for value in said.get(name, []):
            match kind:
                case "UINT64" | "BOOL":
                    expected.append((key(number, VARINT), int(value)))
                case "DOUBLE":
                    expected.append((key(number, FIXED64), struct.pack("<d", value)))
                case "FLOAT":
                    expected.append((key(number, FIXED32), struct.pack("<f", value)))
                case "MESSAGE":
                    expected.append((key(number, COUNTED), _written(value).SerializeToString()))
                case _:
                    expected.append((key(number, COUNTED), value.encode() if kind == "STRING" else value))
    return expected


@EXACT
@given(MESSAGES)
def test_what_the_official_library_writes_is_read(said: dict[str, Any]) -> None:
    assert read(_written(said).SerializeToString()) == _expected(said)


def _groups(data: bytes) -> bool:
    """Tell whether a group begins where some sound beginning of the data ends."""
    for end in range(len(data)):
        try:
            read(data[:end])
        except Malformed:
            continue
        if data[end] & 7 in (3, 4):
            return True
    return False


def _refused_inside(fields: list[tuple[int, Value]]) -> bool:
    """Tell whether there is something that the official library looks into, and we only when asked to."""
    return any(tag & 7 == COUNTED for tag, _ in fields)


PIECES = st.one_of(
    st.binary(max_size=12),
    MESSAGES.map(lambda said: bytes(_written(said).SerializeToString())),
    st.sampled_from([b"\x08", b"\x12", b"\x22\x02", b"\xff" * 9 + b"\x01", b"\x80" * 4, b"\x00", b"\x35", b"\x11"]),
)


@EXACT
@given(st.lists(PIECES, max_size=4).map(b"".join))
@example(b"\x08" + b"\xff" * 9 + b"\x7f")
@example(b"\x88\x80\x80\x80\x80\x00\x01")
@example(b"\xf8\xff\xff\xff\x0f\x01")
@example(b"\x88\x80\x80\x80\x10\x01")
def test_any_bytes_are_read_or_refused_as_the_official_library_does(data: bytes) -> None:
    """But for groups, which we refuse, and for what is inside of fields."""
    try:
        theirs = OFFICIAL.FromString(data)
    except DecodeError:
        theirs = None
    try:
        ours = read(data)
    except Malformed:
        assert theirs is None or _groups(data)
        return
    if theirs is None:
        assert _refused_inside(ours)
        return
    assert list(theirs.data) == [value for tag, value in ours if tag == key(4, COUNTED)]
    if not any(tag == key(1, COUNTED) for tag, _ in ours):  # several in one field, which no schema of ours has
        assert list(theirs.whole) == [value for tag, value in ours if tag == key(1, VARINT)]


@EXACT
@given(st.integers(0, 2**64 - 1))
def test_a_varint_is_written_as_it_is_read(number: int) -> None:
    assert read(b"\x08" + write_varint(number)) == [(8, number)]
    assert bytes(OFFICIAL(whole=[number]).SerializeToString()) == b"\x08" + write_varint(number)


def test_the_worked_example() -> None:
    assert read(bytes.fromhex("08 96 01")) == [(key(1, VARINT), 150)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x08", id="a key alone"),
        pytest.param(b"\x08\x80", id="a number that does not end"),
        pytest.param(b"\x08" + b"\x80" * 10 + b"\x01", id="a number of eleven bytes"),
        pytest.param(b"\x12\x05ab", id="shorter than it says"),
        pytest.param(b"\x12" + b"\xff" * 9 + b"\x01", id="longer than any memory"),
        pytest.param(b"\x0d\x00\x00", id="four bytes of which there are two"),
        pytest.param(b"\x00\x00", id="field 0"),
        pytest.param(b"\x0b\x0c", id="a group"),
        pytest.param(b"\x0f", id="a way that does not exist"),
    ],
)
def test_what_is_no_message_says_where(data: bytes) -> None:
    with pytest.raises(Malformed, match="byte"):
        read(data)
