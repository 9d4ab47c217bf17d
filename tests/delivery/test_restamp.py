"""Times since boot become UTC, and nothing else of a line changes."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.servers.influx.line_protocol import parse
from firmware_sim.truth.points import StoredPoint
from gateway import line_protocol
from gateway.contract import Quality
from gateway.delivery.boot_offsets import restamp

HELD = b'# boot 00\nair,sensor=a pm25=1,quality=0i 5\n\nair,sensor=b\\ c event="x 7",quality=3i 6\n'
NAMES = st.text(st.sampled_from("ab ,=\"'é"), min_size=1, max_size=5)


def test_the_offset_is_added_to_every_time_and_comments_are_left_out() -> None:
    expected = b'air,sensor=a pm25=1,quality=0i 105\nair,sensor=b\\ c event="x 7",quality=3i 106\n'
    assert restamp(HELD, 100, estimated=False) == expected


def test_an_estimated_time_is_marked_beside_other_doubts() -> None:
    expected = b'air,sensor=a pm25=1,quality=8i 105\nair,sensor=b\\ c event="x 7",quality=11i 106\n'
    assert restamp(HELD, 100, estimated=True) == expected


def test_marking_twice_is_marking_once() -> None:
    once = restamp(HELD, 0, estimated=True)
    assert restamp(once, 0, estimated=True) == once


def test_a_line_without_quality_keeps_its_fields() -> None:
    assert restamp(b"air pm25=1 5\n", 1, estimated=True) == b"air pm25=1 6\n"


def test_a_text_that_looks_like_quality_is_left_alone() -> None:
    line = b'parking event="quality=1i 3",quality=0i 5\n'
    assert restamp(line, 1, estimated=True) == b'parking event="quality=1i 3",quality=8i 6\n'


def test_the_last_line_may_lack_its_end() -> None:
    assert restamp(b"air pm25=1,quality=0i 5", 1, estimated=False) == b"air pm25=1,quality=0i 6\n"


def test_quality_in_another_place_and_a_line_without_a_time_are_left_alone() -> None:
    text = b"air quality=1i,pm25=1 5\nair pm25=1\n"
    assert restamp(text, 1, estimated=True) == b"air quality=1i,pm25=1 6\nair pm25=1\n"


def test_nothing_gives_nothing() -> None:
    assert restamp(b"", 1, estimated=False) == b""


@given(
    st.lists(st.tuples(NAMES, st.integers(0, 31), st.integers(0, 2**62)), max_size=5),
    st.integers(-(2**61), 2**61),
    st.booleans(),
)
def test_only_time_and_quality_change(readings: list[tuple[str, int, int]], offset: int, estimated: bool) -> None:

    lines = [
        line_protocol.series("air", {"sensor": name})
        + f"event={line_protocol.value(name)},quality={bits}i {at}\n".encode()
        for name, bits, at in readings
    ]
    points = list(parse(restamp(b"".join(lines), offset, estimated=estimated), 0))
    assert len(points) == len(readings)
    for point, (name, bits, at) in zip(points, readings, strict=True):
        assert isinstance(point, StoredPoint)
        assert point.tags == {"sensor": name}
        assert point.time == at + offset
        marked = bits | Quality.ESTIMATED_TIME if estimated else bits
        assert point.fields == {"event": name, "quality": int(marked)}
