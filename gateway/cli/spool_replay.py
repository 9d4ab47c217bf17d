"""``prehod spool replay``: kept readings go to a database once more, sent by this very process.

It only reads the spool, so it runs beside the daemon or without it; see `gateway.delivery.replay`. Breaking it off
and beginning again is safe.
"""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.clock import Clock, SystemClock, fixed_offset
from gateway.config.models import DatabaseSettings
from gateway.daemon import assembly
from gateway.daemon.catalogue import load_configuration
from gateway.delivery.courier import Sink
from gateway.delivery.replay import Replay, ReplayProgress
from gateway.delivery.settings import Limits
from gateway.errors import SpoolError
from gateway.spool import SpoolView
from gateway.units import many

RATE = 1_000
"""Readings a second, if nothing else is said: new readings keep the better part of a database to themselves."""

LOOK = 1.0
"""Seconds between two looks at how far it is."""

Show = Callable[[ReplayProgress], None]


def run(arguments: argparse.Namespace, spool: SpoolView) -> int:
    """Replay; 0 when all of it was taken, 1 when lines were refused, 130 when it was broken off."""
    clock = SystemClock()
    sink, limits = _sink(arguments, clock)
    until = clock.wall() if arguments.until is None else arguments.until
    offset_of = partial(fixed_offset, spool.root.parent / "clock")
    replay = Replay(spool, arguments.sink, since=arguments.since, until=until, offset_of=offset_of, clock=clock)
    try:
        with _without_log():
            if arguments.json:
                asyncio.run(_send(replay, sink, limits, _print_line))
            else:
                _send_with_bar(replay, sink, limits)
    except KeyboardInterrupt:
        sent, total, *_ = replay.progress()
        print(
            f"prehod spool: stopped after {sent:,} of {many(total, 'reading')}; the same command begins again, "
            "and nothing will be there twice",
            file=sys.stderr,
        )
        return 130
    return _conclude(replay, as_json=arguments.json)


def _sink(arguments: argparse.Namespace, clock: Clock) -> tuple[Sink, Limits]:
    configured = load_configuration(arguments.config).sinks
    databases = {name: sink for name, sink in configured.items() if isinstance(sink, DatabaseSettings)}
    if arguments.sink not in databases:
        known = ", ".join(sorted(databases)) or "none"
        raise SpoolError(f"there is no database called {arguments.sink!r} in {arguments.config}; there are: {known}")
    settings = databases[arguments.sink]
    rate = arguments.rate or min(RATE, settings.max_rate or RATE)
    return assembly.database_sink(settings, clock), settings.model_copy(update={"max_rate": rate})


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep the log silent: what the sink says stands in the progress, not between its lines."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


async def _send(
    replay: Replay,
    sink: Sink,
    limits: Limits,
    show: Show,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    async def look() -> None:
        while True:
            show(replay.progress())
            await sleep(LOOK)

    looking = asyncio.create_task(look(), name="progress")
    try:
        await replay.run(sink, limits)
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        await sink.close()


def _send_with_bar(replay: Replay, sink: Sink, limits: Limits) -> None:
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("readings"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=replay.total)

        def show(at: ReplayProgress) -> None:
            bar.update(task, completed=at.sent + at.refused, description=at.problem)

        asyncio.run(_send(replay, sink, limits, show))
        show(replay.progress())


def _print_line(at: ReplayProgress) -> None:
    print(json.dumps(at._asdict()), flush=True)


def _conclude(replay: Replay, *, as_json: bool) -> int:
    at = replay.progress()
    if as_json:
        print(json.dumps({**at._asdict(), "done": True, "reasons": replay.refused}), flush=True)
    elif not at.total:
        print("there is nothing of that time that the sink got; what it has not got yet comes anyway")
    else:
        print(f"sent again: {at.sent:,} of {many(at.total, 'reading')}")
        if gone := at.total - at.sent - at.refused:
            print(f"gone from the disk since it began, or unreadable: {many(gone, 'reading')}")
        for reason, count in replay.refused.most_common():
            print(f"refused by the database: {many(count, 'reading')}: {reason}")
    return 1 if at.refused else 0
