"""What a reading costs from the broker to the database, beside a floor measured in the same run.

    python tests/benchmarks/pipeline.py [--messages N] [--runs N] [--live-seconds N] [--directory DIR] [--against DIR]

The floor of receiving is `bare_client.py`; that of writing is a bare append with an fdatasync each second. Figures
are medians of the runs; a ratio is taken pair by pair, since machines are noisy. Prints a table for people and, as
its last line, JSON. Exit code 2: a server is missing; 1: something did not do its work. With ``--against``, another
checkout takes the place of the floor, see `against`; exit code 3: a figure is worse than there by more than 3 %.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from firmware_sim.servers.process import ServerFailed
from firmware_sim.servers.servers import Influxd, Mosquitto
from tests.benchmarks import against, decode, scenarios
from tests.benchmarks.measure import IN_MEMORY, file_system, machine
from tests.benchmarks.rig import BenchFailed, stored
from tests.benchmarks.scenarios import LIVE_RATE, NARROW, Bench, Figures

TABLE = (
    # what, ours, the floor, the ratio, digits
    ("draining a backlog", "", "", "", 0),
    ("  readings a second", "drain_readings_per_s", "bare_client_messages_per_s", "", 0),
    ("  CPU microseconds a reading", "drain_cpu_us", "bare_client_cpu_us", "drain_ratio", 1),
    (f"  readings a second, window of {NARROW}", f"drain_readings_per_s_window_{NARROW}", "", "", 0),
    (f"live, {LIVE_RATE:,} a second", "", "", "", 0),
    ("  CPU microseconds a reading", "live_cpu_us", "bare_live_cpu_us", "live_ratio", 1),
    ("  bytes written to the device a reading", "written_bytes_per_reading", "bare_append_bytes_per_reading", "", 0),
    ("  the same while draining", "drain_written_bytes_per_reading", "", "", 0),
    ("  bytes a reading in the spool, as text", "spool_bytes_per_reading", "line_bytes", "", 0),
    ("the process", "", "", "", 0),
    ("  resident MiB, at most", "rss_mb", "bare_client_rss_mb", "", 0),
    ("  resident MiB, live", "live_rss_mb", "", "", 0),
    ("  seconds to start", "startup_s", "bare_client_startup_s", "", 2),
)


def main() -> int:
    """Run the benchmark."""
    options = _options()
    for server, package in ((Mosquitto, "mosquitto"), (Influxd, "influxdb")):
        if not server.available():
            sys.stderr.write(f"the benchmark needs {package}: sudo apt-get install {package}\n")
            return 2
    with tempfile.TemporaryDirectory(prefix="prehod-bench-", dir=options.directory) as directory:
        try:
            if options.against:
                return against.compare(Path(directory), options)
            figures = asyncio.run(_measure(Path(directory), options))
        except (BenchFailed, ServerFailed) as error:
            sys.stderr.write(f"the benchmark failed: {error}\n")
            return 1
        except TimeoutError:
            sys.stderr.write("the benchmark failed: messages did not arrive in time\n")
            return 1
    costs = decode.decode_costs()
    rounded = {name: None if figure is None else round(figure, 3) for name, figure in figures.items()}
    lines = [
        f"{machine()}; load {os.getloadavg()[0]:.1f}; files on {file_system(options.directory)}",
        f"{options.runs} runs of {options.messages:,} messages; live {options.live_seconds} s each; medians",
        *_table(figures),
        *decode.table(costs),
        json.dumps(rounded | {"decode_us": {name: round(cost, 2) for name, cost in costs.items()}}),
        "",
    ]
    sys.stdout.write("\n".join(lines))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a reading costs, beside a floor.")
    parser.add_argument("--messages", type=int, default=20_000, help="a backlog's; default 20000")
    parser.add_argument("--runs", type=int, default=5, help="default 5")
    parser.add_argument("--live-seconds", type=int, default=4, help="of each live run; default 4")
    default = _default_directory()
    parser.add_argument("--directory", type=Path, default=default, help=f"on a real disk; default {default}")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, with an environment in .venv")
    return parser.parse_args()


def _default_directory() -> Path:
    """Return the usual directory for temporary files or, where that is in memory, ``.bench`` beside the sources."""
    temporary = Path(tempfile.gettempdir())
    if file_system(temporary) not in IN_MEMORY:
        return temporary
    beside = Path(__file__).parents[2] / ".bench"
    beside.mkdir(exist_ok=True)
    return beside


async def _measure(directory: Path, options: argparse.Namespace) -> Figures:
    async with Influxd(directory / "influxd") as database:
        bench = Bench(directory, database, options.messages, options.runs, options.live_seconds)
        figures: Figures = {}
        for scenario in (scenarios.draining, scenarios.narrow_window, scenarios.live):
            sys.stderr.write(f"{scenario.__name__.replace('_', ' ')} ...\n")
            figures |= await scenario(bench)
        found = await stored(database)
        if found != bench.published:
            raise BenchFailed(f"{bench.published} readings were published, {found} are stored")
        return figures


def _table(figures: Figures) -> list[str]:
    lines = [f"{'':42}{'Prehod':>10}{'floor':>10}   ratio (least to most)"]
    for what, ours, floor, ratio, digits in TABLE:
        cells = "".join(_cell(figures, name, digits) for name in (ours, floor))
        if ratio:
            cells += f"   {figures[ratio]:.2f} ({figures[f'{ratio}_min']:.2f} to {figures[f'{ratio}_max']:.2f})"
        lines.append(f"{what:42}{cells}".rstrip())
    return lines


def _cell(figures: Figures, name: str, digits: int) -> str:
    if not name:
        return " " * 10
    figure = figures[name]
    # On a file system in memory nothing is written to any device.
    return f"{'in memory':>10}" if figure is None else f"{figure:10,.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
