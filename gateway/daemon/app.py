"""The whole program: what is built, what runs, and how it stops.

::

    serial lines --.                                           .--> forwarder --> database
                    >--> intake --> committer ==fsync==> spool-+--> forwarder --> another
    MQTT brokers --'                    |                      '--> live topics, health page
                                        '--> only now PUBACK

One `asyncio.TaskGroup` holds every task. Links and sinks run under `gateway.supervise.keep_alive` and may fail as
often as they like; if the committer or the housekeeping fails, the daemon ends and systemd starts it again: the spool
is the truth, and stopping is safe at any moment.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from gateway import __version__
from gateway.clock import SystemClock, Timekeeper
from gateway.config.models import Configuration, DatabaseSettings
from gateway.daemon import assembly
from gateway.daemon.catalogue import CATALOGUE, load_configuration
from gateway.daemon.housekeeping import Tending
from gateway.daemon.last_run import LastRun
from gateway.daemon.watchdog import Watchdog
from gateway.delivery.forwarder import Forwarder
from gateway.errors import SpoolError
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.intake import Intake
from gateway.ingest.recent_times import still_to_come
from gateway.sinks.live_mqtt import LiveSink
from gateway.sources.mqtt import MqttIngest
from gateway.sources.serial import SerialIngest
from gateway.sources.settings import MqttSourceSettings
from gateway.spool import Consumer, Spool
from gateway.supervise import keep_alive
from gateway.web.settings import WebSettings

GOODBYE = 5.0
"""Seconds that the sinks get to take the last readings when the daemon stops."""


class Daemon:
    """Everything that runs, built from a configuration; `run` it once."""

    def __init__(self, configuration: Configuration) -> None:
        own = configuration.gateway
        self.configuration = configuration
        self.health = Health(own.id, own.city)
        vouched_by = "ntp" if own.clock == "auto" else own.clock
        self.timekeeper = Timekeeper(SystemClock(own.clock), own.data_dir / "clock", vouched_by)
        self.databases = {
            name: sink for name, sink in configuration.sinks.items() if isinstance(sink, DatabaseSettings)
        }
        self.spool = Spool.open(
            own.data_dir / "spool",
            configuration.spool,
            sinks=list(self.databases),
        )
        self.committer = Committer(
            self.spool.holding, self.timekeeper.clock.boot_id, self.health, configuration.spool
        )
        self.intake = Intake(
            own,
            configuration.sensors,
            committer=self.committer,
            timekeeper=self.timekeeper,
            health=self.health,
            ahead=still_to_come(self.spool.reader(), self.spool.next_seq, self.timekeeper.now()),
        )
        self.consumers: dict[str, Consumer] = {}
        self.forwarders = {name: self._forwarder(name) for name in self.databases}
        self.tending = Tending(self.spool, self.health, self.timekeeper.now, self._told_of_readings)
        self.serial: list[SerialIngest] = []
        self.live: list[LiveSink] = []
        self._last_run = LastRun(own.data_dir / "running", self.timekeeper.clock.boot_id)
        timeouts = {name: sink.timeout for name, sink in self.databases.items()}
        self.watchdog = Watchdog(self.health, self.committer, self.forwarders, timeouts)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Run until ``stop`` is set; then stop the links, commit, give the sinks five seconds, and leave."""
        log = structlog.get_logger()
        self._tell_recovery()
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(self.committer.run(), name="commit")
            housekeeping = tasks.create_task(self._housekeep(), name="housekeeping")
            tending = tasks.create_task(self._tend(), name="tending")
            outward = self._start_sinks(tasks)
            if self.configuration.web is not None:
                outward.append(tasks.create_task(self._web(self.configuration.web), name="web"))
            inward = self._start_sources(tasks)
            # What was made so far stays: the garbage collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            self.watchdog.tell("READY=1")
            ready()
            log.info("running", version=__version__, sources=len(inward), sinks=len(self.configuration.sinks))
            await stop.wait()
            self.watchdog.tell("STOPPING=1", "STATUS=stopping")
            await _cancel(*inward, housekeeping, tending)
            for line in self.serial:
                line.finish()
            self.committer.stop()
            await committing
            await self._own_up()
            await self._drain()
            await _cancel(*outward)
            for consumer in self.consumers.values():
                await asyncio.to_thread(consumer.mark_clean_stop)
        await asyncio.gather(*(live.publish_offline() for live in self.live))
        await asyncio.gather(*(forwarder.close() for forwarder in self.forwarders.values()))
        self._last_run.end()
        log.info("stopped", pending={name: self.health.sink(name).pending for name in self.forwarders})

    def close(self) -> None:
        """Give the spool's directory back."""
        self.committer.close()
        self.tending.close()
        self.spool.close()

    def _forwarder(self, name: str) -> Forwarder:
        settings = self.databases[name]
        consumer = self.consumers[name] = self.spool.consumer(name)
        consumer.mark_in_doubt(self.timekeeper.clock.boot_id)
        sink = assembly.database_sink(settings)
        forwarder = Forwarder(consumer, sink, settings, self.timekeeper, self.health.sink(name))
        self.committer.on_commit.append(forwarder.wake)
        return forwarder

    def _told_of_readings(self) -> None:
        for forwarder in self.forwarders.values():
            forwarder.wake()

    def _start_sinks(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        started = []
        for name, sink in self.configuration.sinks.items():
            link = self.health.sink(name).link
            if isinstance(sink, DatabaseSettings):
                run = self.forwarders[name].run
            else:
                live, show = assembly.live_sink(name, sink, self.configuration, self.health)
                self.live.append(live)
                self.intake.subscribers.append(show)
                run = partial(live.run, link.went_up)
            started.append(tasks.create_task(keep_alive(run, link), name=f"sink {name}"))
        return started

    def _start_sources(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        gnss = assembly.receiver(self.configuration, self.timekeeper, self.intake, self.health)
        identities = self.spool.recovery.identities
        parts = assembly.Parts(
            self.configuration, CATALOGUE, self.intake, self.committer, self.health, identities, gnss
        )
        started = []
        for name, source in self.configuration.sources.items():
            ingest: MqttIngest | SerialIngest
            if isinstance(source, MqttSourceSettings):
                ingest = assembly.mqtt_source(name, source, parts)
            else:
                ingest = assembly.serial_source(name, source, parts)
                self.serial.append(ingest)
            link = self.health.source(name).link
            started.append(
                tasks.create_task(
                    keep_alive(ingest.run, link, longest_wait=ingest.longest_wait), name=f"source {name}"
                )
            )
        return started

    async def _web(self, settings: WebSettings) -> None:
        from gateway.web.server import serve  # noqa: PLC0415 -- a board without the page does not pay for it

        await keep_alive(partial(serve, settings, self.health, self.spool.status), self.health.web)

    async def _housekeep(self) -> None:
        """Once a second: look at the clock, and whether everything moves; only then feed the watchdog."""
        log = structlog.get_logger()
        while True:
            stepped = self.timekeeper.check()
            if stepped:
                log.warning("the clock stepped", seconds=stepped / 1e9)
            if self.timekeeper.known and not self.health.clock_known:
                log.info("the clock is right", source=self.timekeeper.source)
            self.health.clock_known = self.timekeeper.known
            self.health.clock_steps = self.timekeeper.steps
            self.health.clock_source = self.timekeeper.source
            self.watchdog.feed(self._status_line())
            await asyncio.sleep(1.0)

    async def _tend(self) -> None:
        """Once a second: look after the spool."""
        while True:
            await self.tending.look()
            await asyncio.sleep(1.0)

    async def _own_up(self) -> None:
        """Say what is lost because it cannot be written before we go."""
        if left := self.committer.uncommitted:
            why = "stopped while the disk took nothing; what came from a broker with QoS 1 comes again"
            structlog.get_logger().error("readings were in memory only", readings=left, why=why)
            self.health.refuse("stopped", why, left, ())
        try:
            await self.tending.write_down(everything=True)
        except SpoolError as error:
            structlog.get_logger().error("the loss ledger lacks what was refused", problem=str(error))

    async def _drain(self) -> None:
        """Give the sinks a moment for the last readings; what they do not take stays in the spool."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await asyncio.gather(*(forwarder.caught_up() for forwarder in self.forwarders.values()))

    def _status_line(self) -> str:
        problems = self.health.problems()
        sensors = len(self.health.sensors)
        pending = ", ".join(f"{name} {self.health.sink(name).pending}" for name in self.forwarders) or "no database"
        what = f"{len(problems)} problems, first: {problems[0]}" if problems else "all well"
        spool = "" if self.health.pressure is None else f"; spool {self.health.pressure.words()}"
        return f"{sensors} sensors; pending: {pending}{spool}; {what}"

    def _tell_recovery(self) -> None:
        found = self.spool.recovery
        log = structlog.get_logger()
        self.health.last_run = self._last_run.begin()
        if self.health.last_run:
            log.warning("the last run did not stop in good order", what=self.health.last_run)
        log.info("spool", readings=self.spool.next_seq, bytes=found.bytes, segments=len(found.segments))
        for piece in (*found.cut, *found.damaged):
            log.warning("spool: set aside in damaged/", what=str(piece))
        for problem in found.problems:
            log.error("spool", problem=problem)
        if left := self.spool.unfinished_replays():
            log.warning("replays ignored; start them with `prehod spool replay`, and delete replays/", sinks=left)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run(path: Path) -> None:
    """Run the daemon on a configuration file until SIGTERM or SIGINT; a second signal leaves at once."""
    configuration = load_configuration(path)

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal() -> None:
            if stop.is_set():
                os._exit(1)  # nothing is lost: the spool is the truth
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        daemon = Daemon(configuration)
        try:
            await daemon.run(stop)
        finally:
            daemon.close()

    asyncio.run(main())
