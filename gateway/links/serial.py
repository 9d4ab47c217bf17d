"""One serial line, opened exclusively and read by the event loop.

A `Line` lives from opening to unplugging; for the next attempt make a new one. pyserial knows how to set up a port;
once it is open, bytes are read from its descriptor, so nothing here ever blocks the loop. A port that vanishes shows
as an end of file, as EIO or as ENXIO, depending on its driver: all are `LinkDown`.
"""

import asyncio
import errno
import os
import termios
from collections.abc import Callable
from dataclasses import dataclass

import serial

from gateway.errors import LinkDown, LinkRefused
from gateway.links import ports

READ_SIZE = 4096
MAX_BUFFERED = 65536
"""Bytes kept for a reader that is busy; beyond it the rest stays in the kernel's buffer."""
SEND_PATIENCE = 10.0
"""Seconds after which a port that takes no byte is given up: an adapter may hang."""


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a port is set up; ``port`` is a path or a USB identity, see `gateway.links.ports`."""

    port: str
    baudrate: int
    parity: str = "N"
    stopbits: int = 1


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
        """The path that was opened."""
        self._settings = settings
        self._resolve = resolve
        self._send_patience = send_patience
        self._loop = asyncio.get_running_loop()
        self._port: serial.Serial | None = None
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
            self._port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_late)
            raise
        self._fd = self._port.fileno()
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
        while data:
            if self._ended is not None:
                raise self._ended
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await self._until_writable()
            except OSError as error:
                self._end(error)

    async def shared(self) -> str:
        """Say who else has the port open, and so may take bytes from us; "" where it is ours alone."""
        return await asyncio.to_thread(ports.shared, self.device)

    def close(self) -> None:
        """Give the port back. Safe at any moment, and twice; a `receive` or `send` under way ends."""
        self._stop(LinkDown("closed by us"))
        if self._port is not None:
            self._port.close()
            self._port = None

    def _open(self) -> serial.Serial:
        settings = self._settings
        device = self._resolve(settings.port)
        self.device = device
        try:
            return serial.Serial(
                device,
                settings.baudrate,
                parity=settings.parity,
                stopbits=settings.stopbits,
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except serial.SerialException as error:
            raise _explain(device, error) from error
        except OSError as error:
            raise LinkDown(f"{device}: {error.strerror or error}") from error
        except (ValueError, termios.error) as error:  # pyserial passes on what an adapter says to its settings
            raise LinkRefused(f"{device}: {error}") from error

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
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
        why = "the device is gone (unplugged?)" if error is None or error.errno in _GONE else str(error)
        self._stop(LinkDown(f"{self.device}: {why}"))

    def _stop(self, why: LinkDown) -> None:
        """Watch the descriptor no more, while it is still ours, and wake `receive` and `send`."""
        self._stop_reading()
        self._stop_writing()
        self._ended = self._ended or why
        self._arrived.set()
        self._writable.set()


NO_PORT = "it is there, and is no serial port"

_GONE = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF})


def _explain(device: str, error: serial.SerialException) -> LinkDown:
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return LinkDown(f"{device}: no such port; is it plugged in?")
        case errno.EACCES | errno.EPERM:
            return LinkRefused(f"{device}: {ports.denied(device)}")
        case errno.EBUSY | errno.EAGAIN:  # claimed by ioctl, or locked
            return LinkRefused(f"{device}: {ports.locked_by(device)}")
        case errno.EISDIR:
            return LinkRefused(f"{device}: {NO_PORT}")
    cause = error.__context__  # pyserial keeps no number of what the settings met
    if isinstance(cause, termios.error) and cause.args[:1] == (errno.ENOTTY,):
        return LinkRefused(f"{device}: {NO_PORT}")
    return LinkDown(f"{device}: {error}")


def _close_late(opening: "asyncio.Future[serial.Serial]") -> None:
    """Close a port that opened after `Line.open` was cancelled."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
