"""``prehod run``: the daemon, in the foreground."""

import argparse

from gateway import app, logs


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--verbose", action="store_true", help="log details as well")


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    logs.configure(verbose=arguments.verbose)
    app.run(arguments.config)
    return 0
