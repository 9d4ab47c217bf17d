"""Messages from a broker that repeats itself: each is stored once and acknowledged once it is durable."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from firmware_sim.patience import patience
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Codec, Command, Measurement, Options, Reject, Uplink
from gateway.errors import LinkDown, LinkDropped
from gateway.health import Health, SourceHealth
from gateway.ingest.committer import Committer
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.links.mqtt.connection import Connection
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from gateway.mqtt.reasons import ABRUPT_ENDS
from gateway.sources.commands import STRIKES
from gateway.sources.messages import MessageReader
from gateway.sources.mqtt import MqttIngest
from gateway.sources.subscriptions import Subscriptions
from gateway.spool import Identity
from tests.support.clock import FakeClock
from tests.support.store import FakeKeeper, FakeStore
from tests.support.until import until

NOW = 1_732_281_600_000_000_000


class Words:
    """A decoder of messages such as ``aq-1 12.5`` or ``aq-1 12.5 TIME``; more of them with semicolons."""

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Uplink | Command]:
        if topic == "uplink":
            return [Uplink("aq-lora", 1, payload, None, NOW, "key", {"rssi": -100.0})]
        if topic == "ask":
            return [self._one(payload), Command(f"{payload.split()[0].decode()}/command", b"again")]
        return [self._one(part) for part in payload.split(b";")]

    def _one(self, part: bytes) -> Measurement | Reject:
        words = part.decode().split()
        if len(words) < 2:
            return Reject("noise", b"", "not two words")
        time = int(words[2]) if len(words) > 2 else None
        return Measurement("air_quality", {"pm25": float(words[1])}, sensor=words[0], time=time)


class FakeConnection:
    """What `gateway.links.mqtt.connection.Connection` is to its source; ``deliver`` is the broker."""

    unwanted: tuple[str, ...] = ()

    made: list["FakeConnection"]
    session_present = False
    downgraded_topics = ""
    accepted = True

    def __init__(self, _settings: MqttSettings) -> None:
        self.acknowledged: list[int] = []
        self.published: list[tuple[str, bytes]] = []
        self.paused = self.closed = False
        self.pauses = 0
        self.idle = False
        """Whether the source has dealt with all that was delivered, and waits for more."""
        self._inbox: asyncio.Queue[list[Message] | LinkDown] = asyncio.Queue()
        self._ended_on_hold: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.made.append(self)

    async def open(self) -> bool:
        return self.session_present

    async def receive(self) -> list[Message]:
        self.idle = self._inbox.empty()
        got = await self._inbox.get()
        self.idle = False
        if isinstance(got, LinkDown):
            raise got
        return got

    def acknowledge(self, mids: list[int]) -> None:
        assert not self.closed, "an acknowledgement after the end"
        self.acknowledged += mids

    def publish(self, topic: str, payload: bytes) -> bool:
        self.published.append((topic, payload))
        return True

    async def pause_until(self, room: Awaitable[object]) -> None:
        self.paused = True
        self.pauses += 1
        waits = [asyncio.ensure_future(room), self._ended_on_hold]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        self.paused = False
        if self._ended_on_hold.done():
            waits[0].cancel()
            raise LinkDown("connection lost")

    def close(self) -> None:
        self.closed = True

    def deliver(self, *messages: Message) -> None:
        self.idle = False
        self._inbox.put_nowait(list(messages))

    def end(self, why: LinkDown | None = None) -> None:
        self._inbox.put_nowait(why or LinkDown("connection lost"))

    def end_on_hold(self) -> None:
        self._ended_on_hold.set_result(None)


def message(
    payload: str, mid: int = 0, *, topic: str = "city/air", again: bool = False, retained: bool = False
) -> Message:
    return Message(topic, payload.encode(), mid, repeated=again, retained=retained)


class Rig:
    """One MQTT source on a fake connection."""

    def __init__(self, committer: Committer, intake: Intake, health: SourceHealth) -> None:
        self.committer, self.intake, self.health = committer, intake, health
        self.codecs: dict[str, tuple[Codec, Options]] = {}
        self.ingest = self.make()

    def make(
        self,
        seen: Iterable[Identity] = (),
        window: int = 1000,
        topics: tuple[str, ...] = ("#",),
        subscriptions: Subscriptions | None = None,
    ) -> MqttIngest:
        self.ingest = MqttIngest(
            "broker",
            MqttSettings(url="mqtt://127.0.0.1", client_id="test", topics=topics, receive_maximum=window),
            MessageReader(
                Words(),
                Origin("broker", FieldEncoder({})),
                codecs=self.codecs.get,
                max_message=100,
                intake=self.intake,
                health=self.health,
            ),
            committer=self.committer,
            health=self.health,
            clock=FakeClock(),
            connect=cast("Callable[[MqttSettings], Connection]", FakeConnection),
            seen=seen,
            subscriptions=subscriptions,
        )
        return self.ingest

    @asynccontextmanager
    async def connected(self, *, session_present: bool = False) -> AsyncIterator[FakeConnection]:
        FakeConnection.session_present = session_present
        task = asyncio.create_task(self.ingest.run())
        await asyncio.sleep(0)
        connection = FakeConnection.made[-1]
        try:
            yield connection
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert connection.closed

    async def commit(self) -> None:
        """Let the committer write what has arrived."""
        await _until_idle(FakeConnection.made[-1])
        before = self.committer._health.commits
        self.committer.hurry()
        await until(lambda: self.committer._health.commits > before)


@pytest.fixture
def intake(timekeeper: Timekeeper, health: Health) -> Intake:
    health.source("broker")
    return Intake(Gateway(id="koper-01", city="Koper"), {}, timekeeper=timekeeper, health=health)


@pytest.fixture
def rig(running: Committer, intake: Intake, health: Health) -> Rig:
    FakeConnection.made = []
    return Rig(running, intake, health.source("broker"))


async def _until_idle(connection: FakeConnection) -> None:
    await until(lambda: connection.idle)


def values(store: FakeStore) -> list[float]:
    return [float(line.split(b"pm25=")[1].split(b",")[0]) for line in store.lines]


# a broker


async def test_messages_are_acknowledged_in_order_once_they_are_durable_and_not_before(
    rig: Rig, store: FakeStore, keeper: FakeKeeper
) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 3), message("aq-1 2", 1))
        connection.deliver(message("no", 2), message("aq-1 3;aq-2 4", 7))
        await _until_idle(connection)
        assert connection.acknowledged == []
        await rig.commit()
        assert connection.acknowledged == [3, 1, 2, 7]
        assert values(store) == [1, 2, 3, 4]
        *messages, marker = [identity.mid for identity in store.batches[0].identities]
        assert messages == [3, 1, 2, 7]
        assert marker == 1, "the store of refused messages waits for this group"
        assert [(refusal.raw, refusal.words) for refusal in keeper.refusals] == [(b"no", "not two words")]
        assert (rig.health.messages, rig.health.readings, rig.health.rejects["noise"]) == (4, 4, 1)


async def test_a_message_that_comes_again_is_acknowledged_and_not_stored_again(rig: Rig, store: FakeStore) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 1), message("aq-1 2", 2))
        await rig.commit()
        connection.acknowledged.clear()  # lost on the way
    async with rig.connected(session_present=True) as connection:
        connection.deliver(message("aq-1 1", 1, again=True), message("aq-1 2", 2, again=True), message("aq-1 3", 3))
        await rig.commit()
        assert connection.acknowledged == [1, 2, 3]
        assert values(store) == [1, 2, 3]
        assert rig.health.repeated == 2


async def test_a_message_that_comes_again_before_it_was_durable_waits_for_that(rig: Rig, store: FakeStore) -> None:
    store.gate.clear()
    async with rig.connected() as first:
        first.deliver(message("aq-1 1", 1))
        await _until_idle(first)
        rig.committer.hurry()
        await until(store.begun.is_set)
    async with rig.connected(session_present=True) as second:
        second.deliver(message("aq-1 1", 1, again=True))
        await _until_idle(second)
        rig.committer.hurry()
        assert second.acknowledged == []
        store.gate.set()
        await until(lambda: second.acknowledged == [1])
        assert values(store) == [1]
        assert first.acknowledged == [], "the old connection is never told"


async def test_after_a_lost_session_the_same_identity_means_another_message(rig: Rig, store: FakeStore) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 1))
        await rig.commit()
    async with rig.connected(session_present=False) as connection:
        connection.deliver(message("aq-1 1", 1, again=True))
        await rig.commit()
        assert connection.acknowledged == [1]
        assert values(store) == [1, 1]


async def test_what_an_earlier_run_stored_is_not_stored_again(rig: Rig, store: FakeStore) -> None:
    rig.make(seen=[Identity.of("broker", 5, "city/air", b"aq-1 1")])
    async with rig.connected(session_present=True) as connection:
        connection.deliver(message("aq-1 1", 5, again=True), message("aq-1 2", 6, again=True))
        await rig.commit()
        assert connection.acknowledged == [5, 6]
        assert values(store) == [2]


async def test_before_the_clock_is_right_all_that_a_message_brings_is_in_one_group_with_its_name(
    rig: Rig, store: FakeStore, clock: FakeClock, timekeeper: Timekeeper
) -> None:
    timekeeper._offset = None
    clock.right = False
    async with rig.connected() as connection:
        connection.deliver(message(f"aq-1 1 {NOW}", 1), message("aq-2 2", 2), message(f"aq-1 3 {NOW + 1}", 3))
        await rig.commit()
        assert connection.acknowledged == [1, 2, 3]
    [group] = store.groups
    assert [(batch.boot is None, batch.count) for batch in group] == [(False, 1), (True, 2)]
    assert [one.mid for batch in group for one in batch.identities] == [1, 2, 3]


async def test_messages_without_an_identity_are_stored_and_not_acknowledged(rig: Rig, store: FakeStore) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1"), message("aq-1 2"))
        await rig.commit()
        assert connection.acknowledged == []
        assert values(store) == [1, 2]
        assert not store.batches[0].identities


async def test_a_retained_reading_counts_only_with_its_own_time(rig: Rig, store: FakeStore) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 1, retained=True), message(f"aq-1 2 {NOW}", 2, retained=True))
        await rig.commit()
        assert connection.acknowledged == [1, 2]
        assert values(store) == [2]
        assert rig.health.retained == 1


async def test_what_is_retained_is_stored_once_however_often_it_comes_again(rig: Rig, store: FakeStore) -> None:
    old, new = f"aq-1 1 {NOW}", f"aq-1 2 {NOW + 1}"
    async with rig.connected() as connection:
        connection.deliver(message(old, 1, retained=True), message(new, 2))
        await rig.commit()
    async with rig.connected(session_present=True) as connection:
        connection.deliver(message(old, 3, retained=True), message(old, 4))
        await rig.commit()
        assert connection.acknowledged == [3, 4]
    assert values(store) == [1, 2, 1], "what a device says late and by itself is news"
    assert rig.health.repeated == 1


async def test_a_message_that_is_too_long_is_rejected_and_acknowledged(rig: Rig, store: FakeStore) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1" + " " * 100, 1), message("aq-1 2", 2))
        await rig.commit()
        assert connection.acknowledged == [1, 2]
        assert values(store) == [2]
        assert rig.health.rejects["length"] == 1
        assert len(rig.health.last_rejects[0].raw) == 64


async def test_a_rejected_message_is_kept_to_be_looked_at(rig: Rig) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("what", 1))
        await rig.commit()
        kept = rig.health.last_rejects[0]
        assert (kept.reason, kept.raw, kept.detail, kept.topic) == ("noise", b"what", "not two words", "city/air")


async def test_an_uplink_is_read_by_the_codec_of_its_device(rig: Rig, store: FakeStore) -> None:
    def decode(port: int, payload: bytes, _options: Options) -> Iterable[Measurement | Reject]:
        return [Measurement("air_quality", {"pm25": float(payload[0] + port)})]

    async with rig.connected() as connection:
        connection.deliver(message("\x07", 1, topic="uplink"))
        await rig.commit()
        assert "no codec" in rig.health.last_rejects[0].detail
        rig.codecs["aq-lora"] = (Codec("test", "Test", (), decode), Options())
        connection.deliver(message("\x07", 2, topic="uplink"))
        await rig.commit()
        (line,) = store.lines
        assert b"sensor=aq-lora pm25=8,quality=0i,rssi=-100" in line or b"pm25=8,rssi=-100,quality=0i" in line
        assert connection.acknowledged == [1, 2]


async def test_a_command_of_the_decoder_goes_out_once_and_its_messages_are_stored(rig: Rig, store: FakeStore) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 1, topic="ask"), message("aq-1", 2, topic="ask"))
        await rig.commit()
        assert connection.published == [("aq-1/command", b"again")]
        assert connection.acknowledged == [1, 2]
    async with rig.connected(session_present=True) as connection:
        connection.deliver(message("aq-1 1", 1, topic="ask", again=True), message("aq-1 2", 3, topic="ask"))
        await rig.commit()
        assert connection.published == [], "not so soon again, whatever the connection"
    assert values(store) == [1, 2]
    assert (rig.health.commands, rig.health.rejects["noise"]) == (1, 1)


async def test_a_broker_that_ends_the_connection_for_a_command_gets_no_more_of_them(rig: Rig) -> None:
    published = []
    for number in range(STRIKES + 2):
        task = asyncio.create_task(rig.ingest.run())
        await asyncio.sleep(0)
        FakeConnection.made[-1].deliver(message(f"aq-{number} 1", topic="ask"))
        FakeConnection.made[-1].end()
        with pytest.raises(LinkDown):
            await asyncio.wait_for(task, patience())
        published += FakeConnection.made[-1].published
    assert [topic for topic, _ in published] == [f"aq-{number}/command" for number in range(STRIKES)]
    assert rig.health.readings == STRIKES + 2


async def test_a_broker_that_waits_for_us_makes_the_commit_hurry(rig: Rig) -> None:
    rig.make(window=5)
    async with rig.connected() as connection:
        connection.deliver(*(message(f"aq-1 {number}", number) for number in range(1, 5)))
        await _until_idle(connection)
        assert connection.acknowledged == []
        connection.deliver(message("aq-1 5", 5))
        await until(lambda: connection.acknowledged == [1, 2, 3, 4, 5])


async def test_past_the_bound_a_source_holds_even_in_the_middle_of_a_batch_and_loses_nothing(
    rig: Rig, store: FakeStore
) -> None:
    rig.committer.most_lines = 5
    store.gate.clear()
    async with rig.connected() as connection:
        connection.deliver(*(message(f"aq-1 {number}", number) for number in range(1, 13)))
        await until(lambda: connection.paused)
        assert rig.committer._readings == 5
        store.gate.set()

        def all_stored() -> bool:
            rig.committer.hurry()
            return len(store.lines) == 12

        await until(all_stored)
        await until(lambda: connection.acknowledged == list(range(1, 13)))
        assert not connection.paused
        assert connection.pauses >= 2


async def test_a_connection_that_ends_while_the_disk_is_full_ends_the_run(rig: Rig, store: FakeStore) -> None:
    rig.committer.most_lines = 2
    store.gate.clear()
    task = asyncio.create_task(rig.ingest.run())
    await asyncio.sleep(0)
    connection = FakeConnection.made[-1]
    connection.deliver(*(message(f"aq-1 {number}", number) for number in range(1, 4)))
    await until(lambda: connection.paused)
    connection.end_on_hold()
    with pytest.raises(LinkDown, match="connection lost"):
        await asyncio.wait_for(task, patience())
    assert connection.closed


async def test_a_broker_that_grants_less_than_asked_for_is_a_problem(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeConnection, "downgraded_topics", "QoS 0")
    async with rig.connected():
        await until(lambda: rig.health.link.up)
        assert rig.health.link.problems == {"quality of service": "QoS 0"}


async def test_drops_soon_after_being_taken_in_name_our_id(rig: Rig) -> None:
    for attempt in range(1, ABRUPT_ENDS + 1):
        task = asyncio.create_task(rig.ingest.run())
        await asyncio.sleep(0)
        FakeConnection.made[-1].end(LinkDropped("without a word"))
        with pytest.raises(LinkDown, match="without a word" if attempt < ABRUPT_ENDS else "use the id 'test'"):
            await asyncio.wait_for(task, patience())


async def test_the_end_of_a_connection_ends_the_run_with_its_reason(rig: Rig) -> None:
    task = asyncio.create_task(rig.ingest.run())
    await asyncio.sleep(0)
    FakeConnection.made[-1].end()
    with pytest.raises(LinkDown, match="connection lost"):
        await asyncio.wait_for(task, patience())
    assert FakeConnection.made[-1].closed


async def test_connections_that_come_and_go_on_a_full_disk_leave_nothing_behind(rig: Rig, store: FakeStore) -> None:
    store.gate.clear()
    for _ in range(20):
        async with rig.connected(session_present=True) as connection:
            connection.deliver(message("aq-1 1", 1, again=True))
            await _until_idle(connection)
            rig.committer.hurry()
    groups = [*rig.committer._sealed, rig.committer._group]
    assert all(not group.acknowledge for group in groups)
    store.gate.set()
    await until(lambda: values(store) == [1])


async def test_what_comes_of_a_topic_that_left_the_configuration_is_refused_with_words(
    rig: Rig, store: FakeStore, keeper: FakeKeeper, tmp_path: Path
) -> None:
    def asked() -> Subscriptions:
        return Subscriptions(tmp_path / "broker.json", "test at broker")

    rig.make(topics=("keep/+", "old/+"), subscriptions=asked())
    async with rig.connected():
        pass
    rig.make(topics=("keep/+",), subscriptions=asked())
    async with rig.connected(session_present=True) as connection:
        assert connection.unwanted == ("old/+",)
        connection.deliver(message("aq-1 11", 1, topic="old/a"), message("aq-1 12", 2, topic="keep/a"))
        await rig.commit()
        assert values(store) == [12]
        (refusal,) = keeper.refusals
        assert (refusal.topic, refusal.raw) == ("old/a", b"aq-1 11")
        assert "no topic of this source's configuration matches it" in refusal.words
        assert connection.acknowledged == [1, 2]
    async with rig.connected(session_present=True) as connection:
        assert connection.unwanted == (), "the broker was told, once"
