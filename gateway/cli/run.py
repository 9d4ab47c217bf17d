"""``prehod run``: the daemon, in the foreground."""

import argparse
import sys

# structlog draws tracebacks with rich where it finds it: 4 MiB that a daemon has no use for.
sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # None is Python's own way to say "not importable"

from gateway import logs  # noqa: E402 -- after the line above
from gateway.daemon import process  # noqa: E402 -- after the line above


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--verbose", action="store_true", help="log details as well")


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    logs.configure(verbose=arguments.verbose)
    process.run(arguments.config)
    return 0
