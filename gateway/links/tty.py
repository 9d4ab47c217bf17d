"""A serial port of this machine, set up by pyserial and then read and written by its descriptor."""

import errno
import os
import termios
from collections.abc import Callable

import serial
from serial.rs485 import RS485Settings

from gateway.errors import LinkDown, LinkRefused
from gateway.links import ports
from gateway.links.line_settings import SerialSettings

READ_SIZE = 4096

NO_PORT = "it is there, and is no serial port"
NO_RS485 = "it has no RS-485 mode of its own: leave rs485 out, an adapter that switches by itself needs none"

_GONE = frozenset({errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF})


class SerialPort(serial.Serial):
    """pyserial's port, which leaves the lines DTR and RTS alone where it is told to."""

    leave_dtr = False
    leave_rts = False

    def _update_dtr_state(self) -> None:
        if not self.leave_dtr:
            super()._update_dtr_state()  # type: ignore[misc] # the stubs have no private names; a test looks

    def _update_rts_state(self) -> None:
        if not self.leave_rts:
            super()._update_rts_state()  # type: ignore[misc] # the same


class Tty:
    """An open port; see `gateway.links.serial.Port`."""

    def __init__(self, port: serial.Serial, device: str) -> None:
        self.device = device
        self._port = port
        self._fd = port.fileno()

    @property
    def pending(self) -> bool:
        """Whether bytes that were taken have not gone out yet: never, here."""
        return False

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._fd

    def read(self) -> bytes:
        """Return what has come; b"" once the port is gone."""
        return os.read(self._fd, READ_SIZE)

    def write(self, data: bytes) -> int:
        """Return how much the kernel took."""
        return os.write(self._fd, data)

    def why_ended(self, error: OSError | None) -> str:
        """Return what it means that reading or writing ended like this."""
        return "the device is gone (unplugged?)" if error is None or error.errno in _GONE else str(error)

    def shared(self) -> str:
        """Say who else has the port open; "" where it is ours alone."""
        return ports.shared(self.device)

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


def open_tty(settings: SerialSettings, resolve: Callable[[str], str]) -> Tty:
    """Open and set up a port; `LinkDown` when it is not there, `LinkRefused` when it is not ours to open."""
    device = resolve(settings.port)
    port = SerialPort()
    try:
        _set_up(port, device, settings)
        port.open()
        if settings.dtr is False:
            _keep_dtr(port.fileno())
    except serial.SerialException as error:
        port.close()
        raise _explain(device, error) from error
    except OSError as error:
        port.close()
        raise LinkDown(f"{device}: {error.strerror or error}") from error
    except (ValueError, termios.error) as error:  # pyserial passes on what an adapter says to its settings
        port.close()
        raise LinkRefused(f"{device}: {NO_RS485 if settings.rs485 and _is_rs485(error) else error}") from error
    return Tty(port, device)


def _set_up(port: SerialPort, device: str, settings: SerialSettings) -> None:
    port.port = device
    port.baudrate = settings.baudrate
    port.bytesize = settings.databits
    port.parity = settings.parity
    port.stopbits = settings.stopbits
    port.timeout = port.write_timeout = 0
    port.exclusive = True
    port.leave_dtr = settings.dtr is False
    # In RS-485 mode the kernel switches RTS with each question.
    port.leave_rts = settings.rts is False or settings.rs485 is not None
    if settings.rs485 is not None:
        mode = settings.rs485
        port.rs485_mode = RS485Settings(
            rts_level_for_tx=mode.rts_on_send,
            rts_level_for_rx=not mode.rts_on_send,
            delay_before_tx=mode.delay_before_send,
            delay_before_rx=mode.delay_after_send,
        )


def _keep_dtr(fd: int) -> None:
    """Have the kernel leave DTR as it is at closing too: only a change resets what hangs on it."""
    attributes = termios.tcgetattr(fd)
    attributes[2] &= ~termios.HUPCL
    termios.tcsetattr(fd, termios.TCSANOW, attributes)


def _is_rs485(error: Exception) -> bool:
    return "RS485" in str(error)


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
