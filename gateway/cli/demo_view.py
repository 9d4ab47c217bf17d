"""What the demonstration shows while it runs: sensors with their last values, rates, and what waits."""

import asyncio
import sys
import textwrap
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt
import orjson
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from firmware_sim.bench.city import City
from firmware_sim.servers.servers import Broker, Database, Iotcore
from gateway.cli.watch import shorten
from gateway.cli.watch_table import Board
from gateway.contract import VOCABULARY
from gateway.units import format_duration, format_size

ROWS = 14
NAMES = 15
"""Columns of the names in the head."""


class View:
    """A live table on a terminal, a line every few seconds elsewhere, nothing when ``quiet``."""

    def __init__(self, broker: Broker, database: Database, configuration: Path, city: City, *, quiet: bool) -> None:
        self._head = [
            f"broker         {broker.description}",
            f"database       {database.description}",
            f"configuration  {configuration}",
            f"devices        {city.describe()}",
        ]
        self._old_broker = isinstance(broker, Iotcore)
        self._quiet = quiet
        self.board = Board()
        """The sensors heard of, by kind and name."""
        self._state: dict[str, Any] = {}
        self._console = Console(stderr=quiet)
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        """Print a line."""
        if not self._quiet:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    async def show(self, health: str, broker: str, daemon: asyncio.subprocess.Process, stop: asyncio.Event) -> None:
        """Show until ``stop`` is set or the daemon ends; cancelled by a time-out as well."""
        for line in self._head:
            self.say(hanging(line, self._console.width) if self._console.is_terminal else line)
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._listen(broker)), tasks.create_task(self._look(health))]
            if not self._quiet:
                draw = self._draw() if sys.stdout.isatty() else self._log()
                helpers.append(tasks.create_task(draw))
            ends = [asyncio.create_task(stop.wait()), asyncio.create_task(daemon.wait())]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*helpers, *ends):
                    task.cancel()

    async def _listen(self, url: str) -> None:
        host, _, port = url.partition("://")[2].partition(":")
        version = aiomqtt.ProtocolVersion.V311 if self._old_broker else aiomqtt.ProtocolVersion.V5
        async with aiomqtt.Client(host, int(port), protocol=version) as client:
            await client.subscribe("prehod/demo-01/+/+")
            async for message in client.messages:
                name = message.topic.value.split("/", 2)[2]
                self.board.note(name, _fields(message.payload), time.monotonic())

    async def _look(self, health: str) -> None:
        async with aiohttp.ClientSession() as client:
            while True:
                with suppress(aiohttp.ClientError):
                    async with client.get(health) as answer:
                        self._state = await answer.json()
                await asyncio.sleep(0.5)

    async def _draw(self) -> None:
        with Live(self.render(), console=self._console, refresh_per_second=4, transient=False) as live:
            while True:
                await asyncio.sleep(0.25)
                live.update(self.render())

    async def _log(self) -> None:
        while True:
            await asyncio.sleep(5)
            self.say(self._summary())

    def render(self) -> Group:
        """Return the table and the summary below it."""
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("sensor", no_wrap=True)
        table.add_column("last value")  # on a narrow terminal it alone is cut
        table.add_column("age", justify="right", no_wrap=True)
        table.add_column("a minute", justify="right", no_wrap=True)
        now = time.monotonic()
        lively = sorted(self.board.topics.items(), key=lambda item: item[1].last, reverse=True)[:ROWS]
        for name, topic in sorted(lively):
            value = Text(topic.text, no_wrap=True, overflow="ellipsis")
            table.add_row(Text(name), value, format_duration(now - topic.last), f"{topic.rate(now):.0f}")
        more = len(self.board.topics) - len(lively)
        foot = f"... and {more} more sensors\n" if more > 0 else ""
        return Group(Text(), table, Text(f"{foot}\n{self._summary()}\nCtrl-C compares with the truth", style="bold"))

    def _summary(self) -> str:
        state = self._state
        if not state:
            return "the daemon is starting"
        database = state["sinks"]["database"]
        behind = database["last_success_s"]
        return (
            f"{format_duration(time.monotonic() - self._started)}: "
            f"{state['readings']['committed']:,} readings on disk in {state['readings']['commits']} commits "
            f"({format_size(state['spool']['bytes'])}), {database['readings']:,} in the database, "
            f"{database['pending']} pending, last delivery "
            + ("never" if behind is None else f"{format_duration(behind)} ago")
        )


def hanging(line: str, width: int) -> str:
    """Fill a line whose words stand behind a name: below each other, and no path is broken."""
    indent = " " * NAMES
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _fields(payload: bytes) -> str:
    try:
        fields: Mapping[str, Any] = orjson.loads(payload)["fields"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return shorten(payload, 60)
    city = sorted(name for name in fields if name in VOCABULARY and not VOCABULARY[name].health)
    shown = city or sorted(fields)  # a start-up message speaks only of the device
    return shorten(orjson.dumps({"fields": {name: fields[name] for name in shown}}), 60)
