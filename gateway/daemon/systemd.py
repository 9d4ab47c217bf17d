"""systemd's notification protocol: the state of the service, and the watchdog's feed."""

import os
import socket


class Notifier:
    """Speaks systemd's notification protocol; silent where no systemd is listening."""

    def __init__(self) -> None:
        path = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        self.watchdog = int(microseconds) / 1e6 if microseconds.isdigit() else None
        """Seconds within which systemd wants to hear from us, None where it does not watch."""

    def tell(self, *lines: str) -> None:
        """Send lines such as ``READY=1`` or ``STATUS=...``; it is no error where systemd does not listen."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_systemd:
            to_systemd.setblocking(False)
            try:
                # What a broker says goes into STATUS=: no line break of its making begins a line of ours.
                to_systemd.sendto("\n".join(line.replace("\n", " ") for line in lines).encode(), self._address)
            except OSError:
                # Its queue is full or it went away: the next line says the same.
                return
