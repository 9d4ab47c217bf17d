"""The gateway under test: a process of its own, asked by its health page, its log and what it tells systemd."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from firmware_sim.patience import patience
from firmware_sim.servers.influx import line_protocol
from firmware_sim.servers.process import RealServer
from firmware_sim.truth.points import StoredPoint
from tests.support.until import until

State = dict[str, Any]

LONG = 180.0
"""Seconds for what a loaded machine needs to carry a hundred thousand readings."""


class Gateway(RealServer):
    """``prehod run`` with a configuration file, a data directory and a health page; started when it says READY=1.

    ``parts`` are the sources, sensors and sinks, as TOML; ``commit_interval``, ``within`` (a command that runs
    another, as nsenter), ``clock``, ``own`` (lines for ``[gateway]``) and ``more`` (for ``[spool]``) may be changed
    before a start.
    """

    name = "prehod"
    description = "the gateway under test"

    def __init__(self, directory: Path, parts: str) -> None:
        super().__init__(directory)
        self.spool = directory / "data" / "spool"
        self.configuration = directory / "prehod.toml"
        self.commit_interval = "100ms"
        self.within: Sequence[str] = ()
        self.clock = "system"
        self.own = ""
        self.more = ""
        self.notified: list[str] = []
        """What it has told systemd since the last start."""
        self._parts = parts
        self._systemd: socket.socket | None = None

    @classmethod
    def available(cls) -> bool:
        return True

    @property
    def exit_code(self) -> int | None:
        """What its last process ended with; None while it runs."""
        return None if self._process is None else self._process.poll()

    def command(self, *arguments: str) -> list[str]:
        """Return a ``prehod`` command line with this gateway's configuration."""
        return [sys.executable, "-m", "gateway.cli.main", *arguments, "--config", str(self.configuration)]

    def logged(self, **wanted: object) -> list[State]:
        """Return the entries of the log, over all starts, that have these values."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if wanted.items() <= entry.items()]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._signal(number)

    async def ended(self, seconds: float = 60.0) -> int:
        """Wait for its end and return its exit code."""
        await until(lambda: self.exit_code is not None, seconds)
        assert self.exit_code is not None
        return self.exit_code

    async def says(self, line: str) -> None:
        """Wait until it has told systemd this."""
        await until(lambda: self._heard(line))

    async def state(self) -> State:
        """Return what the health page shows."""
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{self.port}/healthz") as answer:
            found: State = await answer.json()
            return found

    async def until(self, condition: Callable[[State], object], seconds: float = LONG) -> State:
        """Wait until the health page shows it."""
        limit = patience(seconds)
        deadline = time.monotonic() + limit
        while not condition(state := await self.state()):
            assert time.monotonic() < deadline, f"not within {limit:g} s; the last state was {state}"
            await asyncio.sleep(0.05)
        return state

    async def listening(self) -> State:
        """Wait until every source is there."""
        return await self.until(lambda state: all(source["up"] for source in state["sources"].values()))

    async def holds(self, readings: int, seconds: float = LONG) -> State:
        """Wait until so many readings are in the spool, and every database has them."""
        return await self.until(
            lambda state: state["spool"]["readings"] >= readings and not any(state["spool"]["pending"].values()),
            seconds,
        )

    def spooled(self, *, torn: bool = False) -> list[StoredPoint]:
        """Return what ``zcat`` prints of the spool, in order, read by a parser that is not the gateway's.

        ``torn``: it is being written, or was when the gateway was killed; the end may be missing.
        """
        segments = sorted(self.spool.glob("*.lp.gz"))
        if not segments:
            return []
        printed = subprocess.run(["zcat", *segments], check=not torn, capture_output=True)
        assert torn or not printed.stderr, printed.stderr
        found = list(line_protocol.parse(printed.stdout, default_time=0))
        points = [outcome for outcome in found if isinstance(outcome, StoredPoint)]
        assert len(points) >= len(found) - torn, [str(outcome) for outcome in found if outcome not in points]
        return points

    def close(self) -> None:
        """End it and close the socket on which it reports."""
        self.kill()
        if self._systemd is not None:
            self._systemd.close()
            self._systemd = None

    def _command(self) -> list[str]:
        settings = (
            f'[gateway]\nid = "koper-test"\ncity = "Koper"\ndata_dir = "{self.directory / "data"}"\n'
            f'clock = "{self.clock}"\n{self.own}\n[spool]\ncommit_interval = "{self.commit_interval}"\n{self.more}\n'
            f'[web]\nlisten = "127.0.0.1:{self.port}"\n'
        )
        self.configuration.write_text(settings + self._parts, encoding="utf-8")
        self.close()
        address = self.directory / "systemd"
        address.unlink(missing_ok=True)
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._systemd.bind(str(address))
        self.notified.clear()
        return [*self.within, "/usr/bin/env", f"NOTIFY_SOCKET={address}", *self.command("run")]

    async def _answers(self) -> bool:
        return self._heard("READY=1")

    def _heard(self, line: str) -> bool:
        assert self._systemd is not None
        try:
            while True:
                self.notified += self._systemd.recv(4096).decode().split("\n")
        except BlockingIOError:
            return line in self.notified
