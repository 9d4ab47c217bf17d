"""A serial server that is set up from afar: pyserial's own, with a port that remembers what it is told."""

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serial.rfc2217 import PortManager

from firmware_sim.patience import patience


class FakePort:
    """What pyserial's RFC 2217 server sets up: remembers it, and echoes nothing."""

    def __init__(self, **refuses: object) -> None:
        self.__dict__.update(baudrate=9600, bytesize=8, parity="N", stopbits=1, rtscts=False, xonxoff=False)
        self.__dict__.update(dtr=None, rts=None, break_condition=False, cts=True, dsr=True, ri=False, cd=True)
        self._refuses = refuses

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if not name.startswith("_") and name in self._refuses:
            super().__setattr__(name, self._refuses[name])

    def reset_input_buffer(self) -> None: ...

    def reset_output_buffer(self) -> None: ...


@contextmanager
def rfc2217_server(port: FakePort) -> Iterator[tuple[int, Callable[[bytes], None], "queue.Queue[bytes]"]]:
    """Serve one client with pyserial's own server; yields its port, what says bytes, and the bytes that came."""
    heard: queue.Queue[bytes] = queue.Queue()
    listener = socket.create_server(("127.0.0.1", 0))
    clients: list[socket.socket] = []
    managers: list[PortManager] = []

    class Connection:
        def write(self, data: bytes) -> None:
            clients[-1].sendall(data)

    def serve() -> None:
        try:
            while True:
                clients.append(listener.accept()[0])
                managers.append(PortManager(port, Connection()))  # type: ignore[arg-type] # it takes what has these names
                while data := clients[-1].recv(1024):
                    if payload := b"".join(managers[-1].filter(data)):
                        heard.put(payload)
        except OSError:
            return

    def say(data: bytes) -> None:
        clients[-1].sendall(b"".join(managers[-1].escape(data)))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], say, heard
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for client in clients:
            client.close()
        thread.join(patience())
