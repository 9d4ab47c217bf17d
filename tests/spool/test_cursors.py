"""One record a sink: how far it is, what is clock-deferred, and what is in doubt."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import SpoolError
from gateway.spool import Batch, Cursor, Cursors, Deferred, Spool, SpoolSettings, SpoolView
from gateway.spool.cursors import VERSION, Pieces
from gateway.spool.filesystem import OsFilesystem
from gateway.spool.member import MAX_SEQUENCE, Header

A, B = bytes(16), bytes(range(16))

UNTYPED = (
    b'{"next": 100, "front": 900, "held": [{"boot": "000102030405060708090a0b0c0d0e0f", "from": 100, "to": 640, '
    b'"count": 270, "sending": 120}], "sending": 950, "settled": [900, 912], "aside": [900, 1830], '
    b'"boot": "5e1f", "stopped": false, "check": "80e81944"}\n'
)
"""A record as it was before it had a version."""


def header(first: int, count: int = 10, boot: bytes | None = None) -> Header:
    return Header(first, count, 1, 2, boot, length=100, header_length=60, body_check=0, packed=b"")


def deferring(*headers: Header, front: int) -> Cursor:
    cursor = Cursor()
    for one in headers:
        cursor = cursor.with_deferred(one, in_doubt=False)
    return cursor.with_front(front)


def on_disk(directory: Path, content: bytes) -> Cursors:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "influx.json").write_bytes(content)
    return Cursors(OsFilesystem(), directory)


def test_a_new_sink_lacks_everything_and_nothing_is_deferred() -> None:
    cursor = Cursor()
    assert (cursor.front, cursor.next, cursor.deferred_count, cursor.deferred) == (0, 0, 0, ())
    assert cursor.lacks(header(0))


def test_what_is_deferred_is_lacking_and_what_went_ahead_is_not() -> None:
    cursor = deferring(header(0, boot=A), header(20, boot=A), front=40)
    asked = ((0, A), (10, None), (20, A), (30, None))
    assert [cursor.lacks(header(first, boot=boot)) for first, boot in asked] == [True, False, True, False]
    assert cursor.lacks(header(40))
    assert not cursor.lacks(header(0, boot=B))
    assert (cursor.next, cursor.deferred_count) == (0, 20)


def test_what_was_released_is_deferred_no_more() -> None:
    cursor = deferring(header(0, boot=A), header(20, boot=A), front=40).with_released(A, 10, 10)
    assert (cursor.next, cursor.deferred_count) == (10, 10)
    cursor = cursor.with_released(A, 30, 10)
    assert (cursor.next, cursor.deferred_count, cursor.deferred) == (40, 0, ())


def test_doubt_covers_all_that_is_pending_and_nothing_else() -> None:
    cursor = deferring(header(0, boot=A), header(10, boot=B), front=30).in_doubt_below(50)
    assert cursor.in_doubt_to == 50
    assert [one.in_doubt_to for one in cursor.deferred] == [10, 20]
    assert [one.in_doubt_to for one in deferring(header(0, boot=A), front=10).with_doubt(A, 5).deferred] == [5]


numbers = st.integers(0, MAX_SEQUENCE - 1)
boots = st.binary(min_size=16, max_size=16)


@st.composite
def cursors(draw: st.DrawFn) -> Cursor:
    front = draw(st.integers(0, 10**6))
    deferred = []
    for boot in draw(st.sets(boots, max_size=3)):
        first = draw(st.integers(0, max(0, front - 1)))
        end = draw(st.integers(first + 1, first + 1 + front))
        front = max(front, end)
        deferred.append(Deferred(boot, first, end, draw(numbers), draw(numbers)))
    pieces = st.builds(Pieces, numbers, numbers, st.none() | numbers)
    return Cursor(
        front, draw(numbers), tuple(deferred), draw(st.none() | pieces), draw(st.text()), draw(st.booleans())
    )


@given(cursors())
def test_what_is_written_is_read_again(cursor: Cursor) -> None:
    assert Cursor.decode(json.loads(json.dumps(cursor.encode()))) == cursor


def test_the_record_on_disk_is_the_one_that_the_module_describes(tmp_path: Path) -> None:
    cursor = Cursor(900, 950, (Deferred(B, 100, 640, 270, 120),), Pieces(900, 912, 1830), "5e1f", stopped=True)
    made = Cursors(OsFilesystem(), tmp_path)
    made.update("influx", lambda _: cursor)
    written = json.loads((tmp_path / "influx.json").read_bytes())
    assert len(written.pop("check")) == 8
    assert written == {
        "version": 1,
        "next": 100,
        "front": 900,
        "in_doubt_to": 950,
        "deferred": [{"boot": B.hex(), "from": 100, "to": 640, "count": 270, "in_doubt_to": 120}],
        "batch": {"first": 900, "settled_to": 912, "quarantine_bytes": 1830},
        "boot": "5e1f",
        "stopped": True,
    }
    assert Cursors(OsFilesystem(), tmp_path).of("influx") == cursor


def test_an_untyped_record_is_read_and_written_as_a_typed_one(tmp_path: Path) -> None:
    found = on_disk(tmp_path, UNTYPED)
    cursor = found.of("influx")
    assert found.broken == ()
    assert cursor == Cursor(900, 950, (Deferred(B, 100, 640, 270, 120),), Pieces(900, 912, 1830), "5e1f")
    found.update("influx", lambda _: cursor)
    assert json.loads((tmp_path / "influx.json").read_bytes())["version"] == VERSION
    assert Cursors(OsFilesystem(), tmp_path).of("influx") == cursor


@pytest.mark.parametrize(
    ("noted", "pieces"),
    [
        ({}, None),
        ({"settled": [900, 912]}, Pieces(900, 912)),
        ({"aside": [900, 1830]}, Pieces(900, 900, 1830)),
        ({"settled": [800, 850], "aside": [900, 1830]}, Pieces(900, 900, 1830)),
        ({"settled": [900, 912], "aside": [700, 1830]}, Pieces(900, 912)),
        ({"settled": "x", "aside": [900]}, None),
    ],
)
def test_of_an_untyped_record_only_what_is_of_the_batch_at_the_front_is_believed(
    noted: Mapping[str, object], pieces: Pieces | None
) -> None:
    assert Cursor.decode({"next": 900, **noted}).batch == pieces


def deferred(**changed: object) -> dict[str, object]:
    return {"boot": A.hex(), "from": 7, "to": 20, "count": 1, "in_doubt_to": 0, **changed}


@pytest.mark.parametrize(
    "state",
    [
        {"next": 7},
        {"next": 7, "front": 50, "deferred": []},
        {"next": 7, "front": 50, "deferred": [deferred(**{"from": 8})]},
        {"next": 7, "front": 10, "deferred": [deferred()]},
        {"next": 7, "front": 50, "deferred": [deferred(boot="xy")]},
        {"next": 7, "front": 50, "deferred": [{"from": 7}]},
        {"next": 7, "front": 50, "deferred": "x"},
        {"next": 7, "front": None, "deferred": [deferred()]},
        {"next": 7, "front": 2**70, "deferred": [deferred()]},
    ],
)
@pytest.mark.parametrize("typed", [True, False])
def test_a_cursor_that_somebody_moved_or_that_makes_no_sense_sends_again_from_next(
    state: dict[str, Any], typed: bool
) -> None:
    if typed:
        state = {"version": 1, **state}
    elif "deferred" in state:
        held = state["deferred"]
        if isinstance(held, list):
            held = [{"sending" if key == "in_doubt_to" else key: of[key] for key in of} for of in held]
        state = {**{key: state[key] for key in state if key != "deferred"}, "held": held}
    cursor = Cursor.decode(state)
    assert (cursor.front, cursor.deferred) == (7, ())


def test_a_doubt_that_makes_no_sense_is_doubt_of_everything() -> None:
    assert Cursor.decode({"version": 1, "next": 7, "in_doubt_to": "x"}).in_doubt_to == MAX_SEQUENCE
    assert Cursor.decode({"version": 1, "next": 7}).in_doubt_to == 0


KEYS = st.sampled_from(
    ["boot", "from", "to", "count", "in_doubt_to", "sending", "first", "settled_to", "quarantine_bytes"]
)
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12
)


@given(ANYTHING, ANYTHING, st.booleans())
def test_no_state_raises(some: object, other: object, typed: bool) -> None:
    names = ("deferred", "batch") if typed else ("held", "settled")
    state = {"next": 3, "front": 9, names[0]: some, names[1]: other, "boot": other, "stopped": some}
    cursor = Cursor.decode({"version": 1, **state} if typed else state)
    assert cursor.next == 3 or (cursor.front, cursor.deferred) == (3, ())


NEWER = b'{"version": 2, "next": 40, "front": 60, "position": {"of": "a kind that nobody knows yet"}}'


def test_a_record_of_a_newer_version_is_refused_with_a_sentence_and_left_alone(tmp_path: Path) -> None:
    found = on_disk(tmp_path, NEWER)
    assert found.broken == ()
    sentence = found.refused["influx"]
    assert "influx.json is of version 2, and this program knows 1: run the newer program again" in sentence
    with pytest.raises(SpoolError, match="is of version 2"):
        found.update("influx", lambda cursor: cursor)
    assert (tmp_path / "influx.json").read_bytes() == NEWER


def test_what_a_newer_version_says_of_the_position_holds_for_retention_and_numbering(tmp_path: Path) -> None:
    found = on_disk(tmp_path, NEWER)
    assert (found.sinks, found.next("influx"), found.highest()) == (("influx",), 40, 60)


def test_a_sink_with_a_newer_record_has_a_problem_and_status_says_so(tmp_path: Path) -> None:
    on_disk(tmp_path / "spool" / "cursors", NEWER)
    with Spool.open(tmp_path / "spool", SpoolSettings(min_free_bytes=0), sinks=["influx"]) as spool:
        consumer = spool.consumer("influx")
        assert "is of version 2" in consumer.problem
        consumer.mark_in_doubt(A)
        consumer.mark_clean_stop()
        assert [consumer.problem] == SpoolView.look(spool.root).problems
    assert (tmp_path / "spool" / "cursors" / "influx.json").read_bytes() == NEWER


def test_what_went_ahead_of_a_lost_reading_is_not_said_to_be_lost(tmp_path: Path) -> None:
    with Spool.open(tmp_path / "spool", SpoolSettings(min_free_bytes=0), sinks=["influx"]) as spool:
        line = b"a,s=1 n=1i,quality=0i %d\n"
        spool.writer.append(Batch(line % 5, 1, 5, 5, A))
        spool.writer.append(Batch(line % 10**18, 1, 10**18, 10**18))
        spool.consumer("influx").advance(2, [header(0, 1, A)])
        assert [spool.cursors.lacks("influx", found) for found in spool.reader().headers()] == [True, False]
        assert spool.cursors.highest() == 2
        (segment,) = spool.segments
        loss = spool._retention._loss(segment, "max_bytes")
        assert loss is not None
        assert (loss.first, loss.count) == (0, 1)
