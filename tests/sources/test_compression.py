"""Messages are unpacked within bounds; what is packed in another way than the source says is told, never guessed."""

import gzip
import zlib

import pytest

from gateway.contract import Reject
from gateway.sources.compression import Compression, looks_like, unpack

PLAIN = b'{"t":21.5,"h":63,"name":"a station"}'
BOTH: tuple[Compression, ...] = ("gzip", "zlib")
PACKED = {"gzip": gzip.compress(PLAIN, mtime=0), "zlib": zlib.compress(PLAIN)}


@pytest.mark.parametrize("kind", BOTH)
def test_what_is_packed_is_unpacked_as_set_or_by_itself(kind: Compression) -> None:
    assert unpack(PACKED[kind], kind, 1000) == PLAIN
    assert unpack(PACKED[kind], "auto", 1000) == PLAIN


def test_what_is_not_packed_is_taken_as_it_is_only_with_auto() -> None:
    assert unpack(PLAIN, "auto", 1000) == PLAIN
    assert unpack(b"", "auto", 1000) == b""
    assert unpack(PLAIN, "gzip", 1000) == Reject("noise", b"", 'not compressed with gzip: set compression = "auto"')


def test_the_other_compression_is_named() -> None:
    said = unpack(PACKED["zlib"], "gzip", 1000)
    assert said == Reject("noise", b"", 'zlib in place of gzip: set compression = "zlib"')


def test_members_one_after_the_other_and_zeros_behind_them_are_one_message() -> None:
    assert unpack(gzip.compress(b"[1,") + gzip.compress(b"2]") + bytes(20), "gzip", 10) == b"[1,2]"


@pytest.mark.parametrize("kind", BOTH)
def test_no_more_is_unpacked_than_the_longest_message(kind: Compression) -> None:
    bomb = (gzip if kind == "gzip" else zlib).compress(bytes(50_000_000))
    assert unpack(bomb, kind, 1000) == Reject("length", b"", f"{kind} of more than 1000 bytes")
    edge = (gzip if kind == "gzip" else zlib).compress(bytes(1000))
    assert unpack(edge, kind, 1000) == bytes(1000)


def test_many_small_members_are_bounded_as_one_is() -> None:
    assert unpack(gzip.compress(bytes(400)) * 3, "gzip", 1000) == Reject(
        "length", b"", "gzip of more than 1000 bytes"
    )


@pytest.mark.parametrize("kind", BOTH)
def test_what_is_cut_short_is_refused_by_its_length_and_what_is_damaged_by_its_checksum(kind: Compression) -> None:
    packed = PACKED[kind]
    cut = unpack(packed[:-3], kind, 1000)
    assert cut == Reject("length", b"", f"{kind} that is cut short")
    damaged = unpack(packed[:-4] + bytes(4), kind, 1000)
    assert isinstance(damaged, Reject)
    assert damaged.reason == "checksum"


@pytest.mark.parametrize(
    "text", [PLAIN, b"x^ is no zlib header", b"8 degrees and more", b"H\x89 nearly", b"", b"21.5"]
)
def test_text_does_not_look_packed(text: bytes) -> None:
    assert looks_like(text) is None
