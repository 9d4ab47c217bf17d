"""What is kept of a refused message comes back as it was, and damage is seen."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.refused import Counted, Entry, Refusal, Resolved, digest
from gateway.refused.block import HEADER_SIZE, Block, LaterBlock, decode, encode, parse_header
from gateway.refused.budget import MOST_WORDS, SERIAL_SHARE, Budget, Counts
from gateway.refused.ranges import Ranges
from gateway.spool import Identity

IDENTITIES = st.builds(Identity, st.integers(0, 2**32 - 1), st.integers(1, 65535), st.integers(0, 2**32 - 1))
REFUSALS = st.builds(
    Refusal,
    source=st.text(),
    topic=st.text(),
    time=st.integers(-(2**62), 2**62),
    raw=st.binary(),
    reason=st.sampled_from(["noise", "range"]),
    words=st.text(),
    boot=st.none() | st.binary(min_size=16, max_size=16),
    device=st.text(),
    size=st.integers(0, 2**30),
    identity=st.none() | IDENTITIES,
    digests=st.lists(st.integers(0, 2**32 - 1)).map(tuple),
    retained=st.booleans(),
)
COUNTS = st.builds(
    Counted,
    st.text(),
    st.text(),
    st.text(),
    st.integers(1, 2**20),
    st.none() | st.integers(),
    st.none(),
    st.lists(IDENTITIES).map(tuple),
)
ENTRIES = st.lists(REFUSALS | COUNTS | st.builds(Resolved, st.integers(0, 2**63), st.text()), max_size=10)


def block_of(raw: bytes) -> Block:
    block = parse_header(raw)
    assert isinstance(block, Block)
    return block


@given(ENTRIES, st.booleans())
def test_entries_come_back_from_a_block_as_they_were(entries: list[Entry], with_group: bool) -> None:
    raw = encode(7, 1000, entries, spool_seq=11, with_group=with_group)
    block = block_of(raw)
    assert list(decode(block, raw[HEADER_SIZE:])) == entries
    kept = [entry for entry in entries if isinstance(entry, Refusal)]
    assert (block.number, block.first, block.end, block.spool_seq) == (7, 1000, 1000 + len(kept), 11)
    assert block.with_group == with_group
    assert block.resolves == any(isinstance(entry, Resolved) for entry in entries)
    assert block.size == len(raw)


@given(ENTRIES, st.data())
def test_no_changed_byte_of_a_block_goes_unseen(entries: list[Entry], data: st.DataObject) -> None:
    raw = bytearray(encode(7, 1000, entries, spool_seq=11, with_group=True))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    block = parse_header(bytes(raw))
    if isinstance(block, Block):
        body = bytes(raw[HEADER_SIZE:])
        try:
            assert list(decode(block, body)) != entries, "only the checksum itself may be what changed"
        except ValueError:
            pass
        else:
            raise AssertionError("a damaged block was read")
    else:
        assert not isinstance(block, LaterBlock)


@given(st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_ranges_hold_what_a_set_would(numbers: set[int], first: int, end: int) -> None:
    ranges = Ranges()
    for number in numbers:
        ranges.add(number)
        ranges.add(number)
    assert [number for number in range(62) if number in ranges] == sorted(numbers)
    assert ranges.count(first, end) == len([number for number in numbers if first <= number < end])
    ranges.forget_below(first)
    assert [number for number in range(62) if number in ranges] == sorted(n for n in numbers if n >= first)


def test_a_million_numbers_in_a_row_cost_one_run() -> None:
    ranges = Ranges()
    for number in range(1000):
        ranges.add(number)
    assert ranges.runs == 1


def test_a_line_with_the_time_of_arrival_is_known_by_the_rest_of_it() -> None:
    assert digest(b"a x=1 5", own_time=False) == digest(b"a x=1 6", own_time=False)
    assert digest(b"a x=1 5", own_time=True) != digest(b"a x=1 6", own_time=True)


def refusal(raw: bytes, source: str = "broker", device: str = "", words: str = "why") -> Refusal:
    return Refusal(source, "t", 5, raw, "noise", words, device=device, size=len(raw))


def test_a_source_that_used_up_its_share_is_counted_until_the_hour_is_over() -> None:
    budget = Budget(10_000)
    assert [budget.admits(refusal(bytes(4000)), now) for now in (0, 1, 2, 3)] == [True, True, False, False]
    assert budget.admits(refusal(bytes(4000), "another"), 3.0)
    assert not budget.admits(refusal(bytes(4000)), 3599.0)
    assert budget.admits(refusal(bytes(4000)), 3600.0)


def test_a_serial_line_has_a_smaller_share() -> None:
    budget = Budget(1 << 30)
    frames = [budget.admits(refusal(bytes(1000), device="gps"), 0.0) for _ in range(100)]
    assert sum(frames) == SERIAL_SHARE // (1000 + 1 + 3 + 100)


def test_what_is_counted_is_told_apart_by_its_words_and_never_by_too_many() -> None:
    counts = Counts()
    for number in range(MOST_WORDS + 50):
        counts.add(refusal(b"", words=f"words {number}"))
        counts.add(refusal(b"", words=f"words {number}"))
    taken = counts.take()
    assert len(taken) == MOST_WORDS + 1
    assert sum(one.count for one in taken) == 2 * (MOST_WORDS + 50)
    assert taken[0].words == "words 0"
    assert (taken[0].first, taken[0].last) == (5, 5)
    assert not counts
