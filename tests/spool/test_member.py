import gzip
import shutil
import subprocess
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.spool import MAX_IDENTITIES, Batch, Header, Identity, Member, MemberDamaged, decode_member, encode_member
from gateway.spool.member import FIXED, Damaged, Incomplete, Newer, encode_group, parse_header, read_member

LINE = b"air_quality,city=koper,sensor=aq-7 pm10=12.3,pm25=7.1,quality=0i 1732281600000000000\n"
BOOT = bytes(range(16))

int64 = st.integers(-(2**63), 2**63 - 1)
identities = st.lists(
    st.builds(
        Identity,
        st.sampled_from([0, 7, 0xFFFFFFFF]),
        st.integers(0, 65535) | st.sampled_from([1, 2, 3, 4, 5]),
        st.integers(0, 2**32 - 1),
    ),
    max_size=50,
)


def batch(count: int = 3, *, boot: bytes | None = None, packets: int = 0) -> Batch:
    packed = [Identity(1, n + 1, n * 7919) for n in range(packets)]
    return Batch(LINE * count, count, 5, 9, boot, packed)


def whole(raw: bytes, offset: int = 0) -> Member:
    member = read_member(raw, offset)
    assert isinstance(member, Member)
    return member


@given(
    lines=st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=20),
    first=st.integers(0, 2**63 - 30),
    times=st.tuples(int64, int64).map(sorted),
    boot=st.none() | st.binary(min_size=16, max_size=16),
    packets=identities,
    level=st.sampled_from([1, 6]),
)
def test_what_is_encoded_is_decoded_again(
    *,
    lines: list[bytes],
    first: int,
    times: list[int],
    boot: bytes | None,
    packets: list[Identity],
    level: int,
) -> None:
    text = b"".join(line + b"\n" for line in lines)
    raw = encode_member(Batch(text, len(lines), times[0], times[1], boot, packets), first, level=level)
    member = whole(b"before" + raw + b"after", 6)
    header = member.header
    assert member.raw == raw
    assert (header.first, header.count, header.end) == (first, len(lines), first + len(lines))
    assert (header.t_min, header.t_max, header.boot, header.length) == (*times, boot, len(raw))
    by_source = {packet.source: [p for p in packets if p.source == packet.source] for packet in packets}
    assert list(header.identities()) == [packet for group in by_source.values() for packet in group]
    assert decode_member(raw).endswith(text)
    assert gzip.decompress(raw) == decode_member(raw)
    if boot is None:
        assert decode_member(raw) == text


def test_a_member_without_utc_times_says_so_in_a_comment() -> None:
    text = decode_member(encode_member(batch(boot=BOOT), 0))
    first, rest = text.split(b"\n", 1)
    assert first.startswith(b"# ")
    assert b"CLOCK_BOOTTIME" in first
    assert BOOT.hex().encode() in first
    assert rest == LINE * 3


def test_zcat_and_gzip_read_several_members_as_one_text() -> None:
    zcat = shutil.which("zcat")
    assert zcat
    members = [encode_member(batch(n, packets=n, boot=BOOT if n == 2 else None), n * 10) for n in range(1, 5)]
    segment = b"".join(members)
    printed = subprocess.run([zcat], input=segment, capture_output=True, check=True)
    assert printed.stderr == b""
    assert printed.stdout == gzip.decompress(segment) == b"".join(map(decode_member, members))


@pytest.mark.parametrize("kind", ["plain", "boot", "mqtt"])
def test_every_prefix_of_a_member_reads_as_incomplete(kind: str) -> None:
    raw = encode_member(batch(boot=BOOT if kind == "boot" else None, packets=9 if kind == "mqtt" else 0), 77)
    for length in range(len(raw)):
        result = read_member(raw[:length])
        assert isinstance(result, Incomplete), length
        assert length < result.needed <= len(raw)


@pytest.mark.parametrize("kind", ["plain", "boot", "mqtt"])
def test_every_single_flipped_bit_is_detected(kind: str) -> None:
    raw = encode_member(batch(boot=BOOT if kind == "boot" else None, packets=9 if kind == "mqtt" else 0), 77)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not isinstance(read_member(bytes(flipped)), Member), bit
        with pytest.raises(MemberDamaged):
            decode_member(bytes(flipped))


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_make_the_parser_raise(data: bytes, begins_well: bool) -> None:
    raw = FIXED + data if begins_well else data
    assert isinstance(read_member(raw), Incomplete | Damaged)


@settings(max_examples=50)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_overwritten_bytes_never_pass_for_a_member(offset: int, data: bytes) -> None:
    raw = bytearray(encode_member(batch(20, packets=20), 5))
    before = bytes(raw)
    raw[offset % len(raw) : offset % len(raw) + len(data)] = data
    if bytes(raw[: len(before)]) != before:
        assert not isinstance(read_member(bytes(raw)), Member)


def test_header_alone_is_enough_to_step_over_a_member() -> None:
    raw = encode_member(batch(packets=3), 5)
    size = len(raw) - 1
    header = parse_header(raw[:size])
    assert isinstance(header, Header)
    assert header.length == len(raw)


def of_version(raw: bytes, version: int) -> bytes:
    """Return a member as a program of another version would write it."""
    changed = bytearray(raw)
    changed[20] = version
    check = zlib.crc32(bytes(changed[20:58]), zlib.crc32(bytes(changed[:16])))
    changed[16:20] = check.to_bytes(4, "little")
    return bytes(changed)


def test_a_member_of_a_later_version_is_told_from_damage() -> None:
    raw = encode_member(batch(), 5)
    assert parse_header(of_version(raw, 3)) == Newer(3)
    assert read_member(of_version(raw, 3)) == Newer(3)
    with pytest.raises(MemberDamaged, match="version"):
        decode_member(of_version(raw, 3))
    assert isinstance(parse_header(of_version(raw, 0)), Damaged)


def test_a_member_of_the_first_version_is_read() -> None:
    raw = encode_member(batch(), 5)
    member = read_member(of_version(raw, 1))
    assert isinstance(member, Member)
    assert (member.header.first, member.header.continues, member.header.parked) == (5, False, False)


def test_a_group_is_a_run_of_members_that_name_their_place_in_it() -> None:
    parked = replace(batch(2), parked=True)
    raws = encode_group([batch(3), batch(1), parked], 5)
    headers = [whole(raw).header for raw in raws]
    assert [(one.first, one.end) for one in headers] == [(5, 8), (8, 9), (9, 11)]
    assert [(one.began_before, one.continues) for one in headers] == [(False, True), (True, True), (True, False)]
    assert [one.parked for one in headers] == [False, False, True]
    [alone] = encode_group([batch(1)], 0)
    assert alone == encode_member(batch(1), 0)
    with pytest.raises(ValueError, match="at least one"):
        encode_group([], 0)


def test_consecutive_packet_identifiers_cost_four_bytes_each() -> None:
    one, many = (len(encode_member(batch(packets=n), 0)) for n in (1, 1001))
    assert many - one == 4 * 1000


def test_the_most_identities_fit_even_when_none_follow_each_other() -> None:
    packets = [Identity(n, 60000 - 2 * n % 50000, n) for n in range(MAX_IDENTITIES)]
    raw = encode_member(Batch(LINE, 1, 0, 0, BOOT, packets), 0)
    assert whole(raw).header.identities() == tuple(packets)
    assert gzip.decompress(raw).endswith(LINE)
    with pytest.raises(ValueError, match="identities"):
        encode_member(Batch(LINE, 1, 0, 0, None, [*packets, Identity(1, 1, 1)]), 0)


@pytest.mark.parametrize(
    "wrong",
    [
        Batch(b"", 0, 0, 0),
        Batch(LINE.rstrip(), 1, 0, 0),
        Batch(LINE, 2, 0, 0),
        Batch(LINE, 1, 1, 0),
        Batch(LINE, 1, 0, 0, b"short"),
        Batch(b"x" * (16 * 1024 * 1024) + b"\n", 1, 0, 0),
    ],
    ids=["empty", "no newline", "miscounted", "times", "boot", "too long"],
)
def test_a_batch_that_breaks_its_rules_is_refused(wrong: Batch) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        encode_member(wrong, 0)


def test_the_same_packet_has_the_same_identity_and_another_content_has_not() -> None:
    known = Identity.of("broker", 7, "a/b", b"21.5")
    assert known == Identity.of("broker", 7, "a/b", b"21.5")
    others = [
        Identity.of("other", 7, "a/b", b"21.5"),
        Identity.of("broker", 8, "a/b", b"21.5"),
        Identity.of("broker", 7, "a/c", b"21.5"),
        Identity.of("broker", 7, "a/b", b"21.6"),
    ]
    assert known not in others
