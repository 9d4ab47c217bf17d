"""The measurements: draining a backlog, live, through a narrow window, starting; each gives names and figures.

Draining: the daemon and the bare client are connected, warm and stopped while messages gather at Mosquitto for both;
then each in its turn goes on, and its CPU and time count from there until its last message: for Prehod until the
database has it. Live: messages come one by one, a thousand a second, to each in its turn.
"""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.servers.servers import Influxd, Mosquitto
from tests.benchmarks.measure import IN_MEMORY, Usage, bare_append, file_system
from tests.benchmarks.rig import Bare, Daemon, Receiver, publish

LIVE_RATE = 1000
WARM_UP = 1000
"""Messages that each receiver takes before it is measured."""

NARROW = 20
"""Mosquitto's ``max_inflight_messages`` where nobody sets it."""

Figures = dict[str, float | None]


@dataclass(slots=True)
class Bench:
    """The sizes, and the database; ``published`` numbers the daemon's readings, so that no two are the same."""

    directory: Path
    database: Influxd
    messages: int
    runs: int
    live_seconds: int
    published: int = 0

    async def publish(self, broker: Mosquitto, level: str, count: int, rate: float = 0.0) -> None:
        """Publish readings on ``level/+/air``; the daemon takes those on ``bench``."""
        await publish(broker, level, self.published, count, rate)
        if level == "bench":
            self.published += count


@dataclass(frozen=True, slots=True)
class Spent:
    """What a receiver used for each message: microseconds of CPU, bytes written; and how many a second it took."""

    cpu_us: float
    written: float
    a_second: float


class Clock:
    """Measures one receiver from now on."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._before: Usage = receiver.usage
        self._began = time.monotonic()

    async def until(self, count: int) -> Spent:
        """Wait until it has taken so many more messages; return what each took."""
        receiver, before = self._receiver, self._before
        receiver.handled += count
        await receiver.reach(receiver.handled)
        seconds = time.monotonic() - self._began
        after = receiver.usage
        return Spent(
            (after.cpu - before.cpu) / count * 1e6, (after.written - before.written) / count, count / seconds
        )


async def draining(bench: Bench) -> Figures:
    """Let both drain the same backlogs; who is first changes from run to run."""
    home = bench.directory / "draining"
    totals = [WARM_UP + run * bench.messages for run in range(bench.runs + 1)]
    ours: list[Spent] = []
    floor: list[Spent] = []
    async with (
        Mosquitto(home / "broker", persistence=False) as broker,
        Daemon(home / "prehod", broker, bench.database) as daemon,
        Bare(broker.port, "bare", "bench/+/air", totals) as bare,
    ):
        await daemon.start()
        await daemon.subscribed()
        await bare.start()
        await bench.publish(broker, "bench", WARM_UP)
        await _warm_up(daemon)
        await _warm_up(bare)
        for run in range(bench.runs):
            daemon.freeze()
            bare.freeze()
            await bench.publish(broker, "bench", bench.messages)
            turns: list[tuple[Receiver, list[Spent]]] = [(daemon, ours), (bare, floor)]
            for receiver, results in turns if run % 2 else turns[::-1]:
                clock = Clock(receiver)
                receiver.thaw()
                results.append(await clock.until(bench.messages))
            await daemon.idle()
        return {
            "drain_readings_per_s": _median(spent.a_second for spent in ours),
            "bare_client_messages_per_s": _median(spent.a_second for spent in floor),
            "drain_cpu_us": _median(spent.cpu_us for spent in ours),
            "bare_client_cpu_us": _median(spent.cpu_us for spent in floor),
            **_ratios("drain_ratio", ours, floor),
            "drain_written_bytes_per_reading": _median(spent.written for spent in ours) if _real(home) else None,
            "rss_mb": daemon.usage.peak,
            "bare_client_rss_mb": bare.usage.peak,
        }


async def narrow_window(bench: Bench) -> Figures:
    """Drain once from a broker that begins with so few unacknowledged messages.

    In MQTT 3.1.1, since in MQTT 5 the client's own Receive Maximum takes the place of Mosquitto's setting. Mosquitto
    2.0.11 sends another windowful for every acknowledgement while a backlog lasts, so the first commits are small and
    the next are not.
    """
    home = bench.directory / "narrow"
    count = max(NARROW, bench.messages // 2)
    async with (
        Mosquitto(home / "broker", persistence=False, max_inflight_messages=NARROW) as broker,
        Daemon(home / "prehod", broker, bench.database, protocol="3.1.1") as daemon,
    ):
        await daemon.start()
        await daemon.subscribed()
        await daemon.idle()
        daemon.freeze()
        await bench.publish(broker, "bench", count)
        clock = Clock(daemon)
        daemon.thaw()
        spent = await clock.until(count)
        return {f"drain_readings_per_s_window_{NARROW}": spent.a_second}


async def live(bench: Bench) -> Figures:
    """Give both the same load, each in its turn and on a topic of its own; then start both again and again."""
    home = bench.directory / "live"
    count = LIVE_RATE * bench.live_seconds
    ours: list[Spent] = []
    floor: list[Spent] = []
    async with (
        Mosquitto(home / "broker", persistence=False) as broker,
        Daemon(home / "prehod", broker, bench.database) as daemon,
        Bare(broker.port, "bare", "floor/+/air", [WARM_UP + run * count for run in range(bench.runs + 1)]) as bare,
    ):
        await daemon.start()
        await daemon.subscribed()
        await bare.start()
        turns: list[tuple[Receiver, str, list[Spent]]] = [(daemon, "bench", ours), (bare, "floor", floor)]
        for receiver, level, _ in turns:
            await bench.publish(broker, level, WARM_UP)
            await _warm_up(receiver)
        for run in range(bench.runs):
            for receiver, level, results in turns if run % 2 else turns[::-1]:
                clock = Clock(receiver)
                await bench.publish(broker, level, count, LIVE_RATE)
                results.append(await clock.until(count))
        await daemon.idle()
        resident = daemon.usage.resident
        await daemon.stop()
        await bare.stop()
        return {
            "live_cpu_us": _median(spent.cpu_us for spent in ours),
            "bare_live_cpu_us": _median(spent.cpu_us for spent in floor),
            **_ratios("live_ratio", ours, floor),
            "live_rss_mb": resident,
            **_writing(daemon, _median(spent.written for spent in ours)),
            "startup_s": await _starting(daemon, bench.runs),
            "bare_client_startup_s": await _starting(bare, bench.runs),
        }


async def _warm_up(receiver: Receiver) -> None:
    await Clock(receiver).until(WARM_UP)
    await receiver.idle()


def _writing(daemon: Daemon, written: float) -> Figures:
    """Compare with the bare append of the very lines that the daemon wrote."""
    lines = daemon.lines()
    bare = bare_append(daemon.spool.parent / "bare.lp", lines, LIVE_RATE)
    real = _real(daemon.spool)
    return {
        "written_bytes_per_reading": written if real else None,
        "bare_append_bytes_per_reading": bare if real else None,
        "spool_bytes_per_reading": sum(file.stat().st_size for file in daemon.segments()) / len(lines),
        "line_bytes": sum(map(len, lines)) / len(lines),
    }


async def _starting(receiver: Receiver, runs: int) -> float:
    seconds = []
    for _ in range(runs):
        seconds.append(await receiver.start())
        await receiver.idle()
        await receiver.stop()
    return _median(seconds)


def _real(directory: Path) -> bool:
    """Tell whether what is written to a directory goes to a device at all."""
    return file_system(directory) not in IN_MEMORY


def _ratios(name: str, ours: list[Spent], floor: list[Spent]) -> Figures:
    """Return how many times the floor's CPU the daemon used: the median of the runs, the least, the most."""
    ratios = [one.cpu_us / other.cpu_us for one, other in zip(ours, floor, strict=True)]
    return {name: _median(ratios), f"{name}_min": min(ratios), f"{name}_max": max(ratios)}


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
