"""Random, damaged and hostile messages of every driver and codec: each is a reading, kept as refused, or counted.

Through power cuts and a full disk; by a broker that sends again what was not acknowledged, and by HTTP clients that
post again what was not answered. PREHOD_MESSAGES says how many for each driver and codec.
"""

import asyncio
import errno
import json
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import drivers
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Codec, Driver, Measurement, MqttLink, Options, Uplink
from gateway.daemon.assembly import seen_identities
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.ingest.settings import CommitSettings
from gateway.links.http.exchange import Answer, Exchange, Request
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from gateway.refused import Counted, Kept, RefusedSettings, RefusedStore
from gateway.sources.http import HttpIngest
from gateway.sources.messages import NOTHING, MessageReader
from gateway.sources.mqtt import MqttIngest
from gateway.spool import Spool, SpoolSettings, decode_member
from tests.support.clock import BOOT, FakeClock
from tests.support.disk import SimulatedDisk
from tests.support.hostile import hostile_messages
from tests.support.recordings import chunk, fitting_options, messages_of, recordings_of
from tests.support.until import until

DATA = Path("/data")
EACH = int(os.environ.get("PREHOD_MESSAGES", "320"))
"""Messages of each driver and codec: more than 10,000 of drivers, and as many of codecs."""
BY_HTTP = EACH // 3
LATER = 1_893_456_000 * 10**9
"""The year 2030: no recording is of a time to come."""


@dataclass(frozen=True)
class Subject:
    """A driver with options, and topics and payloads that it reads."""

    name: str
    driver: Driver
    options: Any
    recorded: tuple[tuple[str, bytes], ...]
    codec: Codec | None = None
    """What reads the payloads of its uplinks."""

    def codec_of(self, sensor: str) -> tuple[Codec, Options] | None:
        del sensor
        return None if self.codec is None else (self.codec, fitting_options(self.codec))


def of_driver(driver: Driver) -> Subject:
    options = fitting_options(driver)
    if not options.names_sensor:
        given = recordings_of(driver.name)[0].get("options", {})
        options = driver.options.model_validate({**given, "sensor": "topic:1"})
    recorded = tuple(messages_of(driver.name))
    decoder: Any = driver.decoder(options)
    said = [one for message in recorded for one in decoder.decode(*message)]
    return Subject(
        driver.name, driver, options, recorded, _reader_of([one for one in said if isinstance(one, Uplink)])
    )


def _reader_of(uplinks: list[Uplink]) -> Codec | None:
    """Return a codec that makes a reading of one of the payloads."""
    for codec in drivers.load_all_codecs() if uplinks else ():
        for uplink in uplinks:
            said = codec.decode(uplink.port or 0, uplink.payload, fitting_options(codec))
            if any(isinstance(one, Measurement) for one in said):
                return codec
    return None


def of_codec(name: str) -> Subject:
    """Return the payloads of a codec, as the bytes that a bridge publishes."""
    driver = drivers.load("lorawan")
    given = recordings_of(name)[0].get("options", {})
    options = driver.options.model_validate({"encoding": "bytes", "codec": name, "codec_options": given})
    feeds = [feed for one in recordings_of(name) for feed in one["feed"]]
    return Subject(name, driver, options, tuple((f"lorawan/bay-1/{feed['port']}", chunk(feed)) for feed in feeds))


SUBJECTS = [of_driver(driver) for driver in drivers.load_all() if isinstance(driver.link, MqttLink)]
CODECS = [of_codec(name) for name in drivers.codec_names()]


class Attempt:
    """What one delivery of a message brought; ``recognised``: it was known to have come before."""

    def __init__(self, delivery: Delivery | None, *, accounted: bool, recognised: bool) -> None:
        self.lines = [] if delivery is None else [line for _, _, line in delivery.lines]
        self.refused = delivery is not None and bool(delivery.refusals)
        self.accounted = accounted or bool(self.lines) or self.refused
        self.recognised = recognised


class House:
    """A source with all that is behind it, on a disk that may be cut off."""

    def __init__(self, run: "Run") -> None:
        clock, driver = run.clock, run.subject.driver
        health = Health("koper-01", "Koper", clock)
        timekeeper = Timekeeper(clock, run.directory)
        kept = SpoolSettings(min_free_bytes=0, on_full="refuse_new")
        self.spool = Spool.open(DATA / "spool", kept, sinks=["db"], filesystem=run.disk)
        self.store = RefusedStore(DATA / "refused", RefusedSettings(), self.spool, filesystem=run.disk)
        settings = CommitSettings(commit_interval="1ms")
        self.committer = Committer(self.spool, BOOT, health, settings, keeper=self.store, share=run.share)
        self.health = health.source("broker")
        decoder: Any = driver.decoder(run.subject.options)
        reader = MessageReader(
            decoder,
            Origin("broker", FieldEncoder({field.name: field for field in driver.fields})),
            codecs=run.subject.codec_of,
            max_message=driver.max_frame,
            intake=Intake(Gateway(id="g", city="c"), {}, timekeeper=timekeeper, health=health),
            health=self.health,
        )
        self.ingest = self._by_http(reader, run) if run.by_http else self._by_mqtt(reader, run)
        self.task = asyncio.create_task(self.committer.run())

    def _by_mqtt(self, reader: MessageReader, run: "Run") -> MqttIngest:
        ingest = MqttIngest(
            "broker",
            MqttSettings(url="mqtt://127.0.0.1", client_id="test", topics=("#",)),
            reader,
            committer=self.committer,
            health=self.health,
            clock=run.clock,
            seen=seen_identities(self.spool, self.store),
        )
        ingest._redelivery.begin_connection(session_present=True)
        return ingest

    def _by_http(self, reader: MessageReader, run: "Run") -> HttpIngest:
        nowhere: Any = None
        ingest = HttpIngest(
            "broker",
            "/broker",
            reader,
            driver=run.subject.driver.name,
            max_message=run.subject.driver.max_frame,
            token_file=None,
            server=nowhere,
            committer=self.committer,
            health=self.health,
            clock=run.clock,
            seen=seen_identities(self.spool, self.store),
        )
        ingest._window.reset()
        return ingest

    @property
    def uncounted(self) -> int:
        """Messages that are neither readings nor refused, by the counters."""
        health = self.health
        return health.repeated + health.retained + health.empty

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.committer.close()


class Run:
    """A broker, or HTTP clients, with one driver's messages, and the houses one after the other."""

    def __init__(self, subject: Subject, directory: Path, share: int = 1 << 26, *, by_http: bool = False) -> None:
        self.subject, self.directory, self.share, self.by_http = subject, directory, share, by_http
        self.chance = random.Random(subject.name)  # noqa: S311 - repeatable
        self.disk = SimulatedDisk(1)
        self.clock = FakeClock(utc=LATER, jumps=True)
        self.connection = self  # what an acknowledger has: nothing is sent
        self.acknowledged: set[int] = set()
        self.attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
        self.messages: list[tuple[str, bytes]] = []
        self._source = self._messages()
        self.house = House(self)

    def _messages(self) -> Iterator[tuple[str, bytes]]:
        for topic, payload in hostile_messages(self.subject.recorded, self.subject.driver.max_frame, self.chance):
            # What has no topic as a request is answered so, and is nobody's message.
            if not self.by_http or (topic == topic.strip("/") and topic.isprintable()):
                yield topic, payload

    def publish(self, *_: object) -> bool:
        return True

    def acknowledge(self, mids: list[int]) -> None:
        self.acknowledged.update(mid - 1 for mid in mids)

    def deliver(self, number: int, *, again: bool) -> None:
        topic, payload = self.messages[number]
        house = self.house
        before, repeated = house.uncounted, house.health.repeated
        kept: list[Delivery] = []
        add = house.committer.add

        def look(delivery: Delivery) -> None:
            kept.append(delivery)
            add(delivery)

        house.committer.add = look  # type: ignore[method-assign]
        self.clock.pass_by(1000)
        if isinstance(house.ingest, HttpIngest):
            house.ingest.receive(self._post(number, house))
        else:
            house.ingest._deliver(Message(topic, payload, number + 1, again, retained=False), self)  # type: ignore[arg-type]
        house.committer.add = add  # type: ignore[method-assign]
        delivery = kept[0] if kept else None
        # The source itself knows such a message: it is not read again.
        recognised = house.health.repeated > repeated and (delivery is None or delivery.identity is None)
        accounted = house.uncounted > before
        self.attempts[number].append(Attempt(delivery, accounted=accounted, recognised=recognised))

    def _post(self, number: int, house: House) -> Exchange:
        topic, payload = self.messages[number]

        def answered(answer: Answer) -> None:
            if answer.status < 300:
                self.acknowledged.add(number)
                if exchange.on_end is not None:
                    exchange.on_end(True)

        request = Request("POST", f"/broker/{topic}", "", {}, payload)
        exchange = Exchange(request, answered, lambda: self.house is house and number not in self.acknowledged)
        return exchange

    async def run(self, count: int) -> None:
        """Deliver messages, and find them again."""
        while len(self.messages) < count:
            await self.step(self.chance.randrange(1, 40))
        await self.house.end()
        self.disk.power_cut()
        self.house = House(self)
        check(self)
        await self.house.end()

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
        """The power goes, and comes back; what was not acknowledged is sent again."""
        await self.house.end()
        self.disk.heal()
        self.disk.power_cut()
        self.house = House(self)
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
    found: set[tuple[str, bytes]] = set()
    for number, key in enumerate(run.messages):
        topic, payload = key
        attempts = run.attempts[number]
        whole = any(all(lines[line] for line in one.lines) for one in attempts if not one.recognised)
        # To HTTP the same content soon after a start is the same message.
        assert whole or (run.by_http and key in found), f"{topic} {payload!r}: its readings are nowhere"
        assert attempts[0].accounted, f"{topic} {payload!r}: nobody knows of it"
        found.add(key)
        beginning = topic, payload if len(payload) < 50_000 else payload[:4096]
        least[beginning] += all(one.refused for one in attempts if one.accounted)
        most[beginning] += any(one.refused for one in attempts)
    assert [key for key in kept if kept[key] > most[key]] == []
    gone = counted + sum(entry["count"] for entry in run.house.spool.ledger.entries)
    assert sum(least.values()) <= sum(kept.values()) + gone <= sum(most.values())
    if not gone:
        assert [key for key in least if kept[key] < least[key]] == []
    assert sum(kept.values()) > 10
    assert lines, "nothing that was recorded is a reading"
    # A driver has words for whatever comes.
    assert [one.refusal for one in entries if isinstance(one, Kept) and NOTHING in one.refusal.words] == []


@pytest.mark.parametrize("subject", [*SUBJECTS, *CODECS], ids=lambda subject: subject.name)
async def test_every_message_is_found_again_through_power_cuts_and_a_full_disk(
    subject: Subject, tmp_path: Path
) -> None:
    await Run(subject, tmp_path).run(EACH)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
async def test_every_posted_message_is_found_again_through_power_cuts_and_a_full_disk(
    subject: Subject, tmp_path: Path
) -> None:
    await Run(subject, tmp_path, by_http=True).run(BY_HTTP)


async def test_a_flood_beyond_a_sources_share_is_counted_to_the_last_message(tmp_path: Path) -> None:
    run = Run(of_driver(drivers.load("json")), tmp_path, 20_000)
    run.messages = [("city/x/y", json.dumps({"flood": number}).encode()) for number in range(1000)]
    for number in range(1000):
        run.deliver(number, again=False)
    await until(lambda: len(run.acknowledged) == 1000)
    await run.house.end()
    run.disk.power_cut()
    run.house = House(run)
    entries = list(run.house.store.entries())
    kept = sum(isinstance(one, Kept) for one in entries)
    assert 50 < kept < 200
    assert kept + sum(one.count for one in entries if isinstance(one, Counted)) == 1000
    await run.house.end()
