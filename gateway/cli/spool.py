"""``prehod spool``: look into a spool, beside a running daemon or on a card reader.

What is here only reads, and takes no lock; `gateway.cli.spool_ask` is what changes something.
"""

import argparse
import functools
import json
import os
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from gateway.cli import spool_ask
from gateway.errors import PrehodError
from gateway.spool import Piece, SpoolSettings, SpoolStatus, SpoolView, format_time
from gateway.spool.export import FORMATS, readings
from gateway.spool.pressure import room_left, say_hours
from gateway.units import format_size, many, parse_duration

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIMES = "2024-11-22, 2024-11-22T13:20:00Z, or 6h for six hours ago"


class _Misuse(Exception):
    """What the user has to hear, with the fix, in one line."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--dir", type=Path, metavar="DIR", help="a spool directory; default: the configuration's")
    wait = f"how long to wait for the gateway to do what is asked; default: {spool_ask.WAIT:g}s"
    parser.add_argument("--wait", type=parse_duration, metavar="TIME", default=spool_ask.WAIT, help=wait)
    commands = parser.add_subparsers(dest="spool_command", required=True, metavar="COMMAND")
    # The general options may also stand behind the command's name, and then win.
    again = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    again.add_argument("--dir", type=Path, help=argparse.SUPPRESS)
    again.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    again.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    again.add_argument("--wait", type=parse_duration, help=argparse.SUPPRESS)
    add = functools.partial(_command, commands, again)
    add("status", "how much there is, and what is pending for each sink")
    add("losses", "what was lost, how much, whose, when and why")
    verify = add("verify", "read everything and name every damaged place")
    verify.add_argument("--repair", action="store_true", help="and set it aside, into damaged/ and the loss ledger")
    replay = add("replay", "send kept readings to a database again, beside the gateway")
    replay.add_argument("--sink", required=True, help="the database's name in the configuration")
    replay.add_argument("--since", type=parse_time, metavar="TIME", required=True, help=f"from then on: {_TIMES}")
    replay.add_argument("--until", type=parse_time, metavar="TIME", help="before then; default: now")
    gentle = "readings a second; default: 1000, or less where the configuration says max_rate"
    replay.add_argument("--rate", type=_positive, metavar="N", help=gentle)
    spool_ask.configure_quarantine(
        add("quarantine", "dead letters and lines of unknown sensors: list, show, requeue, drop"), again
    )
    cat = add("cat", "print the readings as line protocol")
    export = add("export", "write the readings for other programs")
    for command in (cat, export):
        command.add_argument("--since", type=parse_time, metavar="TIME", help=f"readings from then on: {_TIMES}")
        command.add_argument("--until", type=parse_time, metavar="TIME", help="readings before then")
    export.add_argument("--format", choices=tuple(FORMATS), default="csv", help="default: %(default)s, a row a field")
    export.add_argument("--output", type=Path, metavar="FILE", help="default: standard output")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    again: argparse.ArgumentParser,
    name: str,
    what: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(name, parents=[again], help=what, description=what)


def run(arguments: argparse.Namespace) -> int:
    """Do it; exit code 1 when something is damaged or lost, 2 when there is no spool to look into."""
    commands = {
        "status": _status,
        "verify": _verify,
        "losses": spool_ask.losses,
        "replay": _replay,
        "quarantine": spool_ask.quarantine,
        "cat": _cat,
        "export": _export,
    }
    try:
        return commands[arguments.spool_command](arguments, _look(arguments))
    except BrokenPipeError:
        # `| head` has seen enough; what Python still holds must go somewhere at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (_Misuse, PrehodError) as error:
        _note(str(error))
        return 2


def parse_time(text: str) -> int:
    """Return nanoseconds UTC for a date, an ISO 8601 time (UTC if it does not say), or a duration before now."""
    try:
        time = datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no time; write for example {_TIMES}") from error
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (time - _EPOCH) // _MICROSECOND * 1000


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of readings; write for example 500")
    return int(text)


def _look(arguments: argparse.Namespace) -> SpoolView:
    root, fix = arguments.dir, "give the directory that holds the *.lp.gz files"
    if root is None:
        from gateway.config.load import load_gateway_data_dir  # noqa: PLC0415 -- not needed with --dir

        root, fix = load_gateway_data_dir(arguments.config) / "spool", "start the gateway, or give --dir"
    elif (root / "spool").is_dir():  # a whole data_dir, from a card reader
        root /= "spool"
    if root.is_dir() and not os.access(root, os.R_OK | os.X_OK):
        raise _Misuse(f"you may not read {root}: use sudo, or join the group that owns it")
    if not (root / "cursors").is_dir() and not any(root.glob("*.lp.gz")):
        raise _Misuse(f"there is no spool in {root}: {fix}")
    return SpoolView.look(root)


def _status(arguments: argparse.Namespace, spool: SpoolView) -> int:
    status = spool.status()
    if arguments.json:
        print(
            json.dumps(
                {
                    "directory": str(spool.root),
                    **asdict(status),
                    "broken_cursors": spool.cursors.broken,
                    "problems": spool.problems,
                }
            )
        )
    else:
        _print_status(spool, status, None if arguments.dir else _bounds(arguments.config))
    unwell = status.damaged or status.losses or any(status.quarantined_bytes.values())
    return 1 if unwell or spool.cursors.broken or spool.problems else 0


def _print_status(spool: SpoolView, status: SpoolStatus, bounds: SpoolSettings | None) -> None:
    from rich.console import Console  # noqa: PLC0415 -- only tables need it
    from rich.table import Table  # noqa: PLC0415

    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in (
        ("spool", str(spool.root)),
        ("readings", f"{status.readings:,}, numbers {status.oldest_seq:,} to before {status.next_seq:,}"),
        ("times", f"{_moment(status.oldest_time)} to {_moment(status.newest_time)}" if status.readings else "-"),
        ("size", f"{format_size(status.bytes)} in {many(status.segments, 'segment')}"),
        ("free", format_size(status.free_bytes)),
        ("damaged", f"{many(status.damaged, 'piece')} in damaged/" if status.damaged else "nothing"),
        ("lost", f"{many(status.lost_readings, 'reading')}, see prehod spool losses" if status.losses else "nothing"),
        *((f"quarantine {sink}", format_size(size)) for sink, size in status.quarantined_bytes.items()),
        *(("lasts", words) for words in _lasts(spool, status, bounds)),
        *(("problem", problem) for problem in spool.problems),
        *((f"cursor {sink}", "broken: sending starts at the oldest reading") for sink in spool.cursors.broken),
    ):
        facts.add_row(name, value)
    sinks = Table(box=None, pad_edge=False)
    for heading in ("sink", "has all before", "pending", "oldest pending", "for"):
        sinks.add_column(heading, justify="right" if heading in ("has all before", "pending", "for") else "left")
    ages = status.ages(time.time_ns())
    for name, sink in status.sinks.items():
        age = say_hours(ages[name] / 3600) if name in ages else "-"
        sinks.add_row(name, f"{sink.next_seq:,}", f"{sink.pending:,}", _moment(sink.oldest_pending), age)
    console = Console(highlight=False, soft_wrap=True)
    console.print(facts)
    if status.sinks:
        console.print()
        console.print(sinks)


def _bounds(config: Path) -> SpoolSettings | None:
    """Return what the configuration sets about the spool, ``None`` where it does not say it right."""
    from gateway.config.models import SpoolTable  # noqa: PLC0415 -- not needed with --dir

    with suppress(OSError, ValueError):
        return SpoolTable.model_validate(tomllib.loads(config.read_text(encoding="utf-8")).get("spool", {}))
    return None


def _lasts(spool: SpoolView, status: SpoolStatus, bounds: SpoolSettings | None) -> Iterator[str]:
    """Say how long the room lasts at the pace of the newest segments, should no sink take anything."""
    newest = [segment for segment in spool.segments[-2:] if segment.t_min is not None and segment.t_max is not None]
    if not newest or bounds is None:
        return
    seconds = (max(s.t_max or 0 for s in newest) - min(s.t_min or 0 for s in newest)) / 1e9
    if seconds < 60:
        return
    rate = sum(segment.size for segment in newest) / seconds
    stored, undelivered = status.bytes, status.undelivered_bytes
    met = {"max_bytes": bounds.max_bytes, "min_free_bytes": bounds.min_free_bytes}
    room = room_left(stored, undelivered, status.free_bytes, **met)
    readings = sum(segment.readings for segment in newest) / seconds
    yield f"about {say_hours(room / rate / 3600)} if no sink takes anything, at {readings:,.1f} readings a second"


def _moment(time: int | None) -> str:
    return "-" if time is None else format_time(time // 10**9 * 10**9)


def _replay(arguments: argparse.Namespace, spool: SpoolView) -> int:
    from gateway.cli import spool_replay  # noqa: PLC0415 -- it brings drivers and sinks along

    return spool_replay.run(arguments, spool)


def _verify(arguments: argparse.Namespace, spool: SpoolView) -> int:
    if arguments.repair:
        return spool_ask.repair(arguments, spool)
    count, damaged, problems = spool.verify()
    if arguments.json:
        places = [
            {"segment": piece.name, "offset": piece.offset, "length": piece.length, "what": piece.reason}
            for piece in damaged
        ]
        print(json.dumps({"readings": count, "damaged": places, "problems": problems}))
    else:
        for place in (*map(str, damaged), *problems):
            print(place)
        print(f"{many(count, 'reading')} sound, {many(len(damaged), 'damaged place')}")
    return 1 if damaged or problems else 0


def _cat(arguments: argparse.Namespace, spool: SpoolView) -> int:
    return _write(arguments, spool, sys.stdout.buffer, "jsonl" if arguments.json else "lp")


def _export(arguments: argparse.Namespace, spool: SpoolView) -> int:
    path: Path | None = arguments.output
    form = "jsonl" if arguments.json else arguments.format
    if path is None:
        return _write(arguments, spool, sys.stdout.buffer, form)
    try:
        output = path.open("wb")
    except OSError as error:
        raise _Misuse(f"cannot write {path}: {error.strerror}") from error
    with output:
        return _write(arguments, spool, output, form)


def _write(arguments: argparse.Namespace, spool: SpoolView, output: BinaryIO, form: str) -> int:
    damaged: list[Piece] = []
    since, until = arguments.since, arguments.until
    FORMATS[form](readings(spool.reader(damaged.append).members(since, until), since, until), output)
    output.flush()
    if since is not None or until is not None:
        unclear = sum(header.count for header in spool.reader().headers() if header.boot)
        if unclear:
            _note(f"left out {unclear:,} readings without UTC times; without --since and --until they are there")
    for place in (*map(str, damaged), *spool.problems):
        _note(place)
    return 1 if damaged or spool.problems else 0


def _note(text: str) -> None:
    print(f"prehod spool: {text}", file=sys.stderr)
