"""A host at the other end of a serial line, and a broker."""

import asyncio
import os
import socket
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.process import find_program
from tests.support.requirements import require_program


class Host:
    """What a gateway does to a port, with nothing but system calls."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd, termios.TCSANOW)  # the default would throw away what waits: the line must not need that

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def read(self, size: int = 4096) -> bytes:
        try:
            return os.read(self.fd, size)
        except BlockingIOError:
            return b""

    async def take(self, size: int) -> bytes:
        data = b""
        async with asyncio.timeout(patience()):
            while len(data) < size:
                data += self.read(size - len(data))
                await asyncio.sleep(0.005)
        return data

    def gone(self) -> bool:
        """Tell whether the port has ended under us."""
        try:
            return os.read(self.fd, 4096) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@pytest.fixture
def open_host() -> Iterator[Callable[[Path], Host]]:
    hosts: list[Host] = []

    def open_at(path: Path) -> Host:
        hosts.append(Host(path))
        return hosts[-1]

    yield open_at
    for host in hosts:
        host.close()


class Broker:
    """A Mosquitto of our own, which can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._settings = directory / "mosquitto.conf"
        self._settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [find_program("mosquitto") or "mosquitto", "-c", str(self._settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + patience()
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise TimeoutError("mosquitto did not start")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    require_program("mosquitto")
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()
