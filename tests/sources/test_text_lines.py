"""What a device prints becomes messages, a line each; halves of lines, junk and endless lines do not."""

import pytest

from gateway.contract import Command, Measurement, Reject, Uplink
from gateway.sources.text_lines import LONGEST, SHOWN, SILENCE, Result, TextLines


class Numbers:
    """Takes each message for a temperature, and wants more of what it cannot have on a line."""

    def decode(self, topic: str, payload: bytes) -> list[Measurement | Reject | Uplink | Command]:
        assert topic == ""
        try:
            number = float(payload)
        except ValueError:
            return [Reject("noise", payload, "no number")]
        return [Command("t", b""), Measurement("air_quality", {"temperature": number})]


def run(*chunks: bytes, quiet: int = SILENCE, longest: int = 100) -> list[Result]:
    """Open a line, wait for ``quiet``, and feed the chunks at once."""
    lines = TextLines(Numbers(), longest)
    said = [*lines.feed(b"", 0)]
    for chunk in chunks:
        said += lines.feed(chunk, quiet)
    return [*said, *lines.finish()]


def temperatures(said: list[Result]) -> list[object]:
    return [one.fields["temperature"] if isinstance(one, Measurement) else one for one in said]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r", b"\r\n\r\n", b" \n"])
def test_each_line_is_a_message_whatever_ends_it(end: bytes) -> None:
    assert temperatures(run(b"21.5" + end + b"22" + end)) == [21.5, 22.0]


def test_cutting_the_stream_anywhere_changes_nothing() -> None:
    stream = b"21.5\r\nbad\r\n" + b"9" * 200 + b"\r\n22.5\r\n"
    whole = run(stream)
    assert temperatures(whole)[0] == 21.5
    assert run(*(bytes([byte]) for byte in stream)) == whole
    assert run(stream[:7], stream[7:150], stream[150:]) == whole


def test_the_rest_of_a_line_that_was_going_on_when_the_port_opened_is_no_message() -> None:
    said = run(b"1.50\n21.50\n", quiet=0)
    assert said[0] == Reject("noise", b"1.50", "a line whose beginning was not heard")
    assert temperatures(said)[1:] == [21.5]


def test_a_pause_within_that_rest_does_not_make_it_a_line() -> None:
    lines = TextLines(Numbers(), 100)
    said = [*lines.feed(b"1.", 0), *lines.feed(b"", SILENCE), *lines.feed(b"50\n2.5\n", 3 * SILENCE)]
    assert temperatures(said) == [Reject("noise", b"1.50", "a line whose beginning was not heard"), 2.5]


def test_after_a_silence_the_first_line_is_whole() -> None:
    assert temperatures(run(b"21.50\n")) == [21.5]


def test_an_endless_line_is_refused_once_and_the_next_one_is_read() -> None:
    said = run(b"9" * 5000, b"9" * 5000, b"\n7\n")
    assert said[0] == Reject("length", b"9" * SHOWN, "a line of more than 100 bytes")
    assert temperatures(said)[1:] == [7.0]


def test_no_line_is_longer_than_what_a_small_device_can_print() -> None:
    (said,) = run(b"9" * (LONGEST + 1), longest=10**9)
    assert isinstance(said, Reject)
    assert said.detail == f"a line of more than {LONGEST} bytes"


def test_what_a_device_says_as_it_starts_is_refused_and_counted() -> None:
    said = run(b"\x00\xfe\x80ets Jan  8 2013\r\n21.5\r\n")
    assert isinstance(said[0], Reject)
    assert temperatures(said)[1:] == [21.5]


def test_a_line_without_an_end_is_noise_when_the_port_closes() -> None:
    assert run(b"21.5\n22") == [
        Measurement("air_quality", {"temperature": 21.5}),
        Reject("noise", b"22", "a line without an end"),
    ]


def test_a_line_of_which_nothing_can_come_by_a_line_is_refused_with_its_bytes() -> None:
    class Asks:
        def decode(self, topic: str, payload: bytes) -> list[Measurement | Reject | Uplink | Command]:
            del topic, payload
            return [Command("t", b"")]

    lines = TextLines(Asks(), 100)
    said = [*lines.feed(b"", 0), *lines.feed(b"hello\r\n", SILENCE)]
    assert said == [Reject("unsupported", b"hello", "the driver makes nothing of it")]


def test_nothing_is_sent_to_what_prints_lines() -> None:
    lines = TextLines(Numbers(), 100)
    assert (list(lines.start()), lines.poll()) == ([], b"")
