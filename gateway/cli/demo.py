"""``prehod demo``: the whole thing on one machine, without hardware, checked against the truth.

Simulated devices on pseudo-terminals and over MQTT, a broker, a database and the real daemon with a normal
configuration file. At the end the devices fall silent, the daemon drains and stops, and what the database holds is
compared, reading by reading, with what the devices know they said.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from firmware_sim.bench.city import CENTER, City, Pace, Size
from firmware_sim.servers.process import ServerFailed, bound_to_us, free_port
from firmware_sim.servers.readback import read_readings
from firmware_sim.servers.servers import (
    Broker,
    Database,
    Influxd,
    Iotcore,
    VictoriaMetrics,
    choose_broker,
    choose_database,
)
from firmware_sim.truth.compare import Report, compare
from gateway.cli.demo_view import View
from gateway.cli.numbers import seconds, whole
from gateway.errors import PrehodError

START = 30.0
"""Seconds that the daemon gets to reach the devices, the broker and the database."""

DRAIN = 30.0
"""Seconds that the daemon gets to hand over the last readings."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--seconds", type=seconds, metavar="N", help="stop after N seconds instead of Ctrl-C")
    parser.add_argument("--seed", type=int, default=7, help="another seed is another city")
    parser.add_argument("--spots", type=whole(0, 10_000), default=40, metavar="N", help="parking spots (default 40)")
    parser.add_argument(
        "--directory", type=Path, metavar="DIR", help="work and stay there, instead of a temporary one"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration; exit code 0 only when nothing was lost and nothing is there twice."""
    directory = arguments.directory or Path(tempfile.mkdtemp(prefix="prehod-demo-"))
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PrehodError(f"{directory}: {error.strerror}") from None
    try:
        outcome = asyncio.run(_demo(arguments, directory))
    except ServerFailed as error:
        raise PrehodError(str(error)) from None
    finally:
        if arguments.directory is None:
            shutil.rmtree(directory, ignore_errors=True)
    if arguments.json:
        print(json.dumps(outcome.as_json()))
    else:
        outcome.print()
    return 0 if outcome.report.exact and outcome.drained else 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    report: Report
    drained: bool
    broker: Broker
    database: Database

    def as_json(self) -> dict[str, Any]:
        """Return the one line for machines."""
        report = self.report
        return {
            "measured": report.measured,
            "uncertain": report.uncertain,
            "stored": report.stored,
            "lost": report.lost,
            "duplicated": report.duplicated,
            "by_measurement": {
                kind: {
                    "measured": counts.measured,
                    "uncertain": counts.uncertain,
                    "stored": counts.stored,
                    "lost": counts.lost,
                    "duplicated": counts.duplicated,
                }
                for kind, counts in report.by_measurement.items()
            },
            "broker": self.broker.name,
            "database": self.database.name,
            "differences": report.differences,
        }

    def print(self) -> None:
        """Print the comparison for people."""
        print(f"\n{'':14}{'measured':>10}{'stored':>10}{'lost':>8}{'twice':>8}")
        for kind, counts in sorted(self.report.by_measurement.items()):
            unit = "vehicles" if kind == "traffic" else "readings"
            row = f"{counts.measured:>10,}{counts.stored:>10,}{counts.lost:>8}{counts.duplicated:>8}"
            print(f"{kind:14}{row}  {unit}")
        total = self.report
        print(f"{'together':14}{total.measured:>10,}{total.stored:>10,}{total.lost:>8}{total.duplicated:>8}")
        for difference in total.differences:
            print(f"  {difference}")
        if not self.drained:
            print(f"  the daemon still had readings to deliver after {DRAIN:g} s")
        print(
            "\nnothing lost, nothing twice"
            if total.exact and self.drained
            else "\nTHE DATABASE DIFFERS FROM THE TRUTH"
        )


async def _demo(arguments: argparse.Namespace, directory: Path) -> Outcome:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        broker = choose_broker(directory / "broker")
        database = choose_database(directory / "database")
        for server in (broker, database):
            await server.start()
            stack.push_async_callback(server.stop)
        pace = Pace(dwell=60.0, station_interval=1.0, headway=2.0)
        up = asyncio.Event()
        size = Size(spots=arguments.spots)
        city = City(arguments.seed, directory / "ports", broker=broker.url, size=size, pace=pace, subscribed=up)
        await stack.enter_async_context(city)
        health_port = free_port()
        configuration = directory / "prehod.toml"
        configuration.write_text(_configuration(directory, city, broker, database, health_port), encoding="utf-8")
        daemon = await _start_daemon(configuration, directory / "daemon.log")
        stack.push_async_callback(_stop_daemon, daemon)
        health = f"http://127.0.0.1:{health_port}/healthz"
        await _connected(health, daemon, directory / "daemon.log")
        up.set()
        view = View(broker, database, configuration, city, quiet=arguments.json)
        with suppress(TimeoutError):
            async with asyncio.timeout(arguments.seconds):
                await view.show(health, broker.url, daemon, stop)
        _must_run(daemon, directory / "daemon.log")
        view.say("devices fall silent; the daemon hands over what is left ...")
        silent = await city.stop_measuring()
        drained = await _drained(health, daemon, directory / "daemon.log") and silent
        await _stop_daemon(daemon)
        points = await read_readings(database)
        step = 1_000_000 if isinstance(database, VictoriaMetrics) else 1
        return Outcome(compare(city.truth, points, time_step=step), drained, broker, database)


def _configuration(directory: Path, city: City, broker: Broker, database: Database, health_port: int) -> str:
    """Write an ordinary configuration file: what a technician would write for these devices."""
    latitude, longitude = CENTER
    if isinstance(database, Influxd):
        target = f'api = "v1"\ndatabase = "{database.database}"'
    else:
        target = 'org = "demo"\nbucket = "city"'
    protocol = "3.1.1" if isinstance(broker, Iotcore) else "5"
    return f"""\
[gateway]
id = "demo-01"
city = "Koper"
location = [{latitude}, {longitude}]
data_dir = "{directory / "data"}"
clock = "system"

[spool]
commit_interval = "500ms"

{city.sources_toml(interval="5s", protocol=protocol)}
[sinks.database]
type = "influxdb"
url = "{database.url}"
{target}

[sinks.live]
type = "mqtt"
url = "{broker.url}"
protocol = "{protocol}"

[web]
listen = "127.0.0.1:{health_port}"
"""


async def _start_daemon(configuration: Path, log: Path) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "gateway.cli.main", "run", "--config", str(configuration)]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C in the terminal is for us, and the daemon goes on until it has handed over all.
        return await asyncio.create_subprocess_exec(
            *bound_to_us(command), stdout=output, stderr=output, start_new_session=True
        )


def _must_run(daemon: asyncio.subprocess.Process, log: Path) -> None:
    if daemon.returncode is not None:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        raise PrehodError("\n".join(["the daemon ended by itself; its last words:", *last]))


async def _connected(health: str, daemon: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until every source of the daemon is up."""
    deadline = time.monotonic() + START
    async with aiohttp.ClientSession() as client:
        while time.monotonic() < deadline:
            _must_run(daemon, log)
            with suppress(aiohttp.ClientError):
                async with client.get(health) as answer:
                    sources = (await answer.json())["sources"]
                if sources and all(source["up"] for source in sources.values()):
                    return
            await asyncio.sleep(0.1)
    raise PrehodError(f"the daemon is not connected to everything after {START:g} s")


async def _stop_daemon(daemon: asyncio.subprocess.Process) -> None:
    if daemon.returncode is None:
        daemon.send_signal(signal.SIGTERM)
        await daemon.wait()


async def _drained(health: str, daemon: asyncio.subprocess.Process, log: Path) -> bool:
    """Wait until nothing is waiting to be delivered and nothing new has been committed for two looks."""
    before = -1
    deadline = time.monotonic() + DRAIN
    async with aiohttp.ClientSession() as client:
        while time.monotonic() < deadline:
            try:
                async with client.get(health) as answer:
                    state = await answer.json()
            except aiohttp.ClientError:
                _must_run(daemon, log)
                await asyncio.sleep(0.1)
                continue
            committed = state["readings"]["committed"]
            waiting = sum(sink["pending"] for sink in state["sinks"].values())
            if committed == before and not waiting:
                return True
            before = committed
            await asyncio.sleep(1.0)  # longer than the commit interval: what was heard is committed by then
    return False
