import asyncio
import base64
import json
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import aiomqtt
import pytest

from firmware_sim.bench.city import City, Pace, Size
from firmware_sim.bench.publisher import Publisher
from firmware_sim.parts.twin import NEVER, Message
from firmware_sim.patience import patience
from firmware_sim.truth.compare import compare
from firmware_sim.truth.ledger import Truth
from firmware_sim.truth.points import StoredPoint
from tests.support.until import until

NOON = 1_721_381_655_775_023_242
LIVELY = Pace(rate=20.0, dwell=10.0, station_interval=2.0, headway=0.1)


class Broker(Protocol):
    port: int
    url: str

    def start(self) -> None: ...
    def kill(self) -> None: ...


def everything_said(city: City, seconds: int) -> bytes:
    """Let time pass without any I/O; return all bytes of all devices."""
    said = b""
    for step in range(seconds * 10):
        now = step / 10
        for line in city.lines.values():
            said += b"".join(frame.data for frame in line.twin.tick(now))
        for twin in city.mqtt_twins:
            said += b"".join(message.payload for message in twin.tick(now, NOON + step))
    return said


async def test_two_cities_of_one_seed_say_the_same_bytes_and_another_seed_says_others(tmp_path: Path) -> None:
    one, same, other = (City(seed, tmp_path, pace=Pace(dwell=20.0)) for seed in (7, 7, 8))
    said = everything_said(one, 120)
    assert len(said) > 10_000
    assert everything_said(same, 120) == said
    assert everything_said(other, 120) != said


async def test_the_configuration_names_every_device(tmp_path: Path) -> None:
    city = City(7, tmp_path, broker="mqtt://127.0.0.1:1884", size=Size(2, 1, 3, 2))
    configuration = tomllib.loads(city.sources_toml(interval="5s"))
    sources, sensors = configuration["sources"], configuration["sensors"]
    assert set(sources) == {"aq-01", "aq-02", "radar-01", "lorawan", "stations"}
    assert sources["aq-02"] == {
        "type": "serial",
        "port": str(tmp_path / "ttyAQ1"),
        "driver": "sds011",
        "sensor": "aq-02",
    }
    assert sources["radar-01"]["options"] == {"interval": "5s"}
    assert sources["lorawan"]["url"] == "mqtt://127.0.0.1:1884"
    assert {sensor["id"] for sensor in sensors.values()} == {"spot-001", "spot-002", "spot-003"}
    assert {len(identity) for identity in sensors} == {16}
    assert sources["stations"]["options"]["fields"]["relative_humidity"] == {"path": "humidity", "scale": 0.01}


def test_a_city_without_some_kind_of_device_does_not_mention_it(tmp_path: Path) -> None:
    city = City(7, tmp_path, size=Size(dust_sensors=1, radars=0, spots=0, stations=0))
    assert set(tomllib.loads(city.sources_toml())["sources"]) == {"aq-01"}


@asynccontextmanager
async def subscribed(broker: Broker) -> AsyncIterator[list[StoredPoint]]:
    """Do what a gateway does with the city's messages, in a few lines of its own."""
    points: list[StoredPoint] = []
    ready = asyncio.Event()

    async def listen() -> None:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe("#", qos=1)
            ready.set()
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                points.append(point_from(json.loads(message.payload)))

    task = asyncio.create_task(listen())
    await asyncio.wait_for(ready.wait(), patience())
    yield points
    task.cancel()
    await asyncio.wait([task])


def point_from(said: dict[str, Any]) -> StoredPoint:
    if "ts" in said:
        fields = {name: said[name] for name in ("pm25", "pm10", "no2", "temperature")}
        fields["relative_humidity"] = said["humidity"] * 0.01
        return StoredPoint("air_quality", {"sensor": said["station"]}, fields, said["ts"] * 1_000_000)
    seconds = int(datetime.fromisoformat(said["time"][:19] + "+00:00").timestamp())
    time = seconds * 1_000_000_000 + int(said["time"][20:29])
    payload = base64.b64decode(said["data"])
    fields = {"occupied": bool(payload[16 if said["fPort"] == 3 else 0] & 1)}
    if said["fPort"] == 2 and len(payload) > 1:
        fields["temperature"] = float(int.from_bytes(payload[1:2], "little", signed=True))
    # 70b3d57ed00 and a number counted from 1: the identities of the city's spots.
    return StoredPoint("parking", {"sensor": f"spot-{int(said['deviceInfo']['devEui'][11:], 16):03}"}, fields, time)


async def test_what_a_subscriber_receives_is_what_the_ledger_holds(broker: Broker, tmp_path: Path) -> None:
    size = Size(dust_sensors=0, radars=0, spots=10, stations=2)
    pace = Pace(rate=20.0, dwell=10.0, heartbeat=30.0, station_interval=2.0)
    async with subscribed(broker) as points:
        async with City(7, tmp_path, broker=broker.url, size=size, pace=pace, keep_truth=True) as city:
            await until(lambda: city.truth.counts["parking"] > 30 and city.truth.counts["air_quality"] > 10)
            assert await city.stop_measuring()
        await until(lambda: len(points) >= len(city.truth))
    report = compare(city.truth, points)
    assert report.exact, report.differences
    assert report.uncertain == 0
    assert list(Truth.load(tmp_path / "truth.jsonl")) == list(city.truth)
    assert compare(city.truth, points[1:]).lost == 1
    assert compare(city.truth, [*points, points[0]]).duplicated == 1


async def test_a_city_starts_before_its_broker_and_measures_once_it_is_there(broker: Broker, tmp_path: Path) -> None:
    broker.kill()
    async with City(7, tmp_path, broker=broker.url, size=Size(0, 0, 5, 1), pace=LIVELY) as city:
        await asyncio.sleep(0)
        assert len(city.truth) == 0
        broker.start()
        await until(lambda: len(city.truth) >= 5)
        broker.kill()
        known = len(city.truth)
        broker.start()
        await until(lambda: len(city.truth) >= known + 5)
        assert await city.stop_measuring()
        assert all(taken.certain for taken in city.truth)


async def test_serial_devices_of_a_city_talk_to_their_hosts(tmp_path: Path, open_host: Callable[[Path], Any]) -> None:
    async with City(7, tmp_path, size=Size(2, 1, 0, 0), pace=LIVELY) as city:
        hosts = {name: open_host(line.path) for name, line in city.lines.items()}
        hosts["radar-01"].send(b"UKOJ")

        def all_have_spoken() -> bool:
            for host in hosts.values():
                host.read()
            return {"aq-01", "aq-02", "radar-01"} <= {taken.sensor for taken in city.truth}

        await until(all_have_spoken)
        stopping = asyncio.create_task(city.stop_measuring())

        def read_on() -> bool:
            for host in hosts.values():
                host.read()
            return stopping.done()

        await until(read_on)
        assert await stopping
        assert all(line.twin.due() == NEVER for line in city.lines.values())
        assert all(line.path.is_symlink() for line in city.lines.values())
    assert not any(line.path.is_symlink() for line in city.lines.values())


class ForgetfulBroker:
    """Speaks just enough MQTT 3.1.1; takes the first message and hangs up instead of acknowledging it."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.acknowledges = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                head, length = await reader.readexactly(2)
                assert length < 128
                body = await reader.readexactly(length)
                if head == 0x10:
                    writer.write(bytes.fromhex("20020000"))
                elif head & 0xF0 == 0x30:
                    topic = int.from_bytes(body[:2], "big")
                    self.taken.append(body[4 + topic :])
                    if not self.acknowledges:
                        break
                    writer.write(b"\x40\x02" + body[2 + topic : 4 + topic])
        writer.close()


@pytest.fixture
async def forgetful() -> AsyncIterator[tuple[ForgetfulBroker, str]]:
    broker = ForgetfulBroker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    yield broker, f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_message_without_puback_is_published_again_unchanged_and_counted_once(
    forgetful: tuple[ForgetfulBroker, str],
) -> None:
    broker, url = forgetful
    outcomes: list[bool | None] = []
    queue: asyncio.Queue[Message] = asyncio.Queue()
    queue.put_nowait(Message("city/air-1/air", b"one", outcomes.append))
    publisher = Publisher(url, "test")
    task = asyncio.create_task(publisher.run(queue))
    await until(lambda: len(broker.taken) == 1)
    assert outcomes == []
    broker.acknowledges = True
    await until(lambda: outcomes == [True])
    assert broker.taken == [b"one", b"one"]
    assert publisher.repeated == 1
    task.cancel()
    await asyncio.wait([task])


async def test_a_message_whose_puback_never_comes_is_uncertain(
    forgetful: tuple[ForgetfulBroker, str], tmp_path: Path
) -> None:
    broker, url = forgetful
    async with City(7, tmp_path, broker=url, size=Size(0, 0, 0, 1), pace=LIVELY) as city:
        await until(lambda: len(broker.taken) >= 1)
        assert len(city.truth) == 0
    assert [taken.certain for taken in city.truth] == [False]
