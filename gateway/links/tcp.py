"""A serial line behind a TCP port, as serial servers give it (ser2net, USR, Moxa): its bytes and nothing else."""

import errno
import socket
from contextlib import suppress
from typing import Protocol

from gateway.errors import LinkDown, LinkRefused
from gateway.links.line_settings import NetworkPort

READ_SIZE = 4096
CONNECT_WITHIN = 5.0
"""Seconds."""

IDLE, BETWEEN, PROBES = 15, 5, 3
"""Seconds of silence before the kernel asks whether the other side is there, between its questions, and how many."""
GIVE_UP = IDLE + BETWEEN * PROBES
"""Seconds after which a server that vanished without a word is given up."""

_CUT = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN})
_WORDS = {
    errno.ECONNREFUSED: "nothing listens there: is it the right port, and does another program hold its only line?",
    errno.EHOSTUNREACH: "no way to it: is it switched on, and in this network?",
    errno.ENETUNREACH: "no way to it: is this machine in a network?",
}


class TcpPort:
    """An open connection; see `gateway.links.serial.Port`."""

    @property
    def pending(self) -> bool:
        """Whether bytes that were taken have not gone out yet: never, here."""
        return False

    def __init__(self, connected: socket.socket, device: str) -> None:
        self.device = device
        self._socket = connected
        self._heard = False

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """Return what has come; b"" once the server has closed."""
        data = self._socket.recv(READ_SIZE)
        self._heard = self._heard or bool(data)
        return data

    def write(self, data: bytes) -> int:
        """Return how much the kernel took."""
        return self._socket.send(data)

    def why_ended(self, error: OSError | None) -> str:
        """Return what it means that reading or writing ended like this."""
        if error is None and not self._heard:
            return "it closed the connection before it said anything: does another program hold its line?"
        if error is None:
            return "it closed the connection"
        if error.errno in _CUT:
            return f"no answer for {GIVE_UP} s: the network is cut, or it lost power"
        return f"the connection is lost: {error.strerror or error}"

    def shared(self) -> str:
        """Say who else reads there: that cannot be seen."""
        return ""

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class Framing(Protocol):
    """How bytes stand on the network; ``ValueError`` says what cannot be framed, or does not have this form."""

    def encode(self, data: bytes) -> bytes: ...  # noqa: D102 -- the protocol's docstring says it
    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what the bytes mean, and what is to be answered to them."""


class FramedPort(TcpPort):
    """An open connection whose bytes are framed; see `gateway.links.serial.Port`."""

    def __init__(self, connected: socket.socket, device: str, framing: Framing) -> None:
        super().__init__(connected, device)
        self._framing = framing
        self._out = b""

    @property
    def pending(self) -> bool:
        """Whether a part of what was framed has not gone out yet."""
        return bool(self._out)

    def read(self) -> bytes:
        """Return what has come; raises ``BlockingIOError`` where that means nothing yet."""
        received = super().read()
        if not received:
            return b""
        try:
            data, answer = self._framing.decode(received)
        except ValueError as error:
            raise LinkRefused(f"{self.device}: {error}") from None
        if answer:
            self._out += answer
            with suppress(BlockingIOError):
                self._flush()
        if not data:
            raise BlockingIOError
        return data

    def write(self, data: bytes) -> int:
        """Take all of ``data``, once what was framed before is out."""
        self._flush()
        if data:
            try:
                self._out = self._framing.encode(data)
            except ValueError as error:
                raise LinkRefused(f"{self.device}: {error}") from None
            with suppress(BlockingIOError):
                self._flush()
        return len(data)

    def _flush(self) -> None:
        while self._out:
            self._out = self._out[super().write(self._out) :]


def connect(where: NetworkPort) -> socket.socket:
    """Connect, and have the kernel notice when the other side vanishes; blocks. Raises `LinkDown`."""
    try:
        opened = socket.create_connection((where.host, where.port), timeout=CONNECT_WITHIN)
    except TimeoutError as error:
        words = f"no answer within {CONNECT_WITHIN:g} s: is it switched on, and the address right?"
        raise LinkDown(f"{where}: {words}") from error
    except socket.gaierror as error:
        raise LinkDown(f"{where}: no such host: {error.strerror}") from error
    except OSError as error:
        raise LinkDown(f"{where}: {_WORDS.get(error.errno or 0) or error.strerror or error}") from error
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, BETWEEN)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
    # While something is unacknowledged the kernel does not ask, it repeats: for a quarter of an hour without this.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GIVE_UP * 1000)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def open_tcp(where: NetworkPort) -> TcpPort:
    """Open a line of a serial server; blocks. Raises `LinkDown`."""
    opened = connect(where)
    opened.setblocking(False)
    return TcpPort(opened, str(where))
