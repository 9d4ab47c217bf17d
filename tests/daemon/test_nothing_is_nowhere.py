"""10,000 random, damaged and hostile messages of every driver: each is a reading, kept as refused, or counted.

Through power cuts and a full disk, by a broker that sends again what was not acknowledged.
"""

import asyncio
import errno
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import drivers
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Driver, MqttLink
from gateway.daemon.assembly import seen_identities
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.ingest.settings import CommitSettings
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from gateway.refused import Counted, Kept, RefusedSettings, RefusedStore
from gateway.sources.messages import MessageReader
from gateway.sources.mqtt import MqttIngest
from gateway.spool import Spool, SpoolSettings, decode_member
from tests.support.clock import BOOT, FakeClock
from tests.support.disk import SimulatedDisk
from tests.support.recordings import chunk, recordings_of
from tests.support.until import until

DATA = Path("/data")
MESSAGES = 10_000
DRIVERS = [driver for driver in drivers.load_all() if isinstance(driver.link, MqttLink)]
EACH = -(-MESSAGES // len(DRIVERS))
HOSTILE = (
    b"",
    b"\x00" * 100,
    b"[" * 5000,
    b"{" * 5000,
    b"null",
    b"nan",
    b"\xff\xfe{\x00}\x00",
    b"{'t': 21.5}",
    b'{"a":' * 1000 + b"1" + b"}" * 1000,
    b"1e999",
    b"9" * 5000,
)


def messages_of(driver: Driver, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield messages without end: good ones, damaged ones, random bytes, and what breaks parsers."""
    recorded = [
        (feed.get("topic", "a/b/c"), chunk(feed)) for one in recordings_of(driver.name) for feed in one["feed"]
    ]
    while True:
        topic, payload = chance.choice(recorded)
        kind = chance.randrange(6)
        if kind == 0:
            yield topic, payload
        elif kind == 1:
            yield topic, payload[: chance.randrange(len(payload) + 1)]
        elif kind == 2:
            yield chance.choice(recorded)[0], chance.randbytes(chance.randrange(200))
        elif kind == 3:
            yield "x" * chance.randrange(1, 100), chance.choice(HOSTILE)
        elif kind == 4 and chance.random() < 0.02:
            yield topic, bytes(driver.max_frame + 1)
        else:
            damaged = bytearray(payload)
            for _ in range(chance.randrange(1, 6)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            yield topic, bytes(damaged)


class Attempt:
    """What one delivery of a message brought."""

    def __init__(self, delivery: Delivery, *, accounted: bool) -> None:
        self.lines = [line for _, _, line in delivery.lines]
        self.refused = bool(delivery.refusals)
        self.accounted = accounted or bool(self.lines) or self.refused


class House:
    """A source with all that is behind it, on a disk that may be cut off."""

    def __init__(self, driver: Driver, options: Any, disk: SimulatedDisk, directory: Path, share: int) -> None:  # noqa: ANN401 -- a driver's own
        clock = FakeClock(jumps=True)
        health = Health("koper-01", "Koper", clock)
        timekeeper = Timekeeper(clock, directory)
        kept = SpoolSettings(min_free_bytes=0, on_full="refuse_new")
        self.spool = Spool.open(DATA / "spool", kept, sinks=["db"], filesystem=disk)
        self.store = RefusedStore(DATA / "refused", RefusedSettings(), self.spool, filesystem=disk)
        settings = CommitSettings(commit_interval="1ms")
        self.committer = Committer(self.spool, BOOT, health, settings, keeper=self.store, share=share)
        self.health = health.source("broker")
        self.clock = clock
        decoder: Any = driver.decoder(driver.options.model_validate(options))
        reader = MessageReader(
            decoder,
            Origin("broker", FieldEncoder({field.name: field for field in driver.fields})),
            codecs=lambda _: None,
            max_message=driver.max_frame,
            intake=Intake(Gateway(id="g", city="c"), {}, timekeeper=timekeeper, health=health),
            health=self.health,
        )
        self.ingest = MqttIngest(
            "broker",
            MqttSettings(url="mqtt://127.0.0.1", client_id="test", topics=("#",)),
            reader,
            committer=self.committer,
            health=self.health,
            clock=clock,
            seen=seen_identities(self.spool, self.store),
        )
        self.ingest._redelivery.begin_connection(session_present=True)
        self.task = asyncio.create_task(self.committer.run())

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.committer.close()


class Run:
    """A broker with one driver's messages, and the houses one after the other."""

    def __init__(self, driver: Driver, directory: Path, share: int) -> None:
        self.chance = random.Random(driver.name)  # noqa: S311 - repeatable
        self.disk = SimulatedDisk(1)
        self.connection = self  # what an acknowledger has: nothing is sent
        self.acknowledged: set[int] = set()
        self.attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
        self.messages: list[tuple[str, bytes]] = []
        self._options = recordings_of(driver.name)[0].get("options", {})
        self._parts = driver, self._options, self.disk, directory, share
        self._source = messages_of(driver, self.chance)
        self.house = House(*self._parts)

    def publish(self, *_: object) -> bool:
        return True

    def acknowledge(self, mids: list[int]) -> None:
        self.acknowledged.update(mid - 1 for mid in mids)

    def deliver(self, number: int, *, again: bool) -> None:
        topic, payload = self.messages[number]
        health = self.house.health
        before = health.repeated + health.retained + health.empty + health.commands
        kept: list[Delivery] = []
        add = self.house.committer.add

        def look(delivery: Delivery) -> None:
            kept.append(delivery)
            add(delivery)

        self.house.committer.add = look  # type: ignore[method-assign]
        self.house.clock.pass_by(1000)
        self.house.ingest._deliver(Message(topic, payload, number + 1, again, retained=False), self)  # type: ignore[arg-type]
        self.house.committer.add = add  # type: ignore[method-assign]
        after = health.repeated + health.retained + health.empty + health.commands
        self.attempts[number].append(Attempt(kept[0], accounted=after > before))

    async def step(self, count: int) -> None:
        """Deliver some; at times the disk is full for a while, at times the power goes."""
        first = len(self.messages)
        self.messages += [next(self._source) for _ in range(count)]
        fate = self.chance.randrange(4)
        if fate == 0:
            self.disk.fail(self.chance.randrange(6), errno.ENOSPC, times=3)
        elif fate == 1:
            self.disk.fail(self.chance.randrange(10), errno.EIO, times=100)
        for number in range(first, first + count):
            self.deliver(number, again=False)
        calls = len(self.disk.calls)
        await until(lambda: len(self.acknowledged) == len(self.messages) or len(self.disk.calls) > calls + 15)
        if len(self.acknowledged) < len(self.messages):
            await self.cut()

    async def cut(self) -> None:
        """The power goes, and comes back; the broker sends again what was not acknowledged."""
        await self.house.end()
        self.disk.heal()
        self.disk.power_cut()
        self.house = House(*self._parts)
        for number in range(len(self.messages)):
            if number not in self.acknowledged:
                self.deliver(number, again=True)
        await until(lambda: len(self.acknowledged) == len(self.messages))


def stored(spool: Spool) -> Counter[bytes]:
    text = b"".join(decode_member(member.raw) for member in spool.reader().members())
    return Counter(line for line in text.split(b"\n") if line and not line.startswith(b"#"))


def check(run: Run) -> None:
    lines = stored(run.house.spool)
    entries = list(run.house.store.entries())
    kept = Counter((one.refusal.topic, one.refusal.raw) for one in entries if isinstance(one, Kept))
    counted = sum(one.count for one in entries if isinstance(one, Counted))
    least: Counter[tuple[str, bytes]] = Counter()
    most: Counter[tuple[str, bytes]] = Counter()
    for number, (topic, payload) in enumerate(run.messages):
        attempts = run.attempts[number]
        whole = [one for one in attempts if all(lines[line] for line in one.lines)]
        assert whole, f"{topic} {payload!r}: its readings are nowhere"
        assert attempts[0].accounted, f"{topic} {payload!r}: nobody knows of it"
        key = topic, payload if len(payload) < 50_000 else payload[:4096]
        least[key] += all(one.refused for one in attempts if one.accounted)
        most[key] += any(one.refused for one in attempts)
    assert [key for key in kept if kept[key] > most[key]] == []
    gone = counted + sum(entry["count"] for entry in run.house.spool.ledger.entries)
    assert sum(least.values()) <= sum(kept.values()) + gone <= sum(most.values())
    if not gone:
        assert [key for key in least if kept[key] < least[key]] == []
    assert sum(kept.values()) > 10


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
async def test_every_message_is_found_again_through_power_cuts_and_a_full_disk(
    driver: Driver, tmp_path: Path
) -> None:
    run = Run(driver, tmp_path, 1 << 26)
    while len(run.messages) < EACH:
        await run.step(run.chance.randrange(1, 40))
    await run.house.end()
    run.disk.power_cut()
    run.house = House(*run._parts)
    check(run)
    await run.house.end()


async def test_a_flood_beyond_a_sources_share_is_counted_to_the_last_message(tmp_path: Path) -> None:
    run = Run(drivers.load("json"), tmp_path, 20_000)
    run.messages = [("city/x/y", json.dumps({"flood": number}).encode()) for number in range(1000)]
    for number in range(1000):
        run.deliver(number, again=False)
    await until(lambda: len(run.acknowledged) == 1000)
    await run.house.end()
    run.disk.power_cut()
    run.house = House(*run._parts)
    entries = list(run.house.store.entries())
    kept = sum(isinstance(one, Kept) for one in entries)
    assert 50 < kept < 200
    assert kept + sum(one.count for one in entries if isinstance(one, Counted)) == 1000
    await run.house.end()
