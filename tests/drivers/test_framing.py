"""How a byte stream is cut into frames and lines."""

from drivers.common.framing import NOISE_RUN, NOISE_SHOWN, Frames, Lines
from gateway.contract import Reject


def _parse(frame: bytes) -> str | Reject:
    """Read ``$ n text !``, n the length of the whole frame; a capital X in it stands for a wrong sum."""
    if frame[-1:] != b"!":
        return Reject("length", frame)
    if b"X" in frame:
        return Reject("checksum", frame)
    return Reject("unsupported", frame) if b"?" in frame else frame[2:-1].decode("latin-1")


def _length(head: bytes) -> int:
    if len(head) < 2:
        return 0
    size = head[1] - ord("0")
    return size if size >= 3 else -1


def _all(stream: bytes) -> list[str | Reject]:
    frames = Frames((b"$",), 9, _length, _parse)
    return [*frames.feed(stream), *frames.finish()]


def test_frames_are_found_in_noise_and_each_run_of_noise_is_one_reject() -> None:
    said = _all(b"abc$5hi!$4o!de")
    assert [one.raw if isinstance(one, Reject) else one for one in said] == [b"abc", "hi", "o", b"de"]


def test_a_good_frame_inside_a_damaged_one_is_found() -> None:
    said = _all(b"$8aX$4o!")
    assert said == [Reject("checksum", b"$8aX$4o!"), "o"]


def test_the_bytes_of_a_damaged_frame_are_not_noise_as_well() -> None:
    assert _all(b"$5Xi!$5hi!") == [Reject("checksum", b"$5Xi!"), "hi"]


def test_a_sound_frame_that_is_unsupported_is_passed_as_a_whole() -> None:
    assert _all(b"$9?$4o!a!") == [Reject("unsupported", b"$9?$4o!a!")]


def test_a_frame_that_claims_more_than_the_longest_is_none() -> None:
    frames = Frames((b"$",), 6, _length, _parse)
    assert [*frames.feed(b"$9$4o!")] == [Reject("noise", b"$9", "2 bytes that belong to no frame"), "o"]


def test_a_length_that_is_never_told_is_not_waited_for_beyond_the_longest_frame() -> None:
    frames: Frames[bytes] = Frames((b"$",), 6, lambda _: 0, lambda frame: frame)
    assert [*frames.feed(b"$12345"), *frames.feed(b"6" * NOISE_RUN)] == [
        Reject("noise", (b"$12345" + b"6" * NOISE_RUN)[:NOISE_SHOWN], f"{NOISE_RUN} bytes that belong to no frame")
    ]


def test_a_header_cut_by_the_chunk_is_waited_for() -> None:
    frames = Frames((b"$$",), 9, lambda head: 0 if len(head) < 3 else head[2] - ord("0"), lambda frame: frame)
    assert [*frames.feed(b"x$"), *frames.feed(b"$4!")] == [
        Reject("noise", b"x", "1 byte that belongs to no frame"),
        b"$$4!",
    ]


def test_an_unfinished_frame_at_the_end_does_not_hide_a_whole_one() -> None:
    assert _all(b"$9a$4o!")[-1] == "o"


def test_endless_noise_is_told_in_runs_and_shown_in_part() -> None:
    said = _all(b"z" * (2 * NOISE_RUN + 1))
    assert [one.raw for one in said if isinstance(one, Reject)] == [b"z" * NOISE_SHOWN, b"z" * NOISE_SHOWN, b"z"]


def test_lines_end_in_cr_lf_or_both_even_across_chunks() -> None:
    lines = Lines(20)
    assert [*lines.feed(b"one\r"), *lines.feed(b"\ntwo\nthr"), *lines.feed(b"ee\r\rfour")] == [
        b"one",
        b"two",
        b"three",
    ]
    assert [*lines.finish()] == [Reject("noise", b"four", "a line without an end")]


def test_a_line_without_end_is_one_reject_and_the_next_line_is_read() -> None:
    lines = Lines(4)
    said = [*lines.feed(b"12345"), *lines.feed(b"67890" * 100), *lines.feed(b"\nok\n")]
    assert said == [Reject("length", b"1234", "a line of more than 4 bytes"), b"ok"]


def test_in_a_line_that_is_too_long_the_last_beginning_begins_anew() -> None:
    said = [*(lines := Lines(6, b"$")).feed(b"1234567890$ok\n"), *lines.feed(b"$12$45678\n")]
    assert said == [
        Reject("length", b"123456", "a line of more than 6 bytes"),
        b"$ok",
        Reject("length", b"$12", "a line of more than 6 bytes"),
        b"$45678",
    ]
