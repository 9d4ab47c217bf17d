"""A socket for paho that asks the kernel seldom.

paho reads a packet in three pieces, the first two of one byte, and writes each acknowledgement by itself: four system
calls a message. `GatheringSocket` stands between: it reads 64 KiB at a time and hands out what is asked for, and it
gathers what is sent until `flush`. It is what paho calls a ``SocketLike``, as its own WebSocket wrapper is.
"""

import socket
import ssl
from contextlib import suppress
from typing import Protocol

from gateway.links.mqtt.packets import Message, parse_publish

READ_SIZE = 65536

_ESTABLISHED = 1
"""The first byte of Linux's ``struct tcp_info``: TCP_ESTABLISHED."""


class SocketLike(Protocol):
    """What bytes go through: a socket, or a WebSocket on one."""

    def recv(self, length: int, /) -> bytes: ...  # noqa: D102 -- as a socket's
    def send(self, data: bytes | bytearray, /) -> int: ...  # noqa: D102 -- the same


class GatheringSocket:
    """Wraps a connected socket, plain or TLS, once it does not block any more; ``framed`` is a WebSocket on it."""

    def __init__(self, wrapped: socket.socket, framed: SocketLike | None = None) -> None:
        self._socket = wrapped
        self._framed = framed or wrapped
        self._in = b""
        self._position = 0
        self._out = bytearray()
        self._ended = False

    @property
    def waiting(self) -> bool:
        """Tell whether something that was read has not been taken yet."""
        return self._position < len(self._in) or self._ended

    @property
    def established(self) -> bool:
        """Tell whether the kernel still takes the connection for whole: neither side has ended or given it up."""
        return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED

    def fill(self) -> bool:
        """Read what the kernel has, if all that was read before is taken; False where there is nothing now."""
        if self.waiting:
            return True
        try:
            self._in = self._framed.recv(READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        self._position = 0
        self._ended = not self._in
        return True

    def take_publish(self, *, v5: bool) -> Message | None:
        """Take the message that is next, if it has come whole; see `parse_publish`."""
        if self._position >= len(self._in):
            return None
        parsed = parse_publish(self._in, self._position, v5=v5)
        if parsed is None:
            return None
        message, self._position = parsed
        return message

    def recv(self, buffer_size: int) -> bytes:
        """Return up to ``buffer_size`` bytes; b"" at the end; ``BlockingIOError`` when nothing has come."""
        start = self._position
        if start >= len(self._in):
            if self._ended:
                return b""
            if not self.fill():
                raise BlockingIOError
            start = self._position
        taken = self._in[start : start + buffer_size]
        self._position = start + len(taken)
        return taken

    def send(self, buffer: bytes | bytearray) -> int:
        """Take everything; it goes out with the next `flush`."""
        self._out += buffer
        return len(buffer)

    def flush(self) -> bool:
        """Send what was gathered; True when all of it is out. Raises ``OSError`` when the connection is gone."""
        while self._out:
            try:
                sent = self._framed.send(self._out)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            del self._out[:sent]
        return True

    def close(self) -> None:
        """Close the connection, after a last `flush`: a DISCONNECT is gathered like everything else."""
        with suppress(OSError):
            self.flush()
        self._out.clear()
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """Set the wrapped socket; gathering is meant for one that does not block."""
        self._socket.setblocking(flag)
