"""``prehod refused``: what became no reading and is kept: what it is, and what is to become of it.

To look takes no lock. To read messages again, or to drop them, is asked of the daemon; where none runs, the command
takes the lock and does it itself, by the same code and the same configuration.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.cli.spool_ask import WAIT, become_owner
from gateway.config.models import Configuration
from gateway.errors import ConfigurationError, PrehodError, SpoolError, SpoolLocked
from gateway.logs import silenced
from gateway.refused import Counted, Kept, Refusal, RefusedView
from gateway.refused.telling import without_numbers
from gateway.spool import format_time
from gateway.spool.filesystem import OsFilesystem
from gateway.spool.requests import Answer, Request, answer_to, submit
from gateway.units import format_size, many, parse_duration

SHOWN = 20
"""Messages that ``show`` prints unless it is told otherwise: the newest."""

_SUMMARIES = {
    "list": "how many there are, by source and reason, with the last words",
    "show": "print messages with all their bytes, the newest last",
    "retry": "decode what is kept again with today's configuration, and store what it gives",
    "drop": "give messages up; the loss ledger will say so",
}


class _Group(NamedTuple):
    """Messages with one source, reason and words."""

    source: str
    reason: str
    words: str
    last: Refusal | None
    kept: int
    counted: int


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("--dir", type=Path, metavar="DIR", help="a data directory, instead of the one in --config")
    wait = "how long to wait for the daemon's answer; default 30s"
    parser.add_argument("--wait", type=parse_duration, metavar="TIME", default=WAIT, help=wait)
    commands = parser.add_subparsers(dest="refused_command", required=True, metavar="COMMAND")
    again = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    again.add_argument("--dir", type=Path, help=argparse.SUPPRESS)
    again.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    again.add_argument("--json", action="store_true", help=argparse.SUPPRESS)
    again.add_argument("--wait", type=parse_duration, help=argparse.SUPPRESS)
    for name, summary in _SUMMARIES.items():
        command = commands.add_parser(name, parents=[again], help=summary, description=summary)
        command.add_argument("--source", metavar="NAME", help="only those of one source")
        command.add_argument("--reason", metavar="REASON", help="only those with one reason, as noise or range")
        if name == "show":
            newest = "so many of the newest; default %(default)s"
            command.add_argument("--limit", type=int, default=SHOWN, metavar="N", help=newest)
        if name == "drop":
            command.add_argument("--all", action="store_true", help="needed where neither source nor reason is given")


def run(arguments: argparse.Namespace) -> int:
    """Do it; 1 when something is kept or was not done, 2 for wrong use."""
    try:
        root = _root(arguments)
        if arguments.refused_command == "list":
            return _list(arguments, root)
        if arguments.refused_command == "show":
            return _show(arguments, root)
        if arguments.refused_command == "drop" and not (arguments.all or arguments.source or arguments.reason):
            raise SpoolError("say which: --source, --reason or --all")
        return _ask(arguments, root)
    except ConfigurationError:
        raise
    except PrehodError as error:
        print(f"prehod refused: {error}", file=sys.stderr)
        return 2


def _root(arguments: argparse.Namespace) -> Path:
    from gateway.config.load import load_gateway_data_dir  # noqa: PLC0415 -- not needed with --dir

    data = arguments.dir or load_gateway_data_dir(arguments.config)
    root: Path = data if data.name == "refused" else data / "refused"
    if root.is_dir() and not os.access(root, os.R_OK | os.X_OK):
        raise SpoolError(f"you may not read {root}: use sudo, or join the group that owns it")
    if not root.is_dir():
        raise SpoolError(f"there are no refused messages in {root}: start the gateway, or give --dir")
    return root


def _entries(arguments: argparse.Namespace, root: Path) -> Iterator[Kept | Counted]:
    for one in RefusedView(root).entries():
        about = one.refusal if isinstance(one, Kept) else one
        if arguments.source in (None, about.source) and arguments.reason in (None, about.reason):
            yield one


def _list(arguments: argparse.Namespace, root: Path) -> int:
    groups: dict[tuple[str, str, str], _Group] = {}
    for one in _entries(arguments, root):
        about = one.refusal if isinstance(one, Kept) else one
        key = about.source, about.reason, without_numbers(about.words)
        group = groups.get(key) or _Group(about.source, about.reason, about.words, None, 0, 0)
        if isinstance(one, Kept):
            group = group._replace(words=one.refusal.words, last=one.refusal, kept=group.kept + 1)
        else:
            group = group._replace(counted=group.counted + one.count)
        groups[key] = group
    found = sorted(groups.values(), key=lambda group: (group.source, -group.kept, -group.counted))
    if arguments.json:
        print(json.dumps([_group_json(group) for group in found]))
    elif not found:
        print("no message is kept that became no reading")
    else:
        for group in found:
            _print_group(group)
        print(
            f"{format_size(RefusedView(root).bytes)} on disk; prehod refused show prints them, retry reads them again"
        )
    return 1 if found else 0


def _group_json(group: _Group) -> dict[str, Any]:
    return {
        "source": group.source,
        "reason": group.reason,
        "words": group.words,
        "messages": group.kept,
        "counted_only": group.counted,
        "last_topic": group.last.topic if group.last else None,
        "last_time": when(group.last) if group.last else None,
    }


def _print_group(group: _Group) -> None:
    counted = f" and {group.counted:,} more that were counted only" if group.counted else ""
    print(f"{group.source}: {many(group.kept, 'message')}{counted}, {group.reason}: {group.words or 'no words'}")
    if group.last is not None:
        where = f"{group.last.device} on {group.last.topic}" if group.last.device else group.last.topic
        print(f"    the last {when(group.last)}, {where}")


def when(refusal: Refusal) -> str:
    """Return when a message came, as people read it."""
    if refusal.boot is None:
        return format_time(refusal.time // 10**6 * 10**6)
    return f"{refusal.time / 1e9:.0f} s after boot {refusal.boot.hex()[:8]}, time not known yet"


def text_of(raw: bytes) -> str | None:
    """Return bytes as text where they are text that a terminal can show."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if all(letter.isprintable() or letter in "\t\r\n" for letter in text) else None


def _show(arguments: argparse.Namespace, root: Path) -> int:
    kept = [one for one in _entries(arguments, root) if isinstance(one, Kept)]
    for number, refusal in kept[-arguments.limit :] if arguments.limit > 0 else kept:
        text = text_of(refusal.raw)
        if arguments.json:
            print(json.dumps(_plain(number, refusal, text)))
            continue
        where = f"{refusal.device} on {refusal.topic}" if refusal.device else refusal.topic
        cut = "" if refusal.is_whole else f", the first {len(refusal.raw):,} of {refusal.size:,} bytes"
        print(f"# {number}  {when(refusal)}  {refusal.source}  {where}{cut}")
        print(f"# {refusal.reason}: {refusal.words or 'no words'}")
        print(text.rstrip("\r\n") if text else refusal.raw.hex(" "))
    return 0


def _plain(number: int, refusal: Refusal, text: str | None) -> dict[str, Any]:
    return {
        "number": number,
        "source": refusal.source,
        "topic": refusal.topic,
        "device": refusal.device or None,
        "time": when(refusal),
        "reason": refusal.reason,
        "words": refusal.words,
        "size": refusal.size,
        "hex": refusal.raw.hex(),
        "text": text,
        "retained": refusal.retained,
    }


def _ask(arguments: argparse.Namespace, root: Path) -> int:
    request = {"do": arguments.refused_command, "source": arguments.source, "reason": arguments.reason}
    answer = ask(root, request, arguments.config, arguments.wait)
    if answer is None:
        print("prehod refused: noted, but not done yet; the daemon goes on with it", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(answer))
    elif "error" in answer:
        print(f"prehod refused: {answer['error']}", file=sys.stderr)
    elif request["do"] == "drop":
        print(f"{many(answer['messages'], 'message')} dropped; the loss ledger says so")
    else:
        _print_retry(answer)
    return 2 if "error" in answer else int(bool(answer.get("refused") or answer.get("waits")))


def _print_retry(answer: Answer) -> None:
    print(f"{many(answer['messages'], 'message')} read again: {many(answer['readings'], 'reading')} stored")
    for what, words in (
        ("partly", "in part, and the rest is kept"),
        ("refused", "refused still, and kept"),
        ("waits", "kept until it is known what time it was"),
    ):
        if answer[what]:
            print(f"    {answer[what]:,}  {words}")
    for words in answer["words"]:
        print(f"    {words}")


def ask(root: Path, request: Request, config: Path, wait: float = WAIT) -> Answer | None:
    """Have ``request`` carried out and return the answer, None if there is none within ``wait`` seconds.

    Raises `SpoolError`, and `ConfigurationError` where no daemon runs and the configuration cannot be used.
    """
    become_owner(root)
    filesystem = OsFilesystem()
    if _has_no_daemon(root):
        _load(config)  # where that fails nothing is asked for
    name = submit(filesystem, root, request, os.getpid())
    deadline = time.monotonic() + wait
    if not _done_by_us(root, config):
        while (answer := answer_to(filesystem, root, name)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if answer is None:
            _done_by_us(root, config)
    return answer_to(filesystem, root, name)


def _has_no_daemon(root: Path) -> bool:
    try:
        OsFilesystem().lock(root.parent / "spool" / "lock")()
    except SpoolLocked:
        return False
    return True


def _load(config: Path) -> Configuration:
    from gateway.daemon.catalogue import load_configuration  # noqa: PLC0415 -- all drivers come along

    return load_configuration(config)


def _done_by_us(root: Path, config: Path) -> bool:
    """Carry out all that is asked, if no daemon has the spool."""
    if not _has_no_daemon(root):
        return False
    from gateway.daemon.app import Daemon  # noqa: PLC0415 -- a command that only asks needs none of it

    with silenced():
        try:
            daemon = Daemon(_load(config))
        except SpoolLocked:
            return False
        try:
            asyncio.run(daemon.carry_out_requests())
        finally:
            daemon.close()
    return True
