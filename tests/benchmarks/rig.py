"""What is measured, and what stands around it: the daemon and the floor, a broker, a database."""

import asyncio
import gzip
import json
import os
import signal
import socket
import sys
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from firmware_sim.servers.process import free_port
from firmware_sim.servers.servers import Influxd, Mosquitto
from tests.benchmarks.measure import Usage

HERE = Path(__file__).parent
LONGEST_WAIT = 180.0
"""Seconds after which something is broken."""

CONFIGURATION = """\
[gateway]
id = "bench"
city = "Koper"
data_dir = "{data}"
clock = "system"

[sources.air]
type = "mqtt"
url = "{broker}"
client_id = "{client_id}"
{protocol}
driver = "json"
topics = ["{level}/+/air"]

[sources.air.options]
kind = "air_quality"
sensor = "topic:1"
time = "ts"
time_format = "ms"
fields = {{ pm1 = "pm1", pm25 = "pm25", pm10 = "pm10", no2 = "no2", o3 = "o3", temperature = "temperature", \
relative_humidity = "humidity", atmospheric_pressure = "pressure", battery_voltage = "battery" }}

[sinks.influx]
type = "influxdb"
api = "v1"
url = "{database}"
database = "{name}"

[web]
listen = "127.0.0.1:{web}"
"""


@dataclass(frozen=True, slots=True)
class Side:
    """A daemon to be measured: ``prehod`` is its program; what is published on ``level/+/air`` it stores.

    Each has a database of its own, so that equal readings of two sides do not become one.
    """

    prehod: Path
    level: str
    database: str


OURS = Side(Path(sys.executable).with_name("prehod"), "bench", "city")


class BenchFailed(Exception):
    """What is measured did not do its work; a figure would be a lie."""


class Receiver(ABC):
    """A process that takes messages, and can be stopped while they gather at the broker.

    ``handled`` counts those that it was measured with so far.
    """

    def __init__(self) -> None:
        self.process: Process | None = None
        self.handled = 0

    @property
    def usage(self) -> Usage:
        """What it has used so far."""
        assert self.process is not None
        return Usage.of(self.process.pid)

    @abstractmethod
    async def start(self) -> float:
        """Start it; return the seconds until it said that it is ready."""

    @abstractmethod
    async def reach(self, total: int) -> None:
        """Wait until it has dealt with so many messages since its first start."""

    async def idle(self) -> None:
        """Wait until it uses next to no CPU: whatever it does at its start is over."""
        before = self.usage.cpu
        for _ in range(100):
            await asyncio.sleep(0.3)
            now = self.usage.cpu
            if now - before < 0.005:
                return
            before = now
        raise BenchFailed("it does not come to rest")

    def freeze(self) -> None:
        """Stop it where it is; its connections stay."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End it in good order."""
        if self.process is not None and self.process.returncode is None:
            self.thaw()
            self.process.terminate()
            await self.process.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self.stop()
        elif self.process is not None:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class Bare(Receiver):
    """The floor, `bare_client.py`; ``totals`` are what `reach` may be asked for."""

    def __init__(self, port: int, client_id: str, topic: str, totals: list[int]) -> None:
        super().__init__()
        self._arguments = [str(port), client_id, topic, *map(str, totals)]

    async def start(self) -> float:
        """Start it; return the seconds until it was subscribed."""
        began = time.monotonic()
        script = str(HERE / "bare_client.py")
        self.process = await asyncio.create_subprocess_exec(sys.executable, script, *self._arguments, stdout=PIPE)
        await self._hears("subscribed")
        return time.monotonic() - began

    async def reach(self, total: int) -> None:
        """Wait for its word."""
        await self._hears(str(total))

    async def _hears(self, word: str) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async with asyncio.timeout(LONGEST_WAIT):
            said = (await self.process.stdout.readline()).decode().strip()
        if said != word:
            raise BenchFailed(f"the bare client said {said!r}, {word!r} was expected")


class Daemon(Receiver):
    """``prehod run`` on a configuration of its own, everything in ``directory``; ``protocol`` "" is its default."""

    def __init__(
        self, directory: Path, broker: Mosquitto, database: Influxd, protocol: str = "", side: Side = OURS
    ) -> None:
        super().__init__()
        self.level = side.level
        self._prehod = side.prehod
        directory.mkdir()
        self.spool = directory / "data" / "spool"
        self._log = directory / "prehod.log"
        self._configuration = directory / "prehod.toml"
        web = free_port()
        self._health = f"http://127.0.0.1:{web}/healthz"
        text = CONFIGURATION.format(
            data=directory / "data",
            broker=broker.url,
            protocol=f'protocol = "{protocol}"' if protocol else "",
            client_id=f"prehod-{side.level}",
            level=side.level,
            database=database.url,
            name=side.database,
            web=web,
        )
        self._configuration.write_text(text, encoding="utf-8")
        self._ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._ready.bind(str(directory / "notify"))
        self._ready.setblocking(False)

    async def start(self) -> float:
        """Start it; return the seconds until it told systemd that it is ready (``READY=1``)."""
        began = time.monotonic()
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(self._prehod, "run", "--config", self._configuration),
                env=os.environ | {"NOTIFY_SOCKET": str(self._ready.getsockname())},
                stdout=DEVNULL,
                stderr=log,
            )
        async with asyncio.timeout(LONGEST_WAIT):
            while not await self._said_ready():
                self._check()
        return time.monotonic() - began

    async def subscribed(self) -> None:
        """Wait until the broker has taken its subscription."""
        async with asyncio.timeout(LONGEST_WAIT), aiohttp.ClientSession() as client:
            while True:
                self._check()
                with suppress(aiohttp.ClientError):
                    async with client.get(self._health) as answer:
                        if (await answer.json())["sources"]["air"]["up"]:
                            return
                await asyncio.sleep(0.02)

    async def reach(self, total: int) -> None:
        """Wait until the database has so many; the sink's cursor says it, at no cost to the daemon."""
        cursor = self.spool / "cursors" / "influx.json"
        async with asyncio.timeout(LONGEST_WAIT):
            while not cursor.exists() or json.loads(cursor.read_bytes())["next"] < total:
                self._check()
                await asyncio.sleep(0.01)

    def lines(self) -> list[bytes]:
        """Return every line in the spool."""
        return [line for file in self.segments() for line in gzip.decompress(file.read_bytes()).splitlines(True)]

    def segments(self) -> list[Path]:
        """Return the spool's files."""
        return sorted(self.spool.glob("*.lp.gz"))

    async def _said_ready(self) -> bool:
        """Listen for half a second at most, so that somebody can look whether it still runs."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                return b"READY=1" in await asyncio.get_running_loop().sock_recv(self._ready, 4096)
        return False

    def _check(self) -> None:
        assert self.process is not None
        if self.process.returncode is not None:
            raise BenchFailed(f"the daemon ended:\n{self._log.read_text(errors='replace')[-2000:]}")


async def publish(broker: Mosquitto, level: str, first: int, count: int, rate: float = 0.0) -> None:
    """Publish readings, numbered from ``first``, on ``level/+/air``; return once the broker has all of them."""
    script = str(HERE / "publish.py")
    arguments = [str(broker.port), level, str(first), str(count), str(rate)]
    process = await asyncio.create_subprocess_exec(sys.executable, script, *arguments)
    if await process.wait():
        raise BenchFailed("the publisher failed")


async def stored(database: Influxd, name: str = OURS.database) -> int:
    """Return how many readings one of its databases holds."""
    query = {"db": name, "q": 'SELECT count("pm25") FROM "air_quality"'}
    async with aiohttp.ClientSession(database.url) as client, client.get("/query", params=query) as answer:
        return int((await answer.json())["results"][0]["series"][0]["values"][0][1])
