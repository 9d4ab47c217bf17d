"""The watchdog: systemd's is fed with progress, not with time.

A daemon that is alive and does nothing is what a watchdog is for. So it is fed only while every part that has
something to do also does something: writing comes back from the disk (whatever it says: a full disk is a state to
live in), and forwarding tries, or waits on purpose (a database that is away is no reason to start anew). A gateway
with nothing to do is well.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog

from gateway.daemon.systemd import Notifier
from gateway.delivery.forwarder import Forwarder
from gateway.health import Health
from gateway.ingest.committer import Committer

COMMIT_PATIENCE = 30.0
"""Seconds beyond the commit interval that a write may take: an SD card that cleans up inside takes many."""

FORWARD_PATIENCE = 120.0
"""Seconds within which a forwarder tries something, or sleeps on purpose."""


class State(NamedTuple):
    """Whether a part has something to do, and a number that rises with whatever it does."""

    pending: bool
    steps: int


class Watch:
    """Tells a part that stands still with work to do; ``patience`` in seconds, ``look`` returns its state."""

    def __init__(self, what: str, patience: float, look: Callable[[], State]) -> None:
        self._what = what
        self._patience = patience
        self._look = look
        self._steps: int | None = None
        self._since = 0.0

    def problem(self, now: float) -> str:
        """Return what is wrong, "" while it moves; to be asked once a second or so, with the time in seconds."""
        state = self._look()
        if not state.pending or state.steps != self._steps:
            self._steps, self._since = state.steps, now
            return ""
        stood = now - self._since
        return f"{self._what} has not moved for {stood:.0f} s" if stood > self._patience else ""


class Watchdog:
    """Watches one committer and its forwarders; ``patience`` has the seconds for each forwarder."""

    def __init__(
        self, health: Health, committer: Committer, forwarders: Mapping[str, Forwarder], timeouts: Mapping[str, float]
    ) -> None:
        self._health = health
        self._notifier = Notifier()
        patience = committer.interval + COMMIT_PATIENCE
        self._watches = [
            Watch("writing to the spool", patience, lambda: State(committer.pending, committer.attempts)),
            *(
                _forwarding(name, max(FORWARD_PATIENCE, 4 * timeouts[name]), forwarder)
                for name, forwarder in forwarders.items()
            ),
        ]

    def tell(self, *lines: str) -> None:
        """Tell systemd something; see `gateway.daemon.systemd.Notifier`."""
        self._notifier.tell(*lines)

    def feed(self, status: str) -> None:
        """Tell systemd how we are, and that we are alive if everything moves; to be called once a second."""
        now = self._health.clock.monotonic()
        stuck = [problem for watch in self._watches if (problem := watch.problem(now))]
        if bool(stuck) != bool(self._health.stuck):
            log = structlog.get_logger()
            if stuck:
                log.error("stuck; the watchdog is not fed", problems=stuck)
            else:
                log.info("no longer stuck")
        self._health.stuck = stuck
        alive = () if stuck else ("WATCHDOG=1",)
        self._notifier.tell(*alive, f"STATUS={status}")


def _forwarding(name: str, patience: float, forwarder: Forwarder) -> Watch:
    return Watch(f"forwarding to {name}", patience, lambda: State(forwarder.has_pending, forwarder.steps))
