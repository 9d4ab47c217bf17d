"""Retry with back-off: the only place that runs links and sinks again and again, and that survives a bug in one.

`keep_alive` runs one link or sink for ever: it calls a coroutine function, and when that ends, waits and calls it
again. The waits double from one second to a minute, with jitter, so that a hundred gateways do not come back in
step; a connection that lasted resets them, one that was up at all shortens them, and an error may ask for longer
ones. Going down is logged once, and coming back once; in between only a new reason is.

A crash (a bug: any error that is not one of our own) is logged with its traceback, counted, and treated as one more
reason to try again: one source's bug must not end the others.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from gateway.errors import LinkDown, LinkRefused, PrehodError

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
STARTING = "starting"
"""The problem of a link that has not been tried yet."""

LASTED = 30.0
"""A link that was up for this many seconds counts as healthy: the next wait is short again."""

AGAIN = 4
"""First waits after which a link that was up, however shortly, is tried again at the latest."""


@dataclass(slots=True)
class Liveness:
    """The state of one link or sink, for status and metrics."""

    name: str
    up: bool = False
    since: float = 0.0
    problem: str = STARTING
    restarts: int = 0
    crashes: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    """What is wrong although the link is up, by whom it concerns."""

    def went_up(self) -> None:
        """Say that it works now; the one who knows is the link itself."""
        if not self.up:
            self.up = True
            self.since = time.monotonic()
            structlog.get_logger().info("link up", link=self.name, after_attempts=self.restarts)
            self.problem = ""

    def raise_problem(self, about: str, problem: str) -> None:
        """Note what is wrong although the link is up; logged once, until `clear_problem`."""
        if about not in self.problems:
            structlog.get_logger().warning("link problem", link=self.name, about=about, problem=problem)
        self.problems[about] = problem

    def clear_problem(self, about: str) -> None:
        """End a problem; logged once, and not where there was none."""
        if self.problems.pop(about, ""):
            structlog.get_logger().info("link problem cleared", link=self.name, about=about)


async def keep_alive(
    run: Callable[[], Awaitable[None]],
    liveness: Liveness,
    *,
    first_wait: float = FIRST_WAIT,
    longest_wait: float = LONGEST_WAIT,
) -> None:
    """Call ``run`` for ever; returns only when cancelled."""
    log = structlog.get_logger().bind(link=liveness.name)
    wait = first_wait
    while True:
        at_least = 0.0
        try:
            await run()
            problem = "ended"
        except LinkDown as error:
            # A person has to change something before a refusal ends: there is no hurry, but no silence either.
            at_least = max(error.wait, 10 * first_wait if isinstance(error, LinkRefused) else 0.0)
            problem = str(error)
        except PrehodError as error:
            problem = str(error)
        except Exception as error:  # the one place that survives a bug
            liveness.crashes += 1
            problem = f"{type(error).__name__}: {error}"
            log.exception("link crashed: this is a bug, please report it")
        lasted = liveness.up and time.monotonic() - liveness.since > LASTED
        if liveness.up or problem != liveness.problem:
            log.warning("link down", problem=problem)
        if liveness.up:
            # The waits of one outage say nothing about the next: a minute after a broker's restart is too long.
            wait = min(wait, AGAIN * first_wait)
        liveness.up = False
        liveness.problem = problem
        liveness.problems.clear()
        liveness.restarts += 1
        wait = first_wait if lasted else min(wait, longest_wait)
        await asyncio.sleep(max(wait, at_least) * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, not a secret
        wait *= 2
