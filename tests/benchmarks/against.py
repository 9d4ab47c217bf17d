"""This checkout beside another one, figure by figure, on one machine and in turns.

Two daemons, each from the environment of its own checkout, drain the same backlogs and take the same load, one while
the other is stopped, and who is first changes from run to run: what disturbs the machine disturbs both. Nothing of
the other checkout is imported here; it needs ``prehod run`` alone, and for decoding, its drivers.

A ratio is that of the medians, above 1 where ours is worse. The least and most are those of the runs, pair by pair:
a ratio within them says little.
"""

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp

from firmware_sim.servers.servers import Influxd, Mosquitto
from tests.benchmarks.measure import Usage, file_system, machine
from tests.benchmarks.rig import HERE, OURS, BenchFailed, Daemon, Side, publish, stored
from tests.benchmarks.scenarios import LIVE_RATE, WARM_UP, Clock, Spent

WORSE = 1.03
"""The ratio above which a figure counts as worse."""
DECODE_REPEATS = 2
"""Of each run: there are several, in turns."""
SHOWN = 5
"""Drivers whose decoding has become dearest, and cheapest."""

FIGURES = (
    # name, what, digits
    ("drain_cpu_us", "draining: CPU microseconds a reading", 1),
    ("drain_us", "draining: microseconds a reading, by the clock", 1),
    ("live_cpu_us", f"live, {LIVE_RATE:,} a second: CPU microseconds", 1),
    ("live_written", "live: bytes written to the device a reading", 0),
    ("spool_bytes", "bytes a reading in the spool", 1),
    ("peak_mb", "resident MiB, at most, after draining", 1),
    ("live_mb", "resident MiB, after the live load", 1),
    ("start_mb", "resident MiB, at rest after the start", 1),
    ("start_s", "seconds to start", 2),
    ("start_cpu_s", "CPU seconds to start", 2),
    ("decode", "decoding, all drivers and codecs", 3),
)

Results = dict[str, list[float]]
"""Figure -> one value a run."""


class _Pair:
    """Both daemons at one broker, numbered readings published to both; ``results`` are ours and theirs."""

    def __init__(self, home: Path, broker: Mosquitto, database: Influxd, sides: tuple[Side, Side]) -> None:
        self.daemons = [Daemon(home / side.level, broker, database, side=side) for side in sides]
        self._broker = broker

    def turns(self, run: int, results: tuple[Results, Results]) -> Iterator[tuple[Daemon, Results]]:
        """Yield each daemon with its results, ours first in every other run."""
        pairs = list(zip(self.daemons, results, strict=True))
        yield from pairs if run % 2 else pairs[::-1]

    async def start(self, first: int) -> None:
        """Start both, and let both take what warms them up."""
        for daemon in self.daemons:
            await daemon.start()
            await daemon.subscribed()
            await self.publish(daemon, first, WARM_UP)
            await Clock(daemon).until(WARM_UP)
            await daemon.idle()

    async def publish(self, daemon: Daemon, first: int, count: int, rate: float = 0.0) -> None:
        await publish(self._broker, daemon.level, first, count, rate)

    async def stop(self) -> None:
        for daemon in self.daemons:
            await daemon.stop()


class _Comparison:
    """All the scenarios; ``published`` numbers the readings, equal for both sides."""

    def __init__(self, directory: Path, database: Influxd, theirs: Side, options: argparse.Namespace) -> None:
        self.sides = OURS, theirs
        self.results: tuple[Results, Results] = defaultdict(list), defaultdict(list)
        self._directory = directory
        self._database = database
        self._options = options
        self._published = 0

    async def draining(self) -> None:
        """Let both drain the same backlogs."""
        count, home = self._options.messages, self._directory / "draining"

        async def run(pair: _Pair, run: int) -> None:
            for daemon in pair.daemons:
                daemon.freeze()
            for daemon in pair.daemons:
                await pair.publish(daemon, self._published, count)
            for daemon, results in pair.turns(run, self.results):
                clock = Clock(daemon)
                daemon.thaw()
                spent = await clock.until(count)
                await daemon.idle()
                results["drain_cpu_us"].append(spent.cpu_us)
                results["drain_us"].append(1e6 / spent.a_second)

        def after(daemon: Daemon, results: Results) -> None:
            results["peak_mb"].append(daemon.usage.peak)

        await self._in_turns(home, count, run, after)

    async def live(self) -> None:
        """Give both the same load, each in its turn."""
        count, home = LIVE_RATE * self._options.live_seconds, self._directory / "live"

        async def run(pair: _Pair, run: int) -> None:
            for daemon, results in pair.turns(run, self.results):
                clock = Clock(daemon)
                await pair.publish(daemon, self._published, count, LIVE_RATE)
                spent: Spent = await clock.until(count)
                results["live_cpu_us"].append(spent.cpu_us)
                results["live_written"].append(spent.written)
                await daemon.idle()
                results["live_mb"].append(daemon.usage.resident)

        def after(daemon: Daemon, results: Results) -> None:
            stored = sum(file.stat().st_size for file in daemon.segments())
            results["spool_bytes"].append(stored / len(daemon.lines()))

        await self._in_turns(home, count, run, after)

    async def starting(self) -> None:
        """Start both again and again."""
        home = self._directory / "starting"
        async with Mosquitto(home / "broker", persistence=False) as broker:
            pair = _Pair(home, broker, self._database, self.sides)
            for run in range(self._options.runs + 1):
                for daemon, results in pair.turns(run, self.results):
                    seconds = await daemon.start()
                    cpu = daemon.usage.cpu
                    await daemon.idle()
                    usage: Usage = daemon.usage
                    await daemon.stop()
                    if run:  # the first start reads the program from the disk
                        results["start_s"].append(seconds)
                        results["start_cpu_s"].append(cpu)
                        results["start_mb"].append(usage.resident)

    async def check(self) -> None:
        """See that both databases hold everything: a figure would be a lie otherwise."""
        for side in self.sides:
            found = await stored(self._database, side.database)
            if found != self._published:
                raise BenchFailed(f"{self._published} readings were published, {side.prehod} stored {found}")

    async def _in_turns(
        self,
        home: Path,
        count: int,
        run: Callable[[_Pair, int], Awaitable[None]],
        after: Callable[[Daemon, Results], None],
    ) -> None:
        async with Mosquitto(home / "broker", persistence=False) as broker:
            pair = _Pair(home, broker, self._database, self.sides)
            try:
                await pair.start(self._published)
                self._published += WARM_UP
                for number in range(self._options.runs):
                    await run(pair, number)
                    self._published += count
                for daemon, results in zip(pair.daemons, self.results, strict=True):
                    after(daemon, results)
            finally:
                await pair.stop()


def compare(directory: Path, options: argparse.Namespace) -> int:
    """Measure and print; return the exit code."""
    other = options.against.resolve()
    theirs = Side(other / ".venv/bin/prehod", "other", "other")
    if not theirs.prehod.exists():
        raise BenchFailed(f"there is no {theirs.prehod}: make an environment there first")
    results = asyncio.run(_measure(directory, theirs, options))
    decoding = _decoding(other / ".venv/bin/python", options.runs)
    for mine, costs in zip(results, decoding, strict=True):
        if costs:
            mine["decode"] = [1.0]
    figures = {name: _figure(*(mine[name] for mine in results)) for name, _, _ in FIGURES if results[0][name]}
    if "decode" in figures:
        figures["decode"] = _decode_figure(*decoding)
    lines = [
        f"{machine()}; load {os.getloadavg()[0]:.1f}; files on {file_system(options.directory)}",
        f"{options.runs} runs of {options.messages:,} messages; live {options.live_seconds} s each; medians",
        f"ours: {_commit(HERE)}",
        f"other: {_commit(other)}",
        *_table(figures),
        *_drivers(*decoding),
        json.dumps(figures),
        "",
    ]
    sys.stdout.write("\n".join(lines))
    return 3 if any(figure["ratio"] > WORSE for figure in figures.values()) else 0


async def _measure(directory: Path, theirs: Side, options: argparse.Namespace) -> tuple[Results, Results]:
    async with Influxd(directory / "influxd") as database:
        form = {"q": f'CREATE DATABASE "{theirs.database}"'}
        async with aiohttp.ClientSession(database.url) as client, client.post("/query", data=form) as answer:
            answer.raise_for_status()
        comparison = _Comparison(directory, database, theirs, options)
        for scenario in (comparison.draining, comparison.live, comparison.starting):
            sys.stderr.write(f"{scenario.__name__} ...\n")
            await scenario()
        await comparison.check()
        return comparison.results


def _decoding(their_python: Path, runs: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Let both decode our recordings, in turns; both are empty where the other's drivers cannot."""
    sys.stderr.write("decoding ...\n")
    costs: tuple[Results, Results] = defaultdict(list), defaultdict(list)
    sides = list(zip((Path(sys.executable), their_python), costs, strict=True))
    for run in range(runs):
        for python, results in sides if run % 2 else sides[::-1]:
            command = [str(python), str(HERE / "decode.py"), "--json", "--repeats", str(DECODE_REPEATS)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                sys.stderr.write(f"{python} cannot decode: {done.stderr.strip().splitlines()[-1]}\n")
                return {}, {}
            for name, cost in json.loads(done.stdout).items():
                results[name].append(cost)
    return costs


def _figure(ours: list[float], theirs: list[float]) -> dict[str, float]:
    pairs = [_ratio(one, other) for one, other in zip(ours, theirs, strict=True)]
    mine, other = statistics.median(ours), statistics.median(theirs)
    return {
        "ours": round(mine, 4),
        "other": round(other, 4),
        "ratio": round(_ratio(mine, other), 4),
        "least": round(min(pairs), 4),
        "most": round(max(pairs), 4),
    }


def _decode_figure(ours: Results, theirs: Results) -> dict[str, float]:
    """Return the geometric mean over those that both have: each counts the same, however dear it is."""
    ratios = [*_decode_ratios(ours, theirs).values()]
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    found = {"ours": mean, "other": 1.0, "ratio": mean, "least": min(ratios), "most": max(ratios)}
    return {name: round(value, 4) for name, value in found.items()}


def _decode_ratios(ours: Results, theirs: Results) -> dict[str, float]:
    both = sorted(ours.keys() & theirs.keys())
    return {name: statistics.median(ours[name]) / statistics.median(theirs[name]) for name in both}


def _ratio(ours: float, theirs: float) -> float:
    """Where nothing is counted at all, as bytes on a file system in memory, both are the same."""
    return ours / theirs if theirs else 1.0


def _table(figures: dict[str, dict[str, float]]) -> list[str]:
    lines = [f"{'':50}{'ours':>10}{'other':>10}   ratio (least to most)"]
    for name, what, digits in FIGURES:
        if name not in figures:
            continue
        one = figures[name]
        cells = f"{one['ours']:10,.{digits}f}{one['other']:10,.{digits}f}"
        worse = f"  <- worse by more than {WORSE - 1:.0%}" if one["ratio"] > WORSE else ""
        worse += ", though not in every run" if worse and one["least"] <= 1.0 else ""
        lines.append(f"{what:50}{cells}   {one['ratio']:.3f} ({one['least']:.2f} to {one['most']:.2f}){worse}")
    return lines


def _drivers(ours: Results, theirs: Results) -> list[str]:
    ratios = sorted(_decode_ratios(ours, theirs).items(), key=lambda pair: pair[1])
    if not ratios:
        return []
    shown = [*ratios[:SHOWN], *ratios[-SHOWN:]]
    return [
        "decoding, microseconds a frame or message: what became cheapest, and dearest",
        *(
            f"  {name:48}{statistics.median(ours[name]):10.1f}{statistics.median(theirs[name]):10.1f}   {ratio:.3f}"
            for name, ratio in shown
        ),
    ]


def _commit(directory: Path) -> str:
    command = ["git", "-C", str(directory), "log", "-1", "--format=%h %s"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or str(directory)
