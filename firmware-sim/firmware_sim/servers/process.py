"""A real server as a child process that cannot outlive us, on a port of its own.

The kernel kills the child when the thread that started it ends, however it ends (``PR_SET_PDEATHSIG``, see prctl(2));
so start servers from a thread that lives as long as they should. The child sits in a session of its own: Ctrl-C in
the terminal reaches us alone, and we stop it in our own order.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import aiohttp

from firmware_sim.patience import patience

_PORT_ATTEMPTS = 5
_POLL_SECONDS = 0.02

# Runs in the child before the server replaces it. A hook between fork and exec in this process could deadlock under
# threads. If we died before the request to the kernel, it would never signal: hence the look at the parent.
_LAUNCH = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class ServerFailed(Exception):
    """A server did not come up or ended by itself; the message holds the end of its log."""


class RealServer(ABC):
    """A server program on 127.0.0.1, with its data and log in a directory of its own.

    After `stop` or `kill`, `start` brings it back on the same port with the same data. ``async with`` starts it and
    stops it. `kill`, `freeze` and `thaw` take effect at once, as a power cut, a hang and its end would.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    """One line for people who watch a demonstration."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        """Use ``directory`` for everything; ``port`` 0 takes a free one at the first start and keeps it."""
        self.directory = directory
        self.port = port
        self.log = directory / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def available(cls) -> bool:
        """Tell whether it is installed."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Write what configuration it needs for `port` and return the command line, beginning with a full path."""

    @abstractmethod
    async def _answers(self) -> bool:
        """Tell whether it serves; ``OSError`` counts as no."""

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it serves; ``ServerFailed`` when it does not."""
        if self.running:
            return None
        self.directory.mkdir(parents=True, exist_ok=True)
        attempts = 1 if self.port else _PORT_ATTEMPTS
        while True:
            attempts -= 1
            chosen = self.port
            self.port = chosen or free_port()
            before = self.log.stat().st_size if self.log.exists() else 0
            self._spawn()
            try:
                return await self.wait_ready()
            except ServerFailed:
                await self._reap()
                if not attempts or "ddress already in use" not in _tail(self.log, before):
                    raise
                self.port = chosen

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Wait until it serves; ``ServerFailed`` when it ends or does not serve within `patience` (``seconds``)."""
        loop = asyncio.get_running_loop()
        limit = patience(seconds)
        deadline = loop.time() + limit
        while loop.time() < deadline:
            if not self.running:
                raise ServerFailed(f"{self.name} ended while starting:\n{_tail(self.log)}")
            try:
                async with asyncio.timeout_at(deadline):
                    # Another's server may have the port, and would answer for ours.
                    if listens(self.pid, self.port) and await self._answers():
                        return
            except (OSError, EOFError):
                pass
            await asyncio.sleep(_POLL_SECONDS)
        raise ServerFailed(f"{self.name} does not serve after {limit:g} s:\n{_tail(self.log)}")

    async def stop(self) -> None:
        """End it in good order (SIGTERM), and harshly if it does not listen; does nothing when it is not running."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        await self._reap()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL); returns when it is gone."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    async def restart(self) -> None:
        """`stop` and `start`."""
        await self.stop()
        await self.start()

    def freeze(self) -> None:
        """Let it hang, its connections open (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.stop()

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the commands are this package's own
                bound_to_us(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.directory,
            )

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    async def _reap(self) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, patience())
        self.kill()


def bound_to_us(command: Sequence[str]) -> list[str]:
    """Return the command line, whose first word is a full path, with the kernel told to kill it when we end."""
    return [sys.executable, "-I", "-S", "-c", _LAUNCH, str(os.getpid()), *command]


def find_program(name: str) -> str | None:
    """Return the full path of an installed program; Debian keeps servers in /usr/sbin, off most people's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now.

    It is below those that the kernel gives to outgoing connections: while a server is down, a client that keeps
    trying a port from that range can end up connected to itself, and then the server cannot have it back.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    while True:
        port = random.randrange(min(10240, lowest - 1), lowest)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def listens(pid: int, port: int) -> bool:
    """Tell whether a process listens on a TCP port (see proc_net_tcp in the kernel's documentation)."""
    try:
        held = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except FileNotFoundError:
        return False
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return any(row[3] == "0A" and row[1].endswith(f":{port:04X}") and f"socket:[{row[9]}]" in held for row in rows)


async def answers_http(url: str) -> bool:
    """Tell whether a GET is answered with success."""
    try:
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.status < 300
    except aiohttp.ClientError:
        return False


async def answers_mqtt(port: int) -> bool:
    """Tell whether a CONNECT (MQTT 3.1.1, clean session, client "ready") is answered, be it with a refusal."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x0a\x00\x05ready")
        return (await reader.readexactly(4))[0] == 0x20
    finally:
        writer.write(b"\xe0\x00")
        writer.close()
        await writer.wait_closed()


def _tail(log: Path, since: int = 0) -> str:
    text = log.read_bytes()[since:] if log.exists() else b""
    return text[-2000:].decode(errors="replace").strip()
