"""``prehod``: finds the command and calls it; imports only what that one needs, for a small board starts slowly."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from gateway import __version__
from gateway.errors import ConfigurationError, PrehodError

DEFAULT_CONFIG = Path("/etc/prehod/prehod.toml")

COMMANDS = {
    "run": "run the gateway in the foreground; systemd's job",
    "check": "check a configuration file and say everything that is wrong with it",
    "drivers": "list the devices and payloads that are understood, or all about one",
    "probe": "find out which device is on a serial port",
    "decode": "explain the bytes of a device, field by field",
    "watch": "show the live topics of a broker as a table",
    "spool": "the readings kept on disk: status, losses, verify, quarantine, replay, cat, export",
    "refused": "messages that became no reading, kept on disk: list, show, retry, drop",
    "demo": "run the whole thing with simulated devices and compare with the truth",
    "sim": "run a city of simulated devices, or a gateway under every fault at once",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns 0 when all is fine, 1 when a problem was found, 2 for wrong use."""
    parser = _parser(arguments if arguments is not None else sys.argv[1:])
    parsed, more = parser.parse_known_args(arguments)
    if more and ("words" not in parsed or any(word.startswith("-") and word != "-" for word in more)):
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    elif more:  # argparse takes no more words behind an option
        parsed.words += more
    if parsed.command is None:
        parser.print_help()
        return 2
    module = importlib.import_module(f"gateway.cli.{parsed.command}")
    try:
        code = int(module.run(parsed))
        sys.stdout.flush()  # here, where a reader that went away is expected
    except ConfigurationError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 1
    except PrehodError as error:
        print(f"prehod {parsed.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `prehod ... | head`: the reader has seen enough. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prehod", description="A gateway for smart-city sensors.")
    parser.add_argument("--version", action="version", version=f"prehod {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}"
    )
    common.add_argument("--json", action="store_true", help="print JSON, for machines")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    wanted = next((argument for argument in arguments if argument in COMMANDS), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary, parents=[common])
        if name == wanted:
            importlib.import_module(f"gateway.cli.{name}").configure(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
