"""The daemon as a process: a configuration file in, and signals that end it."""

import asyncio
import os
import signal
from pathlib import Path

from gateway.config.models import Configuration
from gateway.daemon.app import Daemon
from gateway.daemon.catalogue import load_configuration


def run(path: Path) -> None:
    """Run the daemon on a configuration file until SIGTERM or SIGINT; a second signal leaves at once."""
    asyncio.run(_run(load_configuration(path)))


async def _run(configuration: Configuration) -> None:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)  # nothing is lost: the spool is the truth
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    daemon = Daemon(configuration)
    try:
        await daemon.run(stop)
    finally:
        daemon.close()
