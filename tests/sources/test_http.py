"""An HTTP source against a real client: nothing is answered before it is on disk, and nothing is stored twice."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.process import free_port
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Measurement, Reject
from gateway.errors import LinkRefused, SpoolFull
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.links.http.exchange import ServerBounds
from gateway.links.http.server import HttpServer
from gateway.links.http.settings import ListenSettings
from gateway.sources.http import HttpIngest
from gateway.sources.messages import MessageReader
from gateway.spool import Identity
from tests.support.clock import FakeClock
from tests.support.store import FakeStore
from tests.support.until import until


class Words:
    """A decoder of bodies such as ``12.5``, or several with semicolons, of the sensor that the topic names."""

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        for part in payload.split(b";"):
            try:
                yield Measurement("air_quality", {"pm25": float(part)}, sensor=topic)
            except ValueError:
                yield Reject("noise", b"", "not a number")


class World:
    def __init__(self, intake: Intake, committer: Committer, health: Health, clock: FakeClock) -> None:
        self.intake = intake
        self.committer = committer
        self.health = health.source("air")
        self.clock = clock
        self.port = free_port()
        self.limits = ServerBounds()
        self.tasks: list[asyncio.Task[None]] = []
        self.client = aiohttp.ClientSession()

    async def start(self, driver: str = "words", token_file: Path | None = None, seen: Any = ()) -> HttpIngest:  # noqa: ANN401 -- identities
        server = HttpServer(ListenSettings(listen=f"127.0.0.1:{self.port}"), self.clock, self.limits)
        reader = MessageReader(
            Words(),
            Origin("air", FieldEncoder({})),
            codecs=lambda _: None,
            max_message=100_000,
            intake=self.intake,
            health=self.health,
        )
        source = HttpIngest(
            "air",
            "/air",
            reader,
            driver=driver,
            max_message=100_000,
            token_file=token_file,
            server=server,
            committer=self.committer,
            health=self.health,
            clock=self.clock,
            seen=seen,
        )
        self.tasks.append(asyncio.create_task(source.run()))
        await until(lambda: self.health.link.up or self.tasks[-1].done())
        return source

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
        self.health.link.up = False

    async def post(self, body: bytes, path: str = "/air/aq-1", **headers: str) -> tuple[int, str]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.client.post(url, data=body, headers=sent) as answer:
            return answer.status, (await answer.text()).strip()

    async def post_and_leave(self, body: bytes, path: str = "/air/aq-1") -> None:
        """Post, and break the connection before there is an answer."""
        messages = self.health.messages
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)
        )
        await until(lambda: self.health.messages > messages)
        writer.transport.abort()
        await asyncio.sleep(0.02)  # for the other side of the connection to hear of it


@pytest.fixture
async def world(running: Committer, timekeeper: Timekeeper, health: Health, clock: FakeClock) -> AsyncIterator[World]:
    gateway = Gateway(id="koper-01", city="Koper")
    world = World(Intake(gateway, {}, timekeeper=timekeeper, health=health), running, health, clock)
    yield world
    await world.stop()
    await world.client.close()


def values(store: FakeStore) -> list[bytes]:
    return [line.partition(b"pm25=")[2].partition(b",")[0] for line in store.lines]


async def committed(world: World, *posts: asyncio.Task[tuple[int, str]]) -> list[tuple[int, str]]:
    await until(lambda: world.committer.pending)
    world.committer.hurry()
    return [await asyncio.wait_for(post, patience()) for post in posts]


async def test_a_message_is_answered_once_it_is_on_disk_and_never_before(world: World, store: FakeStore) -> None:
    await world.start()
    store.gate.clear()
    posting = asyncio.create_task(world.post(b"12.5"))
    await until(lambda: world.health.messages == 1)
    world.committer.hurry()
    await asyncio.to_thread(store.begun.wait, patience())
    assert not posting.done()
    store.gate.set()
    assert await asyncio.wait_for(posting, patience()) == (200, "stored 1 reading")
    assert values(store) == [b"12.5"]
    assert world.health.answers == {200: 1}


async def test_a_message_of_several_readings_is_stored_as_a_whole(world: World, store: FakeStore) -> None:
    await world.start()
    posting = asyncio.create_task(world.post(b"1;2;three"))
    ((status, text),) = await committed(world, posting)
    assert status == 200
    assert text == "stored 2 readings; some of it is refused, and kept: noise: not a number"
    assert values(store) == [b"1", b"2"]


async def test_a_message_that_is_refused_is_acknowledged_with_the_reason(world: World) -> None:
    await world.start()
    posting = asyncio.create_task(world.post(b"rubbish"))
    assert await committed(world, posting) == [(202, "refused, and kept: noise: not a number")]


async def test_clients_of_influxdb_get_no_text(world: World, store: FakeStore) -> None:
    await world.start(driver="line_protocol")
    posting = asyncio.create_task(world.post(b"7", "/air/api/v2/write?bucket=city"))
    assert await committed(world, posting) == [(204, "")]
    assert values(store) == [b"7"]
    assert (await world.post(b"", "/air/query"))[0] == 200


async def test_what_a_client_of_influxdb_sends_at_once_may_be_longer_than_a_message(
    world: World, store: FakeStore
) -> None:
    await world.start(driver="line_protocol")
    posting = asyncio.create_task(world.post(b"7;" * 30_000 + b"7\n" + b"8;" * 30_000 + b"8\n", "/air/write?db=city"))
    assert await committed(world, posting) == [(204, "")]
    assert len(values(store)) == 60_002
    assert len(store.groups) == 1


async def test_while_the_disk_is_behind_nothing_more_is_let_in(world: World, store: FakeStore) -> None:
    await world.start()
    world.committer.most_lines = 1
    store.gate.clear()
    posting = asyncio.create_task(world.post(b"1"))
    await until(lambda: world.committer.is_full)
    url = f"http://127.0.0.1:{world.port}/air"
    async with world.client.post(url, data=b"2") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    store.gate.set()
    assert (await committed(world, posting))[0][0] == 200
    assert values(store) == [b"1"]


async def test_a_disk_that_takes_nothing_is_503_and_what_waited_is_stored_once_when_it_comes_again(
    world: World, store: FakeStore
) -> None:
    world.limits.answer_time = 0.2
    await world.start()
    world.clock.jumps = False
    store.troubles.append(SpoolFull("no space left"))
    posting = asyncio.create_task(world.post(b"1"))
    ((status, _),) = await committed(world, posting)
    assert status == 503
    assert (await world.post(b"2"))[0] == 503, "the disk is known to refuse"
    await until(lambda: world.clock.asleep >= 1)
    world.clock.pass_by(2 * 10**9)
    await until(lambda: values(store) == [b"1"])
    assert await world.post(b"1") == (200, "stored before")
    assert world.health.repeated == 1
    assert values(store) == [b"1"]
    world.limits.answer_time = patience()
    again = asyncio.create_task(world.post(b"1"))
    assert (await committed(world, again))[0][0] == 200
    assert values(store) == [b"1", b"1"], "after an answer, the same is a new reading"


@pytest.mark.parametrize("on_disk", [False, True])
async def test_a_message_whose_sender_left_is_stored_once_however_often_it_comes(
    world: World, store: FakeStore, on_disk: bool
) -> None:
    await world.start()
    await world.post_and_leave(b"1")
    if on_disk:
        world.committer.hurry()
        await until(lambda: values(store) == [b"1"])
    else:
        await world.post_and_leave(b"1")
    seen = world.health.messages
    posting = asyncio.create_task(world.post(b"1"))
    await until(lambda: world.health.messages > seen)
    world.committer.hurry()
    assert (await asyncio.wait_for(posting, patience()))[0] == 200
    assert values(store) == [b"1"]
    assert world.health.repeated == seen


async def test_equal_messages_that_wait_side_by_side_are_two(world: World, store: FakeStore) -> None:
    await world.start()
    posts = [asyncio.create_task(world.post(b"1")) for _ in range(2)]
    await until(lambda: world.health.messages == 2)
    assert [status for status, _ in await committed(world, *posts)] == [200, 200]
    assert values(store) == [b"1", b"1"]


async def test_a_key_makes_two_requests_one_message(world: World, store: FakeStore) -> None:
    await world.start()
    first = asyncio.create_task(world.post(b"1", Idempotency_Key="k-1"))
    assert (await committed(world, first))[0][0] == 200
    assert await world.post(b"1", Idempotency_Key="k-1") == (200, "stored before")
    second = asyncio.create_task(world.post(b"1", Idempotency_Key="k-2"))
    assert (await committed(world, second))[0][0] == 200
    assert values(store) == [b"1", b"1"]


async def test_what_an_earlier_run_stored_last_is_known(world: World, store: FakeStore) -> None:
    await world.start(seen=[Identity.of("air", 700, "aq-1", b"1")])
    assert await world.post(b"1") == (200, "stored before")
    assert values(store) == []


async def test_an_identity_is_stored_beside_the_readings(world: World, store: FakeStore) -> None:
    await world.start()
    posting = asyncio.create_task(world.post(b"1"))
    await committed(world, posting)
    ((identity,),) = [batch.identities for batch in store.batches]
    assert identity == Identity.of("air", 60, "aq-1", b"1"), "the second since boot stands for the packet identity"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer s3cret"},
        {"Authorization": "Token s3cret"},
        {"Authorization": "Token me:s3cret"},
        {"Authorization": "Basic " + base64.b64encode(b"me:s3cret").decode()},
        {"Authorization": "s3cret"},
        {"X_Api_Key": "s3cret"},
        {"query": "?token=s3cret"},
        {"query": "?db=city&u=me&p=s3cret"},
    ],
)
async def test_a_source_with_a_token_lets_in_who_shows_it_in_any_usual_way(
    world: World, tmp_path: Path, headers: dict[str, str]
) -> None:
    (tmp_path / "token").write_text("s3cret\n", encoding="utf-8")
    await world.start(token_file=tmp_path / "token")
    path = "/air/aq-1" + headers.pop("query", "")
    posting = asyncio.create_task(world.post(b"1", path, **headers))
    assert (await committed(world, posting))[0][0] == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 403),
        ({"Authorization": "Basic !!"}, 403),
        ({"Authorization": "Basic " + base64.b64encode(b"s3cret:").decode()}, 403),
        ({"Authorization": "s3cre"}, 403),
        ({"X_Api_Key": ""}, 403),
        ({"X_Api_Key": "\u010d"}, 403),
    ],
)
async def test_a_source_with_a_token_takes_nothing_from_others(
    world: World, tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    (tmp_path / "token").write_text("s3cret", encoding="utf-8")
    await world.start(token_file=tmp_path / "token")
    got, text = await world.post(b"1", **headers)
    assert got == status
    assert "s3cret" not in text
    assert world.health.messages == 0
    assert world.health.answers == {status: 1}


async def test_a_token_that_cannot_be_read_is_refused_by_its_name(world: World, tmp_path: Path) -> None:
    await world.start(token_file=tmp_path / "missing")
    with pytest.raises(LinkRefused, match=r"token_file: .*missing: no such file"):
        await world.tasks.pop()


async def test_a_browser_may_not_post_where_there_is_no_token(world: World) -> None:
    await world.start()
    assert (await world.post(b"1", Origin="http://evil.example"))[0] == 403
    assert world.health.messages == 0


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "HEAD", "GET"])
async def test_what_brings_nothing_is_405(world: World, method: str) -> None:
    await world.start()
    async with world.client.request(method, f"http://127.0.0.1:{world.port}/air") as answer:
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"]


async def test_what_is_on_its_way_when_the_source_stops_is_committed_and_answered(
    world: World, store: FakeStore
) -> None:
    await world.start()
    posting = asyncio.create_task(world.post(b"1"))
    await until(lambda: world.health.messages == 1)
    await world.stop()
    assert (await asyncio.wait_for(posting, patience()))[0] == 200
    assert values(store) == [b"1"]


async def test_a_client_that_posts_one_by_one_does_not_wait_an_interval_for_each(
    world: World, store: FakeStore
) -> None:
    """The window is learnt as a broker's is: whoever posts again at once was waiting for the answer."""
    await world.start()
    first = asyncio.create_task(world.post(b"0"))
    await until(lambda: world.health.messages == 1)
    world.clock.pass_by(world_interval := int(world.committer.interval * 1e9))
    await committed(world, first)
    for number in range(1, 20):
        assert (await asyncio.wait_for(world.post(b"%d" % number), patience()))[0] == 200
    assert len(values(store)) == 20
    assert world_interval == 3600 * 10**9, "the committer's interval is an hour in this test"


async def test_the_state_shows_answers_by_status(world: World, health: Health) -> None:
    await world.start()
    assert "answers" not in health.snapshot()["sources"]["air"]
    with suppress(aiohttp.ClientError):
        await world.post(bytes(200_000))
    assert health.snapshot()["sources"]["air"]["answers"] == {"413": 1}
