"""``prehod check``: everything that is wrong with a configuration, without connecting to anything."""

import argparse
import json
from pathlib import Path

from gateway.daemon.catalogue import load_configuration
from gateway.errors import ConfigurationError
from gateway.sources.settings import HttpPollSettings, HttpSourceSettings, MqttSourceSettings, SerialSourceSettings
from gateway.units import many


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the file to check, instead of --config")


def run(arguments: argparse.Namespace) -> int:
    """Check; exit code 1 when something is wrong."""
    path = arguments.file or arguments.config
    try:
        configuration = load_configuration(path)
    except ConfigurationError as error:
        if not arguments.json:
            raise
        print(json.dumps({"file": str(path), "problems": list(error.problems)}))
        return 1
    sources = configuration.sources.values()
    devices = sum(len(source.all_devices()) for source in sources if isinstance(source, SerialSourceSettings))
    brokers = sum(isinstance(source, MqttSourceSettings) for source in sources)
    others = sum(isinstance(source, HttpSourceSettings | HttpPollSettings) for source in sources)
    if arguments.json:
        print(json.dumps({"file": str(path), "problems": []}))
    else:
        by_http = f" {many(others, 'HTTP source')}," if others else ""
        sinks = ", ".join(configuration.sinks) or "none: readings stay on disk"
        print(
            f"{path}: fine. {many(devices, 'serial device')}, {many(brokers, 'broker')},"
            f"{by_http} {many(len(configuration.sensors), 'named sensor')}"
        )
        print(f"sinks: {sinks}")
    return 0
