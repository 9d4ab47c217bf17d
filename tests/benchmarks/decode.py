"""What decoding costs: microseconds for each frame or message, for every driver and codec, over its recordings.

    python tests/benchmarks/decode.py [--repeats N] [--json]

Each recording is played again and again, each time to a fresh decoder, whose making is not counted. A serial driver's
cost is for each measurement or reject that comes out, since its bytes may come cut anywhere; an MQTT driver's and a
codec's for each message that goes in. Recordings are short and often about damage: the figures tell drivers apart and
show which became slower, and are no promise for a device.
"""

import argparse
import json
import statistics
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import drivers
from gateway.contract import Codec, Driver, MqttLink, SerialLink

RECORDINGS = Path(__file__).parents[1] / "recordings"
REPEATS = 7
SECONDS = 0.03
"""How long each repeat plays each recording."""

Step = Callable[[], Iterable[object]]
"""One call of a decoder, with its arguments."""


def decode_costs(repeats: int = REPEATS) -> dict[str, float]:
    """Return name -> microseconds a frame or message over all recordings, the median of the repeats."""
    devices: list[Driver | Codec] = [*drivers.load_all(), *drivers.load_all_codecs()]
    costs = {}
    for device in devices:
        recordings = _recordings(device)
        if recordings:
            costs[device.name] = statistics.median(_cost(device, recordings) for _ in range(repeats)) * 1e6
    return costs


def table(costs: Mapping[str, float]) -> list[str]:
    """Return the lines for people."""
    return [
        "decoding, microseconds a frame or message",
        *(f"  {name:40}{cost:10.1f}" for name, cost in costs.items()),
    ]


def _recordings(device: Driver | Codec) -> list[dict[str, Any]]:
    folder = RECORDINGS / "codecs" / device.name if isinstance(device, Codec) else RECORDINGS / device.name
    return [tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.toml"))]


def _cost(device: Driver | Codec, recordings: list[dict[str, Any]]) -> float:
    """Return the CPU seconds for each frame or message, every recording having its turn."""
    seconds, frames = 0.0, 0
    serial = isinstance(device, Driver) and isinstance(device.link, SerialLink)
    for recording in recordings:
        spent = 0.0
        while spent < SECONDS:
            steps = _steps(device, recording)
            began = time.process_time()
            said = [len(list(step())) for step in steps]
            spent += time.process_time() - began
            frames += sum(said) if serial else len(steps)
        seconds += spent
    return seconds / max(1, frames)


def _steps(device: Driver | Codec, recording: Mapping[str, Any]) -> list[Step]:
    """Return the calls that play a recording to a fresh decoder; `tests/drivers/conftest.py` describes recordings."""
    options = device.options.model_validate(recording.get("options", {}))
    feeds = [(feed, _data(feed)) for feed in recording["feed"]]
    if isinstance(device, Codec):
        return [partial(device.decode, feed["port"], data, options) for feed, data in feeds]
    decoder: Any = device.decoder(options)
    if isinstance(device.link, MqttLink):
        return [partial(decoder.decode, feed["topic"], data) for feed, data in feeds]
    steps: list[Step] = []
    at = 0.0
    for feed, data in feeds:
        at = feed.get("at", at)
        steps.append(partial(decoder.feed, data, int(at * 1e9)))
    return [*steps, decoder.finish]


def _data(feed: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(feed["hex"]) if "hex" in feed else feed["text"].encode()


def main() -> None:
    """Print the costs."""
    parser = argparse.ArgumentParser(description="What decoding costs.")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"default {REPEATS}")
    parser.add_argument("--json", action="store_true", help="one line for machines")
    options = parser.parse_args()
    costs = decode_costs(options.repeats)
    lines = [json.dumps(costs)] if options.json else table(costs)
    sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main()
