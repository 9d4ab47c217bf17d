"""What ``prehod spool`` changes: the quarantine, and repairs. Safe beside a running daemon.

A request is put into the spool; the daemon carries it out within a second or two and answers. Where none runs, the
command takes the lock and does it itself, in the same way. As root it acts as the directory's owner, so that no file
appears that the daemon could not write to.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gateway.errors import SpoolError, SpoolLocked
from gateway.spool import UNKNOWN_SENSORS, QuarantinedLine, Spool, SpoolSettings, SpoolView
from gateway.spool.cursors import Cursors
from gateway.spool.filesystem import OsFilesystem
from gateway.spool.requests import Answer, Request, answer_to, submit
from gateway.units import format_size, many

WAIT = 30.0
"""Seconds that a command waits for the answer; the request stays where it is."""

_NO_BOUNDS = SpoolSettings(max_bytes=1 << 62, min_free_bytes=0, on_full="refuse_new")
"""A command knows nothing of the daemon's bounds, and deletes nothing for room."""


def configure_quarantine(parser: argparse.ArgumentParser, again: argparse.ArgumentParser) -> None:
    """Describe ``prehod spool quarantine``."""
    commands = parser.add_subparsers(dest="quarantine_command", required=True, metavar="COMMAND")
    whose = "whose lines there are, how many, and why"
    commands.add_parser("list", parents=[again], help=whose, description=whose)
    for name, summary in (
        ("show", "print lines with the words above them"),
        ("requeue", "put lines back into the spool, once the cause is mended"),
        ("drop", "give lines up; the loss ledger will say so"),
    ):
        command = commands.add_parser(name, parents=[again], help=summary, description=summary)
        command.add_argument(
            "sink", metavar="WHOSE", help='a database, or "unknown" for sensors that were not configured'
        )
        if name == "drop":
            which = command.add_mutually_exclusive_group(required=True)
            which.add_argument("--all", action="store_true", help="all of them")
            which.add_argument("--match", metavar="TEXT", help="those with this in the line or the words")
        else:
            command.add_argument("--match", metavar="TEXT", help="only those with this in the line or the words")


def quarantine(arguments: argparse.Namespace, spool: SpoolView) -> int:
    """List, show, requeue or drop; 1 when something is there for a person to decide."""
    if arguments.quarantine_command == "list":
        return _list(spool, as_json=arguments.json)
    match, status = arguments.match, spool.status()
    known = {UNKNOWN_SENSORS, *status.sinks, *status.quarantined_bytes}
    if arguments.sink not in known:
        raise SpoolError(f"there is no quarantine called {arguments.sink!r}; there are: {', '.join(sorted(known))}")
    if arguments.quarantine_command == "show":
        lines = [one for one in spool.quarantined(arguments.sink) if not match or match in _words(one)]
        _show(lines, as_json=arguments.json)
        return 0
    verb = arguments.quarantine_command
    done = {"requeue": "back in the spool", "drop": "dropped"}[verb]
    return _ask(
        arguments,
        spool.root,
        {"do": verb, "sink": arguments.sink, "match": match},
        lambda answer: (
            f"{many(answer['readings'], 'reading')} {'is' if answer['readings'] == 1 else 'are'} {done};"
            f" {format_size(answer['left_bytes'])} left"
        ),
    )


def repair(arguments: argparse.Namespace, spool: SpoolView) -> int:
    """Set damage aside, and where no daemon runs close the holes it leaves."""
    return _ask(arguments, spool.root, {"do": "repair"}, _repair_answer)


def losses(arguments: argparse.Namespace, spool: SpoolView) -> int:
    """Show the loss ledger; 1 unless it is empty."""
    entries = spool.ledger.entries
    if arguments.json:
        print(json.dumps(entries))
    else:
        for entry in entries:
            shown, total = entry.get("sensors") or [], entry.get("sensor_count", 0)
            more = f" and {total - len(shown)} more" if total > len(shown) else ""
            print(f"{entry.get('when')}  {many(entry['count'], 'reading')}  {entry.get('rule')}: {entry.get('why')}")
            print(f"    of {entry.get('first_time') or '?'} to {entry.get('last_time') or '?'}", end="")
            print(f"; {', '.join(shown)}{more}" if shown else "; sensors unknown")
        print(f"{many(spool.ledger.readings, 'reading')} lost" if entries else "nothing was lost")
    return 1 if entries else 0


def _list(spool: SpoolView, *, as_json: bool) -> int:
    found = {sink: spool.quarantined(sink) for sink in spool.status().quarantined_bytes}
    reasons = {sink: Counter(_why(one) for one in lines) for sink, lines in found.items()}
    if as_json:
        print(json.dumps({sink: {"readings": len(found[sink]), "reasons": reasons[sink]} for sink in found}))
    elif not any(found.values()):
        print("the quarantine is empty")
    else:
        for sink, lines in found.items():
            print(f"{sink}: {many(len(lines), 'reading')}")
            for why, count in reasons[sink].most_common(10):
                print(f"    {count:,}  {why}")
    return 1 if any(found.values()) else 0


def _show(lines: list[QuarantinedLine], *, as_json: bool) -> None:
    above = None
    for one in lines:
        line = one.line.decode(errors="replace")
        if as_json:
            print(json.dumps({"reason": one.reason, "line": line}))
            continue
        if one.reason != above:
            print(f"# {one.reason}")
        above = one.reason
        print(line)


def _words(one: QuarantinedLine) -> str:
    return f"{one.reason}\n{one.line.decode(errors='replace')}"


def _why(one: QuarantinedLine) -> str:
    """Return the words without the time before them."""
    return one.reason.partition(" ")[2]


def _repair_answer(answer: Answer) -> str:
    places = answer["set_aside"]
    done = f"in damaged/: {many(len(places), 'place')}; the gateway closes the holes at its next start"
    return "\n".join((*places, done)) if places else "nothing is damaged"


def _ask(arguments: argparse.Namespace, root: Path, request: Request, say: Callable[[Answer], str]) -> int:
    answer = ask(root, request, arguments.wait)
    if answer is None:
        print("prehod spool: noted, but not done yet; the gateway's log says why it waits", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(answer))
    elif "error" in answer:
        print(f"prehod spool: {answer['error']}", file=sys.stderr)
    else:
        print(say(answer))
    return 2 if "error" in answer else 0


def ask(root: Path, request: Request, wait: float = WAIT) -> Answer | None:
    """Have ``request`` carried out and return the answer, ``None`` if there is none within ``wait`` seconds.

    Raises `SpoolError`.
    """
    become_owner(root)
    filesystem = OsFilesystem()
    if not (root / "requests").is_dir():  # written by an older version, and not opened since
        _open(root).close()
    name = submit(filesystem, root, request, os.getpid())
    deadline = time.monotonic() + wait
    if not _done_by_us(root):
        # A daemon has it, and will see to it. Should it be starting anew, it must not find us in its place.
        while (answer := answer_to(filesystem, root, name)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if answer is None:
            _done_by_us(root)
    return answer_to(filesystem, root, name)


def _done_by_us(root: Path) -> bool:
    """Carry out all that is asked, if no other process has the spool. Raises `SpoolError`."""
    try:
        with _open(root) as spool:
            spool.carry_out_requests()
    except SpoolLocked:
        return False
    return True


def _open(root: Path) -> Spool:
    sinks = Cursors(OsFilesystem(), root / "cursors").sinks
    return Spool.open(root, _NO_BOUNDS, sinks=sinks)


def become_owner(root: Path) -> None:
    """As root, act as the owner of ``root`` from now on. Raises `SpoolError` for anybody else."""
    owner = root.stat()
    if os.geteuid() == owner.st_uid:
        return
    if os.geteuid() != 0:
        raise SpoolError(f"only its owner may change {root}: use sudo")
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
