"""The socket that paho reads and writes through, over a real socket pair."""

import socket
import ssl
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.links.mqtt.buffered_socket import READ_SIZE, GatheringSocket


@pytest.fixture
def ends() -> Iterator[tuple[GatheringSocket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    gathering = GatheringSocket(near)
    yield gathering, far
    gathering.close()
    far.close()


class Scripted(socket.socket):
    """A socket whose `recv` and `send` do what they are told, one after the other."""

    def __init__(self, *outcomes: bytes | int | Exception) -> None:
        super().__init__()
        self.outcomes = list(outcomes)
        self.calls = 0
        self.sent = b""

    def recv(self, size: int, flags: int = 0, /) -> bytes:  # noqa: ARG002 -- the socket's own signature
        outcome = self._next()
        assert isinstance(outcome, bytes)
        return outcome

    def send(self, data: object, flags: int = 0, /) -> int:  # noqa: ARG002 -- the same
        count = self._next()
        assert isinstance(count, int)
        assert isinstance(data, bytearray)
        self.sent += data[:count]
        return count

    def _next(self) -> bytes | int:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def test_a_packet_read_in_pieces_costs_one_system_call() -> None:
    with Scripted(b"\x30\x05hello") as wrapped:
        gathering = GatheringSocket(wrapped)
        assert [gathering.recv(1), gathering.recv(1), gathering.recv(5)] == [b"\x30", b"\x05", b"hello"]
        assert wrapped.calls == 1


def test_nothing_there_raises_as_a_socket_does(ends: tuple[GatheringSocket, socket.socket]) -> None:
    gathering, far = ends
    with pytest.raises(BlockingIOError):
        gathering.recv(1)
    assert not gathering.fill()
    far.send(b"x")
    assert gathering.fill()
    assert gathering.waiting
    assert gathering.recv(10) == b"x"
    assert not gathering.waiting


def test_the_end_comes_after_everything_before_it_and_stays(ends: tuple[GatheringSocket, socket.socket]) -> None:
    gathering, far = ends
    far.send(b"last words")
    far.close()
    assert gathering.fill()
    assert gathering.recv(5) == b"last "
    assert gathering.recv(50) == b"words"
    for _ in range(2):
        assert gathering.fill(), "the end is something that waits to be taken"
        assert gathering.recv(1) == b""


def test_what_waits_is_not_overwritten_by_the_next_read(ends: tuple[GatheringSocket, socket.socket]) -> None:
    gathering, far = ends
    far.send(b"first")
    gathering.fill()
    far.send(b"second")
    assert gathering.fill()
    assert gathering.recv(100) == b"first"
    assert gathering.recv(100) == b"second"


def test_sent_things_go_out_together_with_the_flush() -> None:
    with Scripted(8) as wrapped:
        gathering = GatheringSocket(wrapped)
        assert gathering.send(b"\x40\x02\x00\x01") == 4
        assert gathering.send(bytearray(b"\x40\x02\x00\x02")) == 4
        assert wrapped.calls == 0
        assert gathering.flush()
        assert (wrapped.calls, wrapped.sent) == (1, b"\x40\x02\x00\x01\x40\x02\x00\x02")
        assert gathering.flush()
        assert wrapped.calls == 1


@pytest.mark.parametrize("busy", [BlockingIOError(), ssl.SSLWantWriteError(), ssl.SSLWantReadError()])
def test_a_full_kernel_keeps_the_rest_for_later_in_order(busy: Exception) -> None:
    with Scripted(3, busy, 1, busy, 2) as wrapped:
        gathering = GatheringSocket(wrapped)
        gathering.send(b"abcde")
        assert not gathering.flush()
        gathering.send(b"f")
        assert not gathering.flush()
        assert gathering.flush()
        assert wrapped.sent == b"abcdef"


@pytest.mark.parametrize("busy", [BlockingIOError(), ssl.SSLWantWriteError(), ssl.SSLWantReadError()])
def test_tls_that_wants_something_first_is_no_end(busy: Exception) -> None:
    with Scripted(busy, b"data") as wrapped:
        gathering = GatheringSocket(wrapped)
        assert not gathering.fill()
        assert gathering.recv(4) == b"data"


def test_closing_sends_what_was_gathered_where_that_is_possible(
    ends: tuple[GatheringSocket, socket.socket],
) -> None:
    gathering, far = ends
    gathering.send(b"goodbye")
    gathering.close()
    gathering.close()
    assert far.recv(100) == b"goodbye"
    assert far.recv(100) == b""


def test_a_lost_connection_is_told_at_the_flush(ends: tuple[GatheringSocket, socket.socket]) -> None:
    gathering, far = ends
    far.close()
    gathering.send(b"too late")
    with pytest.raises(OSError, match="pipe"):
        gathering.flush()


@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(1, 9), max_size=400))
def test_any_sizes_of_reading_give_the_same_bytes(data: bytes, sizes: list[int]) -> None:
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    with Scripted(*pieces) as wrapped:
        gathering = GatheringSocket(wrapped)
        taken = b"".join(gathering.recv(size) for size in sizes[: len(pieces)])
        while len(taken) < len(data):
            taken += gathering.recv(READ_SIZE)
        assert taken == data
