"""What a sink lacks below its front, as its cursor says it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.spool import Batch, Progress, Spool, SpoolSettings
from gateway.spool.member import Header

A, B = bytes(16), bytes(range(16))


def header(first: int, count: int = 10, boot: bytes | None = None) -> Header:
    return Header(first, count, 1, 2, boot, length=100, header_length=60, body_check=0, packed=b"")


def test_a_new_sink_lacks_everything_and_nobody_waits() -> None:
    progress = Progress({})
    assert (progress.front, progress.lowest, progress.count, progress.boots) == (0, 0, 0, [])
    assert progress.lacks(header(0))


def test_what_waits_is_lacking_and_what_went_ahead_is_not() -> None:
    progress = Progress({"next": 0})
    progress.hold(header(0, boot=A), unsure=False)
    progress.hold(header(20, boot=A), unsure=False)
    progress.front = 40
    assert [
        progress.lacks(header(first, boot=boot)) for first, boot in ((0, A), (10, None), (20, A), (30, None))
    ] == [
        True,
        False,
        True,
        False,
    ]
    assert progress.lacks(header(40))
    assert not progress.lacks(header(0, boot=B))
    assert (progress.lowest, progress.count) == (0, 20)


def test_it_outlasts_a_restart() -> None:
    progress = Progress({"next": 0})
    progress.hold(header(0, boot=A), unsure=False)
    progress.hold(header(10, boot=B), unsure=False)
    progress.front = 30
    progress.boots[1].sending = 20
    again = Progress({"next": progress.lowest, **progress.state(), "sending": 30})
    assert (again.front, again.boots) == (progress.front, progress.boots)


def test_what_was_sent_waits_no_more() -> None:
    progress = Progress({"next": 0})
    progress.hold(header(0, boot=A), unsure=False)
    progress.hold(header(20, boot=A), unsure=False)
    progress.front = 40
    progress.sent(progress.boots[0], 10, 10)
    assert (progress.lowest, progress.count) == (10, 10)
    progress.sent(progress.boots[0], 30, 10)
    assert (progress.lowest, progress.count, progress.boots) == (40, 0, [])


@pytest.mark.parametrize(
    "state",
    [
        {"next": 7},
        {"next": 7, "front": 50, "held": []},
        {"next": 7, "front": 50, "held": [{"boot": A.hex(), "from": 8, "to": 20, "count": 1, "sending": 0}]},
        {"next": 7, "front": 10, "held": [{"boot": A.hex(), "from": 7, "to": 20, "count": 1, "sending": 0}]},
        {"next": 7, "front": 50, "held": [{"boot": "xy", "from": 7, "to": 20, "count": 1, "sending": 0}]},
        {"next": 7, "front": 50, "held": [{"from": 7}]},
        {"next": 7, "front": 50, "held": "x"},
        {"next": 7, "front": None, "held": [{"boot": A.hex(), "from": 7, "to": 20, "count": 1, "sending": 0}]},
    ],
)
def test_a_cursor_that_somebody_moved_or_that_makes_no_sense_sends_again_from_next(state: dict[str, object]) -> None:
    progress = Progress(state)
    assert (progress.front, progress.boots) == (7, [])


KEYS = st.sampled_from(["boot", "from", "to", "count", "sending"])
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=12
)


@given(ANYTHING)
def test_no_state_raises(held: object) -> None:
    progress = Progress({"next": 3, "front": 9, "held": held})
    assert progress.lowest == 3 or (progress.front, progress.boots) == (3, [])


def test_what_went_ahead_of_a_lost_reading_is_not_said_to_be_lost(tmp_path: Path) -> None:
    with Spool.open(tmp_path / "spool", SpoolSettings(min_free_bytes=0), sinks=["influx"]) as spool:
        line = b"a,s=1 n=1i,quality=0i %d\n"
        spool.writer.append(Batch(line % 5, 1, 5, 5, A))
        spool.writer.append(Batch(line % 10**18, 1, 10**18, 10**18))
        progress = Progress({"next": 0})
        progress.hold(header(0, 1, A), unsure=False)
        progress.front = 2
        spool.cursors.save("influx", progress.lowest, extra=progress.state())
        assert [spool.cursors.lacks("influx", found) for found in spool.reader().headers()] == [True, False]
        assert spool.cursors.highest() == 2
        (segment,) = spool.segments
        loss = spool._retention._loss(segment, "max_bytes")
        assert loss is not None
        assert (loss.first, loss.count) == (0, 1)
