"""An address that is asked every interval: what is new becomes readings, and what is not well is said."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.http_page import HttpPage
from firmware_sim.servers.http_proxy import HttpProxy
from gateway.clock import Timekeeper
from gateway.config.models import Gateway
from gateway.contract import Measurement, Reject
from gateway.errors import LinkDown, LinkRefused
from gateway.health import Health
from gateway.ingest.committer import Committer
from gateway.ingest.fields import FieldEncoder
from gateway.ingest.intake import Intake, Origin
from gateway.links.http.client import HttpClient
from gateway.sources.http_poll import HttpPoll
from gateway.sources.messages import MessageReader
from gateway.sources.settings import HttpPollSettings
from gateway.spool import Identity
from tests.support.clock import FakeClock
from tests.support.store import FakeStore
from tests.support.until import until

NOW = 1_732_281_600_000_000_000


class Words:
    """A decoder of ``12.5`` or ``12.5 TIME``, of the sensor that the topic names."""

    def decode(self, topic: str, payload: bytes) -> Iterable[Measurement | Reject]:
        value, *time = payload.split()
        try:
            return [
                Measurement("air_quality", {"pm25": float(value)}, sensor=topic, time=int(time[0]) if time else None)
            ]
        except ValueError:
            return [Reject("noise", b"", "not a number")]


class World:
    def __init__(
        self, page: HttpPage, intake: Intake, committer: Committer, health: Health, clock: FakeClock
    ) -> None:
        self.page = page
        self.intake = intake
        self.committer = committer
        self.health = health.source("roof")
        self.clock = clock
        self.task: asyncio.Task[None] | None = None
        self.seen: list[Identity] = []

    def start(self, **settings: Any) -> asyncio.Task[None]:  # noqa: ANN401 -- any setting
        given = HttpPollSettings.model_validate({"url": self.page.url, "driver": "words", **settings})
        reader = MessageReader(
            Words(),
            Origin("roof", FieldEncoder({})),
            codecs=lambda _: None,
            max_message=1000,
            intake=self.intake,
            health=self.health,
        )
        poll = HttpPoll(
            "roof",
            "roof",
            given.interval,
            reader,
            connect=lambda: HttpClient(given, 1000, self.clock),
            committer=self.committer,
            health=self.health,
            clock=self.clock,
            seen=self.seen,
        )
        self.task = asyncio.create_task(poll.run())
        return self.task

    async def asked(self, times: int) -> None:
        """Wait until the page was asked so often and the source sleeps."""
        await until(lambda: len(self.page.statuses) >= times and self.clock.asleep >= 1)

    async def next(self, seconds: float = 60.0) -> None:
        times = len(self.page.statuses)
        self.clock.pass_by(round(seconds * 1e9))
        await self.asked(times + 1)

    async def fails(self, **settings: Any) -> LinkDown:  # noqa: ANN401 -- any setting
        """Return the error that a poll ends with."""
        with pytest.raises(LinkDown) as caught:
            await asyncio.wait_for(self.start(**settings), patience())
        return caught.value


@pytest.fixture
async def page() -> AsyncIterator[HttpPage]:
    async with HttpPage(b"12.5") as page:
        yield page


@pytest.fixture
async def world(
    page: HttpPage, running: Committer, timekeeper: Timekeeper, health: Health, clock: FakeClock
) -> AsyncIterator[World]:
    intake = Intake(Gateway(id="koper-01", city="Koper"), {}, timekeeper=timekeeper, health=health)
    world = World(page, intake, running, health, clock)
    yield world
    if world.task is not None:
        world.task.cancel()
        await asyncio.gather(world.task, return_exceptions=True)


async def stored(world: World, store: FakeStore) -> list[bytes]:
    world.committer.hurry()
    await until(lambda: not world.committer.pending)
    return [line.partition(b"pm25=")[2].partition(b",")[0] for line in store.lines]


async def test_an_address_is_asked_every_interval_and_its_answers_become_readings(
    world: World, page: HttpPage, store: FakeStore
) -> None:
    world.start(interval="60s")
    await world.asked(1)
    page.body = b"13"
    await world.next()
    assert await stored(world, store) == [b"12.5", b"13"]
    assert world.health.link.up
    assert world.health.messages == 2


async def test_turns_that_were_missed_are_left_out(world: World, page: HttpPage) -> None:
    world.start(interval="60s")
    await world.asked(1)
    await world.next(200.0)
    assert len(page.statuses) == 2
    assert world.clock.waits[-1] == 40.0, "in step with the first"


async def test_with_a_version_only_what_is_new_is_sent(world: World, page: HttpPage, store: FakeStore) -> None:
    page.versioned = True
    world.start()
    await world.asked(1)
    await world.next()
    page.body = b"13"
    await world.next()
    await world.next()
    assert page.statuses == [200, 304, 200, 304]
    assert page.requests[1]["if-modified-since"] == "Fri, 22 Nov 2024 13:20:00 GMT"
    assert "if-none-match" not in page.requests[0]
    assert await stored(world, store) == [b"12.5", b"13"]
    assert (world.health.messages, world.health.repeated) == (2, 2)


@pytest.mark.parametrize(("body", "readings"), [(b"12.5", 3), (b"12.5 %d" % NOW, 1)])
async def test_the_same_again_is_a_reading_unless_the_devices_own_time_says_otherwise(
    world: World, page: HttpPage, store: FakeStore, body: bytes, readings: int
) -> None:
    page.body = body
    world.start()
    await world.asked(1)
    await world.next()
    await world.next()
    assert len(await stored(world, store)) == readings


@pytest.mark.parametrize(
    ("body", "again"), [(b"12.5", True), (b"12.5 %d" % (NOW - 60 * 10**9), False), (b"12.5 %d" % NOW, True)]
)
async def test_what_an_earlier_run_stored_last_is_not_stored_again_by_the_devices_own_time(
    world: World, page: HttpPage, store: FakeStore, body: bytes, again: bool
) -> None:
    page.body = body
    world.seen = [Identity.of("roof", 0, "roof", b"older"), Identity.of("roof", 0, "roof", body)]
    world.start()
    await world.asked(1)
    assert await stored(world, store) == [b"12.5"] * again
    page.body = b"13 %d" % (NOW + 1)
    await world.next()
    page.body = body
    assert await stored(world, store) == [b"12.5"] * again + [b"13"]
    identities = [identity for batch in store.batches for identity in batch.identities]
    assert identities[-1] == Identity.of("roof", 0, "roof", b"13 %d" % (NOW + 1))


async def test_an_address_that_answers_and_has_nothing_new_for_long_is_a_problem(
    world: World, page: HttpPage
) -> None:
    page.body = b"12.5 %d" % NOW
    world.start(interval="60s")
    await world.asked(1)
    for _ in range(10):
        await world.next()
        assert world.health.link.problems == {}
    await world.next()
    assert world.health.link.problems == {"silence": "it answers, and has had no new reading for 660 s"}
    page.body = b"13 %d" % (NOW + 1)
    await world.next()
    assert world.health.link.problems == {}


async def test_while_there_is_back_pressure_nothing_is_asked(world: World, page: HttpPage, store: FakeStore) -> None:
    world.committer.most_lines = 1
    store.gate.clear()
    world.start()
    await world.asked(1)
    world.clock.pass_by(60 * 10**9)
    await until(lambda: world.clock.asleep == 0)
    assert len(page.statuses) == 1
    store.gate.set()
    world.committer.hurry()
    await world.asked(2)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "words", "wait"),
    [
        (401, {}, LinkRefused, "401, it refuses our token or password", 0),
        (403, {}, LinkRefused, "403, it refuses our token or password", 0),
        (404, {}, LinkRefused, "404, there is no such page: correct the url", 0),
        (302, {"Location": "http://me:pw@h/x?key=1"}, LinkRefused, "302, it sends us to http://***@h/x: correct", 0),
        (429, {"Retry-After": "120"}, LinkDown, "429 Too Many Requests", 120),
        (500, {}, LinkDown, "500 Internal Server Error", 0),
        (503, {"Retry-After": "7"}, LinkDown, "503 Service Unavailable", 7),
        (418, {}, LinkDown, "418 I'm a Teapot", 0),
    ],
)
async def test_each_answer_that_is_no_page_is_said_with_its_meaning(  # noqa: PLR0917 -- a table of answers
    world: World, page: HttpPage, status: int, headers: dict[str, str], kind: type[LinkDown], words: str, wait: float
) -> None:
    page.status, page.headers = status, headers
    error = await world.fails(url=f"{page.url}/json?key=secret")
    assert type(error) is kind
    assert f"{page.url}/json: {words}" in str(error)
    assert "secret" not in str(error)
    assert error.wait == wait


async def test_an_address_that_does_not_answer_is_down(world: World, page: HttpPage) -> None:
    page.hangs = True
    assert "no answer within 0.1 s" in str(await world.fails(timeout="100ms"))


async def test_an_address_where_nobody_is_is_down(world: World, unused_tcp_port: int) -> None:
    error = await world.fails(url=f"http://127.0.0.1:{unused_tcp_port}")
    assert f"http://127.0.0.1:{unused_tcp_port}: Cannot connect" in str(error)


@pytest.mark.parametrize("body", [bytes(1001), gzip.compress(bytes(100_000), mtime=0)])
async def test_a_page_that_is_too_large_is_not_read(world: World, page: HttpPage, body: bytes) -> None:
    page.body = body
    page.headers = {} if len(body) > 1000 else {"Content-Encoding": "gzip"}
    assert "more than" in str(await world.fails())


async def test_a_packed_page_is_unpacked(world: World, page: HttpPage, store: FakeStore) -> None:
    page.body, page.headers = gzip.compress(b"7"), {"Content-Encoding": "gzip"}
    world.start()
    await world.asked(1)
    assert await stored(world, store) == [b"7"]


async def test_the_query_is_sent_as_it_is_written(world: World, page: HttpPage) -> None:
    world.start(url=f"{page.url}/cm?cmnd=Status%208")
    await world.asked(1)
    assert page.requests[0][":path"] == "/cm?cmnd=Status%208"


async def test_tokens_passwords_and_headers_go_along(world: World, page: HttpPage, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n", encoding="utf-8")
    (tmp_path / "password").write_text("pw\n", encoding="utf-8")
    world.start(
        username="me",
        password_file=tmp_path / "password",
        token_file=tmp_path / "token",
        token_header="X-Api-Key",
        token_prefix="",
        headers={"X-Lot": "7"},
    )
    await world.asked(1)
    (sent,) = page.requests
    assert sent["authorization"] == "Basic " + base64.b64encode(b"me:pw").decode()
    assert (sent["x-api-key"], sent["x-lot"]) == ("t0ken", "7")


async def test_a_token_alone_is_a_bearers(world: World, page: HttpPage, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0ken\n", encoding="utf-8")
    world.start(token_file=tmp_path / "token")
    await world.asked(1)
    assert page.requests[0]["authorization"] == "Bearer t0ken"


async def test_a_token_that_cannot_be_read_is_refused_by_its_name(world: World, tmp_path: Path) -> None:
    error = await world.fails(token_file=tmp_path / "missing")
    assert isinstance(error, LinkRefused)
    assert "token_file: " in str(error)


async def test_the_way_may_lead_through_a_proxy(world: World, page: HttpPage) -> None:
    async with HttpProxy("me:hunter2", {"lots.invalid": ("127.0.0.1", page.port)}) as proxy:
        world.start(url="http://lots.invalid/free", proxy=proxy.url.replace("//", "//me:hunter2@"))
        await world.asked(1)
        assert proxy.requests == ["GET http://lots.invalid/free HTTP/1.1"]
        assert world.task is not None
        world.task.cancel()
        error = await world.fails(url="http://lots.invalid/free", proxy=proxy.url)
    assert "407, the HTTP proxy refuses our name or password" in str(error)
