"""Sources: messages from a broker that repeats itself, and devices on a serial line."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gateway import commit, sources
from gateway.clock import Timekeeper
from gateway.commit import Committer
from gateway.contract import Codec, Measurement, Options, Reject, Uplink
from gateway.encoding import FieldEncoder
from gateway.errors import LinkDown
from gateway.health import Health, SourceHealth
from gateway.intake import Intake, Origin
from gateway.links.mqtt_client import MqttSettings
from gateway.links.mqtt_packets import Message
from gateway.links.serial import SerialSettings
from gateway.settings import Gateway
from gateway.sources import MqttIngest, SerialDevice, SerialIngest
from gateway.spool import Identity

if TYPE_CHECKING:
    from tests.pipeline.conftest import FakeStore

Until = Callable[[Callable[[], bool]], Awaitable[None]]

NOW = 1_732_281_600_000_000_000


class Words:
    """A decoder of messages such as ``aq-1 12.5`` or ``aq-1 12.5 TIME``; more of them with semicolons."""

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject | Uplink]:
        if topic == "uplink":
            return [Uplink("aq-lora", 1, payload, None, NOW, "key", {"rssi": -100.0})]
        return [self._one(part) for part in payload.split(b";")]

    def _one(self, part: bytes) -> Measurement | Reject:
        words = part.decode().split()
        if len(words) < 2:
            return Reject("noise", b"", "not two words")
        time = int(words[2]) if len(words) > 2 else None
        return Measurement("air_quality", {"pm25": float(words[1])}, sensor=words[0], time=time)


class FakeConnection:
    """What `gateway.links.mqtt.Connection` is to its source; ``deliver`` is the broker."""

    made: list["FakeConnection"]
    session_present = False

    def __init__(self, _settings: MqttSettings) -> None:
        self.acknowledged: list[int] = []
        self.paused = self.closed = False
        self.pauses = 0
        self._inbox: asyncio.Queue[list[Message] | LinkDown] = asyncio.Queue()
        self.made.append(self)

    async def open(self) -> bool:
        return self.session_present

    async def receive(self) -> list[Message]:
        got = await self._inbox.get()
        if isinstance(got, LinkDown):
            raise got
        return got

    def acknowledge(self, mids: list[int]) -> None:
        assert not self.closed, "an acknowledgement after the end"
        self.acknowledged += mids

    def pause(self) -> None:
        self.paused = True
        self.pauses += 1

    def resume(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closed = True

    def deliver(self, *messages: Message) -> None:
        self._inbox.put_nowait(list(messages))

    def end(self) -> None:
        self._inbox.put_nowait(LinkDown("connection lost"))


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

    def make(self, taken: Iterable[Identity] = (), window: int = 1000) -> MqttIngest:
        self.ingest = MqttIngest(
            "broker",
            MqttSettings("127.0.0.1", 1883, "test", ("#",), receive_maximum=window),
            Words(),
            Origin("broker", FieldEncoder({})),
            codecs=self.codecs.get,
            max_message=100,
            intake=self.intake,
            committer=self.committer,
            health=self.health,
            taken=taken,
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

    async def commit(self, until: Until) -> None:
        """Let the committer write what has arrived."""
        await asyncio.sleep(0.005)
        before = self.committer._health.commits
        self.committer.hurry()
        await until(lambda: self.committer._health.commits > before)


@pytest.fixture
def intake(running: Committer, timekeeper: Timekeeper, health: Health) -> Intake:
    health.source("broker")
    health.source("line")
    return Intake(Gateway(id="koper-01", city="Koper"), {}, committer=running, timekeeper=timekeeper, health=health)


@pytest.fixture
def rig(running: Committer, intake: Intake, health: Health, monkeypatch: pytest.MonkeyPatch) -> Rig:
    FakeConnection.made = []
    monkeypatch.setattr(sources, "Connection", FakeConnection)
    return Rig(running, intake, health.source("broker"))


def values(store: "FakeStore") -> list[float]:
    return [float(line.split(b"pm25=")[1].split(b",")[0]) for line in store.lines]


# a broker


async def test_messages_are_acknowledged_in_order_once_they_are_durable_and_not_before(
    rig: Rig, store: "FakeStore", until: Until
) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 3), message("aq-1 2", 1))
        connection.deliver(message("no", 2), message("aq-1 3;aq-2 4", 7))
        await asyncio.sleep(0.005)
        assert connection.acknowledged == []
        await rig.commit(until)
        assert connection.acknowledged == [3, 1, 2, 7]
        assert values(store) == [1, 2, 3, 4]
        assert [identity.mid for identity in store.batches[0].identities] == [3, 1, 7]
        assert (rig.health.messages, rig.health.readings, rig.health.rejects["noise"]) == (4, 4, 1)


async def test_a_message_that_comes_again_is_acknowledged_and_not_stored_again(
    rig: Rig, store: "FakeStore", until: Until
) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 1), message("aq-1 2", 2))
        await rig.commit(until)
        connection.acknowledged.clear()  # lost on the way
    async with rig.connected(session_present=True) as connection:
        connection.deliver(message("aq-1 1", 1, again=True), message("aq-1 2", 2, again=True), message("aq-1 3", 3))
        await rig.commit(until)
        assert connection.acknowledged == [1, 2, 3]
        assert values(store) == [1, 2, 3]
        assert rig.health.repeated == 2


async def test_a_message_that_comes_again_before_it_was_durable_waits_for_that(
    rig: Rig, store: "FakeStore", until: Until
) -> None:
    store.gate.clear()
    async with rig.connected() as first:
        first.deliver(message("aq-1 1", 1))
        await asyncio.sleep(0.005)
        rig.committer.hurry()
        await until(store.begun.is_set)
    async with rig.connected(session_present=True) as second:
        second.deliver(message("aq-1 1", 1, again=True))
        await asyncio.sleep(0.005)
        rig.committer.hurry()
        assert second.acknowledged == []
        store.gate.set()
        await until(lambda: second.acknowledged == [1])
        assert values(store) == [1]
        assert first.acknowledged == [], "the old connection is never told"


async def test_after_a_lost_session_the_same_identity_means_another_message(
    rig: Rig, store: "FakeStore", until: Until
) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 1))
        await rig.commit(until)
    async with rig.connected(session_present=False) as connection:
        connection.deliver(message("aq-1 1", 1, again=True))
        await rig.commit(until)
        assert connection.acknowledged == [1]
        assert values(store) == [1, 1]


async def test_what_an_earlier_run_stored_is_not_stored_again(rig: Rig, store: "FakeStore", until: Until) -> None:
    rig.make(taken=[Identity.of("broker", 5, "city/air", b"aq-1 1")])
    async with rig.connected(session_present=True) as connection:
        connection.deliver(message("aq-1 1", 5, again=True), message("aq-1 2", 6, again=True))
        await rig.commit(until)
        assert connection.acknowledged == [5, 6]
        assert values(store) == [2]


async def test_messages_without_an_identity_are_stored_and_not_acknowledged(
    rig: Rig, store: "FakeStore", until: Until
) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1"), message("aq-1 2"))
        await rig.commit(until)
        assert connection.acknowledged == []
        assert values(store) == [1, 2]
        assert not store.batches[0].identities


async def test_a_retained_reading_counts_only_with_its_own_time(rig: Rig, store: "FakeStore", until: Until) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1", 1, retained=True), message(f"aq-1 2 {NOW}", 2, retained=True))
        await rig.commit(until)
        assert connection.acknowledged == [1, 2]
        assert values(store) == [2]
        assert rig.health.retained == 1


async def test_a_message_that_is_too_long_is_rejected_and_acknowledged(
    rig: Rig, store: "FakeStore", until: Until
) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("aq-1 1" + " " * 100, 1), message("aq-1 2", 2))
        await rig.commit(until)
        assert connection.acknowledged == [1, 2]
        assert values(store) == [2]
        assert rig.health.rejects["length"] == 1
        assert len(rig.health.last_rejects[0].raw) == 64


async def test_a_rejected_message_is_kept_to_be_looked_at(rig: Rig, until: Until) -> None:
    async with rig.connected() as connection:
        connection.deliver(message("what", 1))
        await rig.commit(until)
        assert rig.health.last_rejects[0] == Reject("noise", b"what", "not two words")


async def test_an_uplink_is_read_by_the_codec_of_its_device(rig: Rig, store: "FakeStore", until: Until) -> None:
    def decode(port: int, payload: bytes, _options: Options) -> Iterable[Measurement | Reject]:
        return [Measurement("air_quality", {"pm25": float(payload[0] + port)})]

    async with rig.connected() as connection:
        connection.deliver(message("\x07", 1, topic="uplink"))
        await rig.commit(until)
        assert "no codec" in rig.health.last_rejects[0].detail
        rig.codecs["aq-lora"] = (Codec("test", "Test", (), decode), Options())
        connection.deliver(message("\x07", 2, topic="uplink"))
        await rig.commit(until)
        (line,) = store.lines
        assert b"sensor=aq-lora pm25=8,quality=0i,rssi=-100" in line or b"pm25=8,rssi=-100,quality=0i" in line
        assert connection.acknowledged == [1, 2]


async def test_a_broker_that_waits_for_us_makes_the_commit_hurry(rig: Rig, until: Until) -> None:
    rig.make(window=5)
    async with rig.connected() as connection:
        connection.deliver(*(message(f"aq-1 {number}", number) for number in range(1, 5)))
        await asyncio.sleep(0.01)
        assert connection.acknowledged == []
        connection.deliver(message("aq-1 5", 5))
        await until(lambda: connection.acknowledged == [1, 2, 3, 4, 5])


async def test_past_the_bound_a_source_holds_even_in_the_middle_of_a_batch_and_loses_nothing(
    rig: Rig, store: "FakeStore", until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "HOLD_LINES", 5)
    store.gate.clear()
    async with rig.connected() as connection:
        connection.deliver(*(message(f"aq-1 {number}", number) for number in range(1, 13)))
        await until(lambda: connection.paused)
        assert rig.committer._count == 5
        store.gate.set()
        for _ in range(3):
            await asyncio.sleep(0.01)
            rig.committer.hurry()
        await until(lambda: len(store.lines) == 12)
        await until(lambda: connection.acknowledged == list(range(1, 13)))
        assert not connection.paused
        assert connection.pauses >= 2


async def test_the_end_of_a_connection_ends_the_run_with_its_reason(rig: Rig) -> None:
    task = asyncio.create_task(rig.ingest.run())
    await asyncio.sleep(0)
    FakeConnection.made[-1].end()
    with pytest.raises(LinkDown, match="connection lost"):
        await asyncio.wait_for(task, 5)
    assert FakeConnection.made[-1].closed


async def test_connections_that_come_and_go_on_a_full_disk_leave_nothing_behind(
    rig: Rig, store: "FakeStore", until: Until
) -> None:
    store.gate.clear()
    for _ in range(20):
        async with rig.connected(session_present=True) as connection:
            connection.deliver(message("aq-1 1", 1, again=True))
            await asyncio.sleep(0.002)
            rig.committer.hurry()
    groups = [*rig.committer._sealed, rig.committer._group]
    assert all(not group.acknowledge for group in groups)
    store.gate.set()
    await until(lambda: values(store) == [1])


# a serial line


class Lines:
    """A decoder of lines such as ``12.5``; it asks when it is told to, and keeps what is unfinished."""

    def __init__(self, name: str = "", asks: bytes = b"", start: Iterable[bytes] = ()) -> None:
        self.name, self.asks, self.commands = name, asks, start
        self.rest = b""
        self.fed: list[bytes] = []

    def start(self) -> Iterable[bytes]:
        return self.commands

    def poll(self) -> bytes:
        return self.asks

    def feed(self, data: bytes, now: int) -> Iterable[Measurement | Reject]:
        assert now > 0
        self.fed.append(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [self._one(line) for line in whole]

    def finish(self) -> Iterable[Measurement | Reject]:
        rest, self.rest = self.rest, b""
        return [self._one(rest)] if rest else []

    def _one(self, line: bytes) -> Measurement | Reject:
        try:
            return Measurement("air_quality", {"pm25": float(line)})
        except ValueError:
            return Reject("noise", line)


class Wire:
    """The far side of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, slave = os.openpty()
        self.port = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self.fd, False)

    def says(self, data: bytes) -> None:
        os.write(self.fd, data)

    def heard(self) -> bytes:
        try:
            return os.read(self.fd, 4096)
        except OSError:  # nothing yet, or nobody has opened the port yet
            return b""

    def unplug(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.unplug()


class Serial:
    """A serial source on a wire, with the decoders it has made so far."""

    def __init__(self, wire: Wire, intake: Intake, health: SourceHealth) -> None:
        self.wire, self.intake, self.health = wire, intake, health
        self.made: list[Lines] = []
        self.devices: list[SerialDevice] = []
        self.task: asyncio.Task[None] | None = None
        self.ingest: SerialIngest

    def add(self, sensor: str, *, interval: float = 0.02, timeout: float = 0.02, **decoder: Any) -> None:  # noqa: ANN401 -- for `Lines`
        def make() -> Lines:
            self.made.append(Lines(sensor, **decoder))
            return self.made[-1]

        origin = Origin("line", FieldEncoder({}), sensor=sensor)
        self.devices.append(SerialDevice(make, origin, interval, timeout))

    def start(self) -> None:
        self.ingest = SerialIngest(SerialSettings(self.wire.port, 9600), self.devices, self.intake, self.health)
        self.task = asyncio.create_task(self.ingest.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    @property
    def values(self) -> list[tuple[str, float]]:
        lines = self.intake._committer._group.utc.lines
        return [
            (line.split(b"sensor=")[1].split()[0].decode(), float(line.split(b"pm25=")[1].split(b",")[0]))
            for line in lines
        ]


@pytest.fixture
async def line(wire: Wire, intake: Intake, health: Health) -> AsyncIterator[Serial]:
    line = Serial(wire, intake, health.source("line"))
    yield line
    await line.stop()


async def test_a_device_that_talks_by_itself_is_heard_however_its_bytes_are_cut(line: Serial, until: Until) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    for piece in (b"1", b".5\n2", b".5\nbad\n3.5\n"):
        line.wire.says(piece)
        await asyncio.sleep(0.005)
    await until(lambda: line.values == [("aq-1", 1.5), ("aq-1", 2.5), ("aq-1", 3.5)])
    assert (line.health.readings, line.health.rejects["noise"]) == (3, 1)


async def test_start_commands_go_out_one_by_one_and_answers_to_them_are_heard(line: Serial, until: Until) -> None:
    line.add("aq-1", start=[b"wake\n", b"mode\n"])
    line.start()
    heard = b""

    def woken() -> bool:
        nonlocal heard
        heard += line.wire.heard()
        return heard == b"wake\n"

    await until(woken)
    line.wire.says(b"1\n")
    await until(lambda: line.values == [("aq-1", 1)])
    heard = b""

    def told() -> bool:
        nonlocal heard
        heard += line.wire.heard()
        return heard == b"mode\n"

    await until(told)


async def test_a_device_that_is_asked_is_asked_every_interval(line: Serial, until: Until) -> None:
    line.add("aq-1", asks=b"?")
    line.start()
    heard = b""

    def asked() -> bool:
        nonlocal heard
        heard += line.wire.heard()
        return heard.count(b"?") >= 3

    await until(asked)
    assert set(heard) == {ord("?")}


async def test_a_quiet_device_is_told_that_time_passes(line: Serial, until: Until) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: bool(line.made) and line.made[0].fed.count(b"") >= 2)


async def test_on_a_bus_each_answer_goes_to_the_one_that_was_asked(line: Serial, until: Until) -> None:
    line.add("first", asks=b"a", timeout=0.5)
    line.add("second", asks=b"b", timeout=0.5)
    line.start()
    answers = {b"a": b"1\n", b"b": b"2\n"}

    def answered() -> bool:
        line.wire.says(answers.get(line.wire.heard(), b""))
        return len(line.values) >= 6

    await until(answered)
    assert line.values[:6] == [("first", 1), ("second", 2)] * 3


async def test_a_dead_device_on_a_bus_costs_its_own_turn_only(line: Serial, until: Until) -> None:
    line.add("dead", asks=b"a", timeout=0.01)
    line.add("alive", asks=b"b", timeout=0.5)
    line.start()

    def answered() -> bool:
        line.wire.says(b"2\n" if b"b" in line.wire.heard() else b"")
        return len(line.values) >= 3

    await until(answered)
    assert {name for name, _ in line.values} == {"alive"}


async def test_a_late_answer_on_a_bus_is_nobodys(line: Serial, until: Until) -> None:
    line.add("slow", asks=b"a", timeout=0.01, interval=0.2)
    line.add("second", asks=b"b", timeout=0.5, interval=0.2)
    line.start()

    def second_answered(times: int) -> bool:
        line.wire.says(b"2\n" if b"b" in line.wire.heard() else b"")
        return len(line.values) >= times

    await until(lambda: second_answered(1))
    line.wire.says(b"99\n")  # between two turns
    await until(lambda: second_answered(3))
    assert {value for _, value in line.values} == {2}


async def test_an_unplug_in_mid_frame_ends_the_run_and_the_next_run_begins_afresh(
    line: Serial, wire: Wire, until: Until
) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    wire.says(b"12.")
    await until(lambda: line.made[0].rest == b"12.")
    wire.unplug()
    assert line.task is not None
    with pytest.raises(LinkDown, match="unplugged"):
        await asyncio.wait_for(line.task, 5)
    line.wire = Wire()
    line.start()
    await until(lambda: len(line.made) == 2)
    line.wire.says(b"5\n")
    await until(lambda: line.values == [("aq-1", 5)])
    await line.stop()
    line.wire.unplug()


async def test_what_a_decoder_still_holds_is_passed_on_when_the_daemon_stops(line: Serial, until: Until) -> None:
    line.add("aq-1")
    line.start()
    await until(lambda: line.health.link.up)
    line.wire.says(b"7")
    await until(lambda: line.made[0].rest == b"7")
    await line.stop()
    line.ingest.finish()
    line.ingest.finish()
    assert line.values == [("aq-1", 7)]


async def test_finishing_a_line_that_never_opened_is_no_error(line: Serial) -> None:
    line.add("aq-1")
    SerialIngest(SerialSettings("/dev/none", 9600), line.devices, line.intake, line.health).finish()
    assert line.values == []
