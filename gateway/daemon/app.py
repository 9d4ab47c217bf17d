"""The program: what runs, and how it stops. How each part is built is in `gateway.daemon.assembly`.

::

    serial lines --.                                           .--> forwarder --> database
                    >--> intake --> committer ==fsync==> spool-+--> forwarder --> another
    MQTT, HTTP   --'                    |                      '--> live topics, health page
                                        '--> only now PUBACK, or 200

One `asyncio.TaskGroup` holds every task. Links and sinks run under `gateway.supervise.keep_alive` and may fail as
often as they like; if the committer or the housekeeping fails, the daemon ends and systemd starts it again: the spool
is the truth, and stopping is safe at any moment.
"""

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from gateway import __version__
from gateway.back_off import BackOff
from gateway.config.models import Configuration
from gateway.daemon import assembly
from gateway.daemon.catalogue import CATALOGUE
from gateway.daemon.housekeeping import Housekeeping, keep_watch, report_recovery
from gateway.daemon.last_run import PreviousExit
from gateway.daemon.refused_requests import RefusedRequests
from gateway.daemon.watchdog import Watchdog
from gateway.health import Health
from gateway.sources.serial import SerialIngest
from gateway.supervise import FIRST_WAIT, keep_alive
from gateway.web.settings import WebSettings

GOODBYE = 5.0
"""Seconds that the sinks get to take the last readings when the daemon stops."""


class Daemon:
    """Everything that runs, built from a configuration; `run` it once."""

    def __init__(self, configuration: Configuration) -> None:
        own = configuration.gateway
        self.configuration = configuration
        self.timekeeper = assembly.timekeeper(own)
        self.health = Health(own.id, own.city, self.timekeeper.clock)
        self.databases = assembly.databases(configuration)
        self.spool = assembly.open_spool(configuration, self.timekeeper.clock)
        self.refused = assembly.open_refused(configuration, self.spool)
        self.committer = assembly.committer(configuration, self.spool, self.refused, self.timekeeper, self.health)
        self.intake = assembly.intake(configuration, self.spool, self.timekeeper, self.health)
        self.forwarders = {
            name: assembly.forwarder(name, sink, self.spool, self.timekeeper, self.health)
            for name, sink in self.databases.items()
        }
        self.committer.on_commit += [forwarder.wake for forwarder in self.forwarders.values()]
        self.live = assembly.live_sinks(configuration, self.intake, self.health)
        self.parts = assembly.Parts(
            configuration,
            CATALOGUE,
            self.intake,
            self.committer,
            self.health,
            self.timekeeper,
            seen=assembly.seen_identities(self.spool, self.refused),
            gnss=assembly.receiver(configuration, self.timekeeper, self.intake, self.health),
        )
        self.sources = assembly.sources(self.parts)
        self.requests = RefusedRequests(
            self.refused, self.committer, partial(assembly.reading_again, self.parts), self.timekeeper.clock
        )
        self.housekeeping = Housekeeping(
            self.spool, self.refused, self.health, self.timekeeper.now, self._wake_forwarders
        )
        timeouts = {name: sink.timeout for name, sink in self.databases.items()}
        self.watchdog = Watchdog(self.health, self.committer, self.forwarders, timeouts)
        self._previous_exit = PreviousExit(own.data_dir / "running", self.timekeeper.clock.boot_id)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Run until ``stop`` is set; then stop the links, commit, give the sinks five seconds, and leave."""
        log = structlog.get_logger()
        self.health.last_run = self._previous_exit.start()
        report_recovery(self.spool, self.refused)
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(self.committer.run(), name="commit")
            watch = keep_watch(self.timekeeper, self.health, self.watchdog, list(self.forwarders))
            watching = tasks.create_task(watch, name="watch")
            housekeeping = tasks.create_task(self.housekeeping.run(), name="housekeeping")
            requests = tasks.create_task(self.requests.run(), name="requests")
            outward = self._start_sinks(tasks)
            inward = self._start_sources(tasks)
            # What was made so far stays: the garbage collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            self.watchdog.tell("READY=1")
            ready()
            log.info("running", version=__version__, sources=len(inward), sinks=len(self.configuration.sinks))
            await stop.wait()
            self.watchdog.tell("STOPPING=1", "STATUS=stopping")
            await _cancel(*inward, watching, housekeeping, requests)
            for source in self.sources.values():
                if isinstance(source, SerialIngest):
                    source.finish()
            self.committer.stop()
            await committing
            await self.housekeeping.record_unwritten(self.committer.uncommitted)
            await self._drain()
            await _cancel(*outward)
        await asyncio.gather(*(live.publish_offline() for live in self.live.values()))
        await asyncio.gather(*(forwarder.stop() for forwarder in self.forwarders.values()))
        self._previous_exit.mark_clean_stop()
        log.info("stopped", pending={name: self.health.sink(name).pending for name in self.forwarders})

    async def carry_out_requests(self) -> None:
        """Do what people asked of the store of refused messages, without sources and sinks, and no more."""
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(self.committer.run(), name="commit")
            await self.requests.look()
            self.committer.stop()
            await committing

    def close(self) -> None:
        """Give the spool's directory back."""
        self.committer.close()
        self.housekeeping.close()
        self.refused.close()
        self.spool.close()

    def _start_sinks(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        runs = {name: forwarder.run for name, forwarder in self.forwarders.items()}
        for name, live in self.live.items():
            runs[name] = partial(live.run, self.health.sink(name).link.went_up)
        started = [
            tasks.create_task(keep_alive(run, self.health.sink(name).link), name=f"sink {name}")
            for name, run in runs.items()
        ]
        if self.configuration.web is not None:
            started.append(tasks.create_task(self._serve_web(self.configuration.web), name="web"))
        return started

    def _start_sources(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        started = []
        for name, source in self.sources.items():
            link = self.health.source(name).link
            running = keep_alive(source.run, link, BackOff(FIRST_WAIT, source.longest_wait))
            started.append(tasks.create_task(running, name=f"source {name}"))
        return started

    async def _serve_web(self, settings: WebSettings) -> None:
        from gateway.web.server import serve  # noqa: PLC0415 -- a board without the page does not pay for it

        await keep_alive(partial(serve, settings, self.health, self.spool.status), self.health.web)

    def _wake_forwarders(self) -> None:
        for forwarder in self.forwarders.values():
            forwarder.wake()

    async def _drain(self) -> None:
        """Give the sinks a moment for the last readings; what they do not take stays in the spool."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await asyncio.gather(*(forwarder.caught_up() for forwarder in self.forwarders.values()))


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
