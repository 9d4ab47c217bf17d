"""``prehod sim city``: simulated devices for a gateway of your own, and a file that says what they measured."""

import argparse
import asyncio
import json
import signal
from contextlib import suppress
from pathlib import Path

from firmware_sim.city import City, Pace, Size


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    kinds = parser.add_subparsers(dest="simulation", metavar="SIMULATION", required=True)
    # --json may also stand behind the simulation's name.
    again = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    again.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    city = kinds.add_parser("city", help="devices on pseudo-terminals and over MQTT", parents=[again])
    city.add_argument(
        "--broker", default="mqtt://127.0.0.1:1883", metavar="URL", help="default mqtt://127.0.0.1:1883"
    )
    city.add_argument("--directory", type=Path, default=Path("city"), metavar="DIR", help="ports and files go there")
    city.add_argument("--seed", type=int, default=7, help="the same seed makes the same city")
    city.add_argument("--dust", type=int, default=2, metavar="N", help="SDS011 dust sensors (default 2)")
    city.add_argument("--radars", type=int, default=1, metavar="N", help="OPS243 radars (default 1)")
    city.add_argument("--spots", type=int, default=40, metavar="N", help="TPS110 parking spots (default 40)")
    city.add_argument("--stations", type=int, default=2, metavar="N", help="JSON stations (default 2)")
    city.add_argument("--rate", type=float, default=1.0, metavar="X", help="seconds of theirs in one of ours")
    city.add_argument("--seconds", type=float, metavar="N", help="stop after N seconds instead of Ctrl-C")


def run(arguments: argparse.Namespace) -> int:
    """Run the devices until Ctrl-C; exit code 1 when somebody did not listen to the end."""
    return asyncio.run(_city(arguments))


async def _city(arguments: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    size = Size(arguments.dust, arguments.radars, arguments.spots, arguments.stations)
    directory = arguments.directory.resolve()
    pace = Pace(rate=arguments.rate)
    city = City(arguments.seed, directory, broker=arguments.broker, size=size, pace=pace, keep_truth=True)
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
