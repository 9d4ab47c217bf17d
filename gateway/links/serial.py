"""One serial line, opened exclusively and read by the event loop.

A `Line` lives from opening to unplugging; for the next attempt make a new one. Opening blocks, and runs in a thread;
once it is open, bytes are read from its descriptor, so nothing here ever blocks the loop. A port that vanishes shows
as an end of file, as EIO or as ENXIO, depending on its driver, a serial server behind a network as an end or a
timeout: all are `LinkDown`.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.errors import LinkDown
from gateway.links import ports
from gateway.links.line_settings import NetworkPort, SerialSettings
from gateway.links.tty import open_tty

MAX_BUFFERED = 65536
"""Bytes kept for a reader that is busy; beyond it the rest stays in the kernel's buffer."""
SEND_PATIENCE = 10.0
"""Seconds after which a port that takes no byte is given up: an adapter may hang."""


class Port(Protocol):
    """An open port: it never blocks, and says so by ``BlockingIOError``."""

    device: str
    """The path that was opened, or the url."""

    @property
    def pending(self) -> bool:
        """Whether bytes that it took have not gone out yet."""

    def fileno(self) -> int:
        """Return the descriptor to watch."""

    def read(self) -> bytes:
        """Return what has come; b"" once it is gone. Raises ``OSError``, or `LinkDown` for what it understood."""

    def write(self, data: bytes) -> int:
        """Return how much it took; with nothing to write, send what is pending."""

    def why_ended(self, error: OSError | None) -> str:
        """Return what it means that reading or writing ended like this."""

    def shared(self) -> str:
        """Say who else reads there; "" where that is nobody, or cannot be seen. Blocks."""

    def close(self) -> None:
        """Give it back."""


class Line:
    """One open port: `open`, then `receive` and `send` until one raises `LinkDown`, then `close`.

    ``resolve`` finds the path of the port, anew at each opening: an adapter may come back under another name.
    """

    def __init__(
        self,
        settings: SerialSettings,
        resolve: Callable[[str], str] = ports.resolve,
        *,
        send_patience: float = SEND_PATIENCE,
    ) -> None:
        self.device = ""
        """The path that was opened, or the url."""
        self._settings = settings
        self._resolve = resolve
        self._send_patience = send_patience
        self._loop = asyncio.get_running_loop()
        self._port: Port | None = None
        self._fd = -1
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._ended: LinkDown | None = None
        self._reading = False
        self._writable = asyncio.Event()
        self._writing = False

    async def open(self) -> None:
        """Open and set up the port; `LinkDown` when it is not there, `LinkRefused` when it is not ours to open."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        try:
            port, early = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        self._port = port
        self.device = port.device
        self._buffer += early
        self._fd = port.fileno()
        self._start_reading()

    async def receive(self, timeout: float) -> bytes:  # noqa: ASYNC109 -- silence is a result here, not an error
        """Return what came, waiting up to ``timeout`` seconds for it; b"" when nothing came.

        Raises `LinkDown` once the port is gone and everything that came before is taken.
        """
        if not self._buffer and self._ended is None:
            self._arrived.clear()
            waiter = self._loop.call_later(timeout, self._arrived.set)
            try:
                await self._arrived.wait()
            finally:
                waiter.cancel()
        if not self._buffer and self._ended is not None:
            raise self._ended
        data = bytes(self._buffer)
        self._buffer.clear()
        self._start_reading()
        return data

    async def send(self, data: bytes) -> None:
        """Write a command; waits while the port is busy, and raises `LinkDown` when that does not end."""
        while data or (self._port is not None and self._port.pending):
            if self._ended is not None or self._port is None:
                raise self._ended or LinkDown(_CLOSED_BY_US)
            try:
                data = data[self._port.write(data) :]
            except BlockingIOError:
                await self._until_writable()
            except OSError as error:
                self._end(error)

    async def shared(self) -> str:
        """Say who else has the port open, and so may take bytes from us; "" where it is ours alone."""
        return "" if self._port is None else await asyncio.to_thread(self._port.shared)

    def close(self) -> None:
        """Give the port back. Safe at any moment, and twice; a `receive` or `send` under way ends."""
        self._stop(LinkDown(_CLOSED_BY_US))
        if self._port is not None:
            self._port.close()
            self._port = None

    def _open(self) -> tuple[Port, bytes]:
        """Open the port; returns it, and what came while it was set up."""
        settings = self._settings
        where = NetworkPort.parse(settings.port)
        if where is None:
            return open_tty(settings, self._resolve), b""
        if where.scheme == "rfc2217":
            from gateway.links.rfc2217 import open_rfc2217  # noqa: PLC0415 -- a line of our own does not pay for it

            return open_rfc2217(where, settings)
        if where.scheme == "modbus":
            from gateway.links.modbus_tcp import open_modbus  # noqa: PLC0415 -- the same

            return open_modbus(where), b""
        from gateway.links.tcp import open_tcp  # noqa: PLC0415 -- the same

        return open_tcp(where), b""

    def _readable(self) -> None:
        assert self._port is not None
        try:
            data = self._port.read()
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        except LinkDown as error:
            self._stop(error)
            return
        if not data:
            self._end(None)
            return
        self._buffer += data
        if len(self._buffer) >= MAX_BUFFERED:
            self._stop_reading()
        self._arrived.set()

    async def _until_writable(self) -> None:
        self._writable.clear()
        self._loop.add_writer(self._fd, self._writable.set)
        self._writing = True
        try:
            async with asyncio.timeout(self._send_patience):
                await self._writable.wait()
        except TimeoutError:
            self._stop(LinkDown(f"{self.device}: it has taken no byte for {self._send_patience:g} s"))
        finally:
            self._stop_writing()

    def _start_reading(self) -> None:
        if not self._reading and self._ended is None and self._port is not None:
            self._loop.add_reader(self._fd, self._readable)
            self._reading = True

    def _stop_reading(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._fd)
            self._reading = False

    def _stop_writing(self) -> None:
        if self._writing:
            self._loop.remove_writer(self._fd)
            self._writing = False

    def _end(self, error: OSError | None) -> None:
        assert self._port is not None
        self._stop(LinkDown(f"{self.device}: {self._port.why_ended(error)}"))

    def _stop(self, why: LinkDown) -> None:
        """Watch the descriptor no more, while it is still ours, and wake `receive` and `send`."""
        self._stop_reading()
        self._stop_writing()
        self._ended = self._ended or why
        self._arrived.set()
        self._writable.set()


_CLOSED_BY_US = "closed by us"


def _close_late(opening: "asyncio.Future[tuple[Port, bytes]]") -> None:
    """Close a port that opened after `Line.open` was cancelled."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()
