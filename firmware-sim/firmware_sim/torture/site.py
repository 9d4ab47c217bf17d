"""A street cabinet on one machine: servers, wires, devices, the gateway, and what its health page says of them."""

import asyncio
import math
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp

from firmware_sim.bench.city import City, Pace, Size
from firmware_sim.patience import patience
from firmware_sim.servers.process import RealServer
from firmware_sim.servers.readback import read_influxdb
from firmware_sim.servers.servers import Influxd, Mosquitto
from firmware_sim.torture.delays import Delays
from firmware_sim.torture.diary import Diary, Window
from firmware_sim.torture.numbers import Numbers
from firmware_sim.torture.wire import Wire
from firmware_sim.truth.points import StoredPoint

COMMIT_INTERVAL = 0.5
"""Seconds, as configured."""
STATED = COMMIT_INTERVAL + 0.25
"""Seconds of serial readings that a kill may cost: the commit interval, and the writing of the commit itself.

Here and in the next one, what a busy machine takes longer comes on top, see `torture.delays`.
"""
COUNTED = 5.0
"""Seconds of vehicles that a kill may cost: the radar's interval (1 s), the gap that ends a passage, a commit."""
RETRIED = 2.5
"""Seconds after which a disk that has room again has been written to: it is tried every second."""

State = dict[str, Any]


class Gateway(RealServer):
    """The gateway as a child process; ``command`` ends with the option that names the configuration file.

    Its log is beside its directory, which may be a disk to be filled.
    """

    name = "prehod"
    description = "the gateway under torture"

    def __init__(self, directory: Path, command: Sequence[str], parts: str) -> None:
        super().__init__(directory)
        self.log = directory.with_name(f"{directory.name}-prehod.log")
        self.data = directory / "data"
        self._start_with = [*command]
        self._parts = parts

    @classmethod
    def available(cls) -> bool:
        """Tell that it is installed: the command was given."""
        return True

    async def health(self) -> State | None:
        """Return what the health page says, None where it does not answer within ten seconds."""
        try:
            limit = aiohttp.ClientTimeout(total=10.0)
            page = f"http://127.0.0.1:{self.port}/healthz"
            async with aiohttp.ClientSession(timeout=limit) as client, client.get(page) as answer:
                state: State = await answer.json()
                return state
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def spawn(self) -> None:
        """Start it without waiting until it serves."""
        self._spawn()

    def _command(self) -> list[str]:
        configuration = self.directory / "prehod.toml"
        configuration.write_text(
            _CONFIGURATION.format(data=self.data, interval=round(COMMIT_INTERVAL * 1000), port=self.port)
            + self._parts,
            encoding="utf-8",
        )
        return [*self._start_with, str(configuration)]

    async def _answers(self) -> bool:
        return await self.health() is not None


class Site:
    """``async with Site(...)``: everything runs. Faults are done to its parts.

    ``directory`` holds the gateway's data; the servers have a directory of their own, on another disk if that one is
    to be filled.
    """

    def __init__(self, directory: Path, command: Sequence[str], seed: int) -> None:
        self.directory = directory
        self.windows: list[Window] = []
        """What may be lost by what is promised."""
        self.full_since, self.full_until = -math.inf, -math.inf
        """When the disk was full last."""
        self.kills = 0
        self.diary = Diary()
        self.numbers = Numbers()
        self.delays = Delays(directory)
        self.broker_wire, self.database_wire = Wire(), Wire()
        self._command = command
        self._seed = seed
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _build(self) -> None:
        enter = self._stack.enter_async_context
        servers = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="prehod-torture-servers-")))
        self.broker = await enter(Mosquitto(servers / "broker", autosave_interval=1))
        self.database = await enter(Influxd(servers / "database"))
        self.broker_wire.target, self.database_wire.target = self.broker.port, self.database.port
        await enter(self.broker_wire)
        await enter(self.database_wire)
        self.numbers.port = self.broker.port
        subscribed = asyncio.Event()
        size = Size(dust_sensors=2, radars=1, spots=20, stations=2)
        pace = Pace(rate=10.0, dwell=60.0, station_interval=2.0, headway=1.0)
        self.city = await enter(
            City(
                self._seed,
                servers / "ports",
                broker=self.broker.url,
                size=size,
                pace=pace,
                truth=self.diary,
                subscribed=subscribed,
            )
        )
        self.gateway = Gateway(self.directory, self._command, self._sources())
        await enter(self.gateway)
        measuring = asyncio.create_task(self.delays.run(), name="delays")
        self._stack.callback(measuring.cancel)
        async with asyncio.timeout(patience()):
            while not self.connected(await self.gateway.health()):  # noqa: ASYNC110 -- another process has no event
                await asyncio.sleep(0.1)
        subscribed.set()
        publishing = asyncio.create_task(self.numbers.run(), name="numbers")
        self._stack.callback(publishing.cancel)

    @staticmethod
    def connected(state: State | None) -> bool:
        """Tell whether every source is up."""
        return state is not None and all(source["up"] for source in state["sources"].values())

    def well(self, state: State | None) -> bool:
        """Tell whether everything is up, the spool takes readings, and nothing waits."""
        if state is None or not self.connected(state) or not self.numbers.connected:
            return False
        if any(problem.startswith("spool:") for problem in state["problems"]):
            return False
        return all(sink["up"] and not sink["pending"] for sink in state["sinks"].values())

    async def save_broker(self) -> None:
        """Let the broker save (SIGUSR1); returns once it has."""
        saved = self.broker.directory / "mosquitto.db"
        saved.unlink(missing_ok=True)
        os.kill(self.broker.pid, signal.SIGUSR1)
        # It writes another file and renames that.
        async with asyncio.timeout(patience()):
            while not saved.exists():  # noqa: ASYNC110 -- another process has no event
                await asyncio.sleep(0.002)

    def kill_gateway(self) -> None:
        """End it as a crash would, and note what that may cost."""
        now, late = time.monotonic(), self.delays.worst
        self.gateway.kill()
        self.kills += 1
        # While the disk is full, and until the next attempt to write, readings of serial lines are in memory only.
        since = self.full_since if now < self.full_until + RETRIED else now
        self.windows.append(Window("dust", since - STATED - late, time.monotonic() + 0.1))
        self.windows.append(Window("traffic", since - COUNTED - late, time.monotonic() + 0.1))
        self.spoil_passages()

    def spoil_passages(self, *, twice: bool = False) -> None:
        """Doubt the vehicles in view; ``twice``, because one that is counted at a stop may be counted after it."""
        for radar in self.city.radars:
            for vehicle in radar.street.in_view():
                vehicle.spoiled = True
                if twice and vehicle.direction:
                    tags, fields = {"direction": vehicle.direction}, {"peak_speed": vehicle.peak}
                    self.diary.record(radar.name, "traffic", fields, tags=tags, certain=False)

    async def stored(self) -> list[StoredPoint]:
        """Return everything in the database."""
        return await read_influxdb(self.database.url, self.database.database)

    def quarantined(self) -> int:
        """Return how many lines are in the gateway's quarantine."""
        files = [path for path in (self.gateway.data / "spool" / "quarantine").glob("*") if path.is_file()]
        return sum(
            1 for path in files for line in path.read_bytes().splitlines() if line and not line.startswith(b"#")
        )

    def _sources(self) -> str:
        broker = f"mqtt://127.0.0.1:{self.broker_wire.port}"
        # The devices publish at the broker itself; the gateway reaches it over the wire.
        city = self.city.sources_toml(interval="1s").replace(self.broker.url, broker)
        sink = _SINK.format(port=self.database_wire.port, database=self.database.database)
        return f"{city}\n{Numbers.source_toml(broker)}\n{sink}"


_CONFIGURATION = """\
[gateway]
id = "torture-01"
city = "Koper"
data_dir = "{data}"
clock = "system"

[spool]
commit_interval = "{interval}ms"
min_free_bytes = "1MiB"
on_full = "refuse_new"

[web]
listen = "127.0.0.1:{port}"

"""

_SINK = """\
[sinks.database]
type = "influxdb"
url = "http://127.0.0.1:{port}"
api = "v1"
database = "{database}"
timeout = "3s"
"""
