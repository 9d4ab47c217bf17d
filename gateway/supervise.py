"""Retry with back-off: the one place that runs links and sinks again and again, and that survives a bug in one.

`keep_alive` runs one link or sink for ever: it calls a coroutine function, and when that ends, waits and calls it
again. The waits double from one second to a minute, with jitter, so that a hundred gateways do not come back in
step; a connection that lasted resets them, one that was up at all shortens them, and an error may ask for longer
ones. Going down is logged once, and coming back once; in between only a new reason is.

A crash (a bug: any error that is not one of our own) is logged with its traceback, counted, and treated as one more
reason to try again: one source's bug must not end the others.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from gateway.back_off import BackOff
from gateway.clock import Clock
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
    clock: Clock
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
            self.since = self.clock.monotonic()
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


async def keep_alive(run: Callable[[], Awaitable[None]], liveness: Liveness, back_off: BackOff | None = None) -> None:
    """Call ``run`` for ever, after the waits of ``back_off``; returns only when cancelled."""
    log = structlog.get_logger().bind(link=liveness.name)
    clock = liveness.clock
    back_off = back_off or BackOff(FIRST_WAIT, LONGEST_WAIT)
    while True:
        at_least = 0.0
        try:
            await run()
            problem = "ended"
        except LinkDown as error:
            # A person has to change something before a refusal ends: there is no hurry, but no silence either.
            at_least = max(error.wait, 10 * back_off.first if isinstance(error, LinkRefused) else 0.0)
            problem = str(error)
        except PrehodError as error:
            problem = str(error)
        except Exception as error:  # the one place that survives a bug
            liveness.crashes += 1
            problem = f"{type(error).__name__}: {error}"
            log.exception("task failed", remedy="this is a bug in Prehod; please report it")
        lasted = liveness.up and clock.monotonic() - liveness.since > LASTED
        if liveness.up or problem != liveness.problem:
            log.warning("link down", problem=problem)
        if lasted:
            back_off.reset()
        elif liveness.up:
            # The waits of one outage say nothing about the next: a minute after a broker's restart is too long.
            back_off.shorten(AGAIN * back_off.first)
        liveness.up = False
        liveness.problem = problem
        liveness.problems.clear()
        liveness.restarts += 1
        await clock.sleep(back_off.next(at_least))
