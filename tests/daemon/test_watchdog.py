"""The watchdog is fed by progress: a stall starves it, a full disk, a database that is away and silence do not."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import Timekeeper
from gateway.daemon import watchdog
from gateway.daemon.watchdog import Watchdog
from gateway.delivery.forwarder import Forwarder, Limits, Sink
from gateway.errors import SinkAway, SpoolFull
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.spool import Batch, Spool
from tests.support.clock import FakeClock
from tests.support.store import FakeStore
from tests.support.until import until

AT = 1_732_281_600_000_000_000


def pass_by(clock: FakeClock, seconds: float) -> None:
    clock.pass_by(round(seconds * 1e9))


class Systemd:
    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening

    def fed(self, dog: Watchdog) -> bool:
        """Tell whether the watchdog is fed now."""
        dog.feed("well")
        said = self._listening.recv(1000).decode().split("\n")
        assert "STATUS=well" in said
        return "WATCHDOG=1" in said


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield Systemd(listening)


class AwaySink:
    """A database that is not there."""

    overwrites = True

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        raise SinkAway(f"no route for {len(body)} bytes, {in_doubt=}")

    async def close(self) -> None:
        pass


class HangingSink:
    """A database that takes a batch and never says a word, whatever its time-out was meant to be."""

    def __init__(self) -> None:
        self.sent = 0

    overwrites = True

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        self.sent += bool(body) and not in_doubt
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


def a_forwarder(spool: Spool, sink: Sink, timekeeper: "Timekeeper", health: Health) -> Forwarder:
    return Forwarder(spool.consumer("influx"), sink, Limits(), timekeeper, health.sink("influx"))


def one_reading() -> Delivery:
    delivery = Delivery()
    delivery.add(b"a x=1 1", AT)
    return delivery


async def test_messages_that_give_nothing_to_write_feed_it(
    running: Committer, *, health: Health, systemd: Systemd, clock: FakeClock
) -> None:
    class Broker:
        mids: tuple[int, ...] = ()

        def acknowledge(self, mids: list[int]) -> None:
            self.mids = tuple(mids)

    dog, broker = Watchdog(health, running, {}, {}), Broker()
    for mid in range(1, 4):
        running.add(Delivery(broker, mid))
        assert systemd.fed(dog)
        pass_by(clock, running.interval + watchdog.COMMIT_PATIENCE - 1)
        running.hurry()
        await until(lambda mid=mid: broker.mids == (mid,))  # type: ignore[misc] # mypy: no default for a lambda


async def test_a_store_that_blocks_for_ever_starves_it_and_one_that_goes_on_feeds_it_again(
    running: Committer, *, store: FakeStore, health: Health, systemd: Systemd, clock: FakeClock
) -> None:
    dog = Watchdog(health, running, {}, {})
    store.gate.clear()
    running.add(one_reading())
    running.hurry()
    await until(store.begun.is_set)
    assert systemd.fed(dog)
    pass_by(clock, running.interval + watchdog.COMMIT_PATIENCE - 1)
    assert systemd.fed(dog), "a slow card is no reason to start anew"
    pass_by(clock, 2)
    assert not systemd.fed(dog)
    assert health.problems()[0].startswith("writing to the spool has not moved for")
    store.gate.set()
    await until(lambda: health.committed == 1)
    assert systemd.fed(dog)
    assert not health.stuck


async def test_a_full_disk_feeds_it(
    running: Committer,
    *,
    store: FakeStore,
    health: Health,
    systemd: Systemd,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock.jumps = True

    def full(_group: object) -> object:
        raise SpoolFull("no space left")

    monkeypatch.setattr(store, "commit", full)
    dog = Watchdog(health, running, {}, {})
    running.add(one_reading())
    running.hurry()
    for _ in range(5):
        before = running.attempts
        await until(lambda before=before: running.attempts > before)  # type: ignore[misc] # the loop's own value
        assert systemd.fed(dog)
        pass_by(clock, 1000)


async def test_a_committer_that_died_starves_it(
    committer: Committer, health: Health, systemd: Systemd, clock: FakeClock
) -> None:
    dog = Watchdog(health, committer, {}, {})
    committer.add(one_reading())
    assert systemd.fed(dog)
    pass_by(clock, committer.interval + watchdog.COMMIT_PATIENCE + 1)
    assert not systemd.fed(dog)


async def test_a_quiet_gateway_feeds_it(
    running: Committer, health: Health, systemd: Systemd, clock: FakeClock
) -> None:
    dog = Watchdog(health, running, {}, {})
    for _ in range(5):
        assert systemd.fed(dog)
        pass_by(clock, 100_000)


async def test_a_database_that_is_away_feeds_it(
    committer: Committer,
    *,
    timekeeper: Timekeeper,
    health: Health,
    systemd: Systemd,
    clock: FakeClock,
    tmp_path: Path,
) -> None:
    clock.jumps = True
    with Spool.open(tmp_path / "spool", sinks=["influx"]) as spool:
        spool.writer.append(Batch(b"a x=1 1\n", 1, 1, 1))
        forwarder = a_forwarder(spool, AwaySink(), timekeeper, health)
        task = asyncio.create_task(forwarder.run())
        dog = Watchdog(health, committer, {"influx": forwarder}, {"influx": 10.0})
        for _ in range(5):
            before = forwarder.steps
            await until(lambda before=before: forwarder.steps > before)  # type: ignore[misc] # the loop's own value
            assert systemd.fed(dog)
            pass_by(clock, 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("alive", [True, False], ids=["hangs", "dead"])
async def test_a_forwarder_that_never_returns_or_died_starves_it(
    alive: bool,
    *,
    committer: Committer,
    timekeeper: Timekeeper,
    health: Health,
    systemd: Systemd,
    clock: FakeClock,
    tmp_path: Path,
) -> None:
    with Spool.open(tmp_path / "spool", sinks=["influx"]) as spool:
        sink = HangingSink()
        forwarder = a_forwarder(spool, sink, timekeeper, health)
        task = asyncio.create_task(forwarder.run())
        dog = Watchdog(health, committer, {"influx": forwarder}, {"influx": 10.0})
        pass_by(clock, 1_000_000)
        assert systemd.fed(dog), "with nothing to send it has nothing to do"
        if not alive:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        spool.writer.append(Batch(b"a x=1 1\n", 1, 1, 1))
        forwarder.wake()
        if alive:
            await until(lambda: sink.sent == 1)
        assert systemd.fed(dog)
        pass_by(clock, watchdog.FORWARD_PATIENCE - 1)
        assert systemd.fed(dog)
        pass_by(clock, 2)
        assert not systemd.fed(dog)
        assert any("forwarding to influx has not moved" in problem for problem in health.problems())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
