"""``prehod sim``: simulated devices for a gateway of your own, or a gateway of its own under every fault at once.

``city`` runs devices, and writes what they measured to a file; with ``--one-of-each`` one of
every kind that there is a driver or a codec for. ``torture`` runs servers, devices and a gateway with
an ordinary configuration, does faults drawn by a seed, and counts at the end what is lost and what is there twice.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from firmware_sim.bench.city import City, Pace, Size
from firmware_sim.bench.one_of_each import OneOfEach
from firmware_sim.servers.process import ServerFailed
from firmware_sim.torture.faults import FAULTS, Fault
from firmware_sim.torture.run import CALM, torture
from gateway.cli.numbers import between, seconds, whole
from gateway.config.explain import nearest
from gateway.errors import PrehodError


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    kinds = parser.add_subparsers(dest="simulation", metavar="SIMULATION", required=True)
    # --json may also stand behind the simulation's name.
    again = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    again.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    city = kinds.add_parser("city", help="devices on pseudo-terminals and over MQTT", parents=[again])
    city.add_argument(
        "--broker", type=_broker, default="mqtt://127.0.0.1:1883", metavar="URL", help="default mqtt://127.0.0.1:1883"
    )
    city.add_argument("--directory", type=Path, default=Path("city"), metavar="DIR", help="ports and files go there")
    city.add_argument("--seed", type=int, default=7, help="the same seed makes the same city")
    city.add_argument("--dust", type=whole(0, 10_000), default=2, metavar="N", help="SDS011 dust sensors (default 2)")
    city.add_argument("--radars", type=whole(0, 10_000), default=1, metavar="N", help="OPS243 radars (default 1)")
    city.add_argument(
        "--spots", type=whole(0, 10_000), default=40, metavar="N", help="TPS110 parking spots (default 40)"
    )
    city.add_argument("--stations", type=whole(0, 10_000), default=2, metavar="N", help="JSON stations (default 2)")
    city.add_argument(
        "--one-of-each", action="store_true", help="instead of these: one device for every driver and codec"
    )
    city.add_argument(
        "--rate", type=between(0.01, 1000), default=1.0, metavar="X", help="seconds of theirs in one of ours"
    )
    city.add_argument("--seconds", type=seconds, metavar="N", help="stop after N seconds instead of Ctrl-C")
    faults = kinds.add_parser("torture", help="faults of every kind, and a count of what was lost", parents=[again])
    faults.add_argument(
        "--seconds", type=seconds, default=60.0, metavar="N", help="faults for N seconds (default 60)"
    )
    faults.add_argument("--seed", type=int, default=1, help="the same seed draws the same faults")
    faults.add_argument(
        "--only", type=_faults, default=FAULTS, metavar="FAULT[,FAULT]", help=f"only these: {', '.join(_BY_NAME)}"
    )
    every = f"seconds from one fault to the next, on average (default {CALM:g})"
    faults.add_argument("--every", type=between(0, 3600), default=CALM, metavar="N", help=every)
    faults.add_argument(
        "--directory",
        type=Path,
        metavar="DIR",
        help="the gateway's data go there and stay, its log beside it; on a loop image the disk is filled too",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the devices until Ctrl-C, or the torture for its time.

    Exit code 1 when somebody did not listen to the end, or when something was lost, or is there twice.
    """
    if arguments.simulation == "torture":
        return _torture(arguments)
    return asyncio.run(_city(arguments))


_BY_NAME = {fault.name: fault for fault in FAULTS}


def _faults(names: str) -> tuple[Fault, ...]:
    for name in names.split(","):
        if name not in _BY_NAME:
            raise argparse.ArgumentTypeError(nearest(name, list(_BY_NAME), "fault"))
    return tuple(_BY_NAME[name] for name in names.split(","))


def _broker(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "mqtt" or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r}: write it as mqtt://host:port")
    return text


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PrehodError(f"{directory}: {error.strerror}") from None
    return directory.resolve()


def _torture(arguments: argparse.Namespace) -> int:
    own = None if arguments.directory else Path(tempfile.mkdtemp(prefix="prehod-torture-"))
    directory = (own / "gateway" if own else arguments.directory).resolve()
    if (directory / "data").exists():
        raise PrehodError(f"{directory} has the data of an earlier run, which would be counted as well")
    _made(directory)
    try:
        outcome = asyncio.run(
            torture(
                directory,
                [sys.executable, "-m", "gateway.cli.main", "run", "--config"],
                seconds=arguments.seconds,
                seed=arguments.seed,
                faults=arguments.only,
                calm=arguments.every,
                tell=(lambda _: None) if arguments.json else (lambda line: print(line, flush=True)),
            )
        )
    except ServerFailed as error:
        raise PrehodError(str(error)) from None
    if own and outcome.passed:
        shutil.rmtree(own, ignore_errors=True)
    else:
        print(f"the gateway's data: {directory}, its log: {directory}-prehod.log", file=sys.stderr)
    print(json.dumps(outcome.as_json()) if arguments.json else f"\n{outcome.table()}")
    return 0 if outcome.passed else 1


async def _city(arguments: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    directory, seed, broker, rate = _made(arguments.directory), arguments.seed, arguments.broker, arguments.rate
    city: City | OneOfEach
    if arguments.one_of_each:
        city = OneOfEach(seed, directory, broker=broker, rate=rate, keep_truth=True)
    else:
        size = Size(arguments.dust, arguments.radars, arguments.spots, arguments.stations)
        city = City(seed, directory, broker=broker, size=size, pace=Pace(rate=rate), keep_truth=True)
    async with city:
        sources = directory / "sources.toml"
        sources.write_text(city.sources_toml(), encoding="utf-8")
        if not arguments.json:
            print(f"sources for the gateway's configuration: {sources}")
            print(f"what the devices measured:               {directory / 'truth.jsonl'}", flush=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(arguments.seconds):
                await stop.wait()
        heard = await city.stop_measuring()
    if arguments.json:
        print(json.dumps({"measured": dict(city.truth.counts), "heard_to_the_end": heard}))
    else:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(city.truth.counts.items()))
        print(f"measured: {counts or 'nothing, nobody listened'}")
    return 0 if heard else 1
