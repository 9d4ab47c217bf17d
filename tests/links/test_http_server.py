"""The HTTP server against real sockets: what it hands on, when it answers, and what a stranger cannot take."""

import asyncio
import gzip
import ssl
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.process import free_port
from gateway.errors import LinkDown, LinkRefused
from gateway.links.http.exchange import Answer, Exchange, Request, ServerBounds
from gateway.links.http.server import HttpServer
from gateway.links.http.settings import ListenSettings
from tests.support.certificates import Certificates
from tests.support.clock import FakeClock
from tests.support.until import until


class Keeper:
    """An endpoint that keeps what it gets; with ``waits`` it answers only when told."""

    max_body = 1000

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.ended: list[bool] = []
        self.answers: Counter[int] = Counter()
        self.waits = False
        self.left = 0
        self.refuses: Answer | None = None

    @property
    def bodies(self) -> list[bytes]:
        return [exchange.request.body for exchange in self.exchanges]

    def admit(self, request: Request) -> Answer | None:
        del request
        return self.refuses

    def receive(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        exchange.on_end = self.ended.append
        if not self.waits:
            exchange.reply(Answer(200, "stored"))

    def note_answer(self, status: int) -> None:
        self.answers[status] += 1

    def leave(self) -> None:
        self.left += 1
        for exchange in self.exchanges:
            exchange.reply(Answer(200, "at the last moment"))


class World:
    def __init__(self, limits: ServerBounds | None = None, **settings: object) -> None:
        self.clock = FakeClock()
        self.port = free_port()
        self.server = HttpServer(
            ListenSettings.model_validate({"listen": f"127.0.0.1:{self.port}", **settings}), self.clock, limits
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self.tasks: list[asyncio.Task[None]] = []

    async def serve(self, path: str) -> Keeper:
        keeper, up = Keeper(), asyncio.Event()
        self.tasks.append(asyncio.create_task(self.server.serve(path, keeper, up.set)))
        await asyncio.wait_for(up.wait(), patience())
        return keeper

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


@asynccontextmanager
async def serving(limits: ServerBounds | None = None, **settings: object) -> AsyncIterator[World]:
    world = World(limits, **settings)
    try:
        yield world
    finally:
        await world.stop()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with serving() as world:
        yield world


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        yield client


async def post(
    client: aiohttp.ClientSession, url: str, body: bytes = b"x", **headers: str
) -> tuple[int, str, aiohttp.ClientResponse]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.post(url, data=body, headers=sent) as answer:
        return answer.status, (await answer.text()).strip(), answer


async def raw(world: World, sent: bytes) -> bytes:
    """Send bytes as they are and return everything that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), patience())
    finally:
        writer.close()


async def test_a_request_goes_to_the_endpoint_with_the_longest_path(
    world: World, client: aiohttp.ClientSession
) -> None:
    whole, part = await world.serve("/air"), await world.serve("/air/koper")
    assert (await post(client, f"{world.url}/air/koper/aq-1?a=b%20c", b"one"))[:2] == (200, "stored")
    assert (await post(client, f"{world.url}/air/kope"))[0] == 200
    assert (await post(client, f"{world.url}/air&tempf=1"))[0] == 200
    assert (await post(client, f"{world.url}/airport"))[0] == 404
    assert (await post(client, f"{world.url}/"))[0] == 404
    (exchange,) = part.exchanges
    request = exchange.request
    assert (request.path, request.query, request.body) == ("/air/koper/aq-1", "a=b%20c", b"one")
    assert request.headers["content-length"] == "3"
    assert [one.request.path for one in whole.exchanges] == ["/air/kope", "/air&tempf=1"]
    assert whole.answers == {200: 2}


async def test_the_answer_says_who_answers_and_no_version(world: World, client: aiohttp.ClientSession) -> None:
    await world.serve("/")
    _, _, answer = await post(client, world.url)
    assert answer.headers["Server"] == "prehod"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"sound", mtime=0)),
        ("x-gzip", gzip.compress(b"so", mtime=0) + gzip.compress(b"und", mtime=0)),
        ("deflate", zlib.compress(b"sound")),
        ("deflate", zlib.compress(b"sound", wbits=-15)),
        ("identity", b"sound"),
        ("gzip, GZIP", gzip.compress(gzip.compress(b"sound", mtime=0), mtime=0)),
    ],
)
async def test_a_packed_body_is_unpacked(
    world: World, client: aiohttp.ClientSession, encoding: str, body: bytes
) -> None:
    keeper = await world.serve("/")
    assert (await post(client, world.url, body, Content_Encoding=encoding))[0] == 200
    assert keeper.bodies == [b"sound"]


@pytest.mark.parametrize(
    ("headers", "body", "status", "words"),
    [
        ({"Content_Encoding": "gzip"}, gzip.compress(bytes(10**5)), 413, "unpacks to more than 1000 bytes"),
        ({"Content_Encoding": "gzip"}, gzip.compress(b"cut short")[:-9], 400, "cut short"),
        ({"Content_Encoding": "gzip"}, b"not packed", 400, "cannot be unpacked"),
        ({"Content_Encoding": "br"}, b"x", 415, "'br' is not known here: gzip, deflate or none"),
        ({"Content_Type": "multipart/form-data; boundary=x"}, b"--x--", 415, "send the message itself"),
        ({}, bytes(1001), 413, "1001 bytes, 1000 allowed"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused_in_words(  # noqa: PLR0917 -- a table
    world: World, client: aiohttp.ClientSession, headers: dict[str, str], body: bytes, status: int, words: str
) -> None:
    keeper = await world.serve("/")
    got, text, _ = await post(client, world.url, body, **headers)
    assert got == status
    assert words in text
    assert keeper.bodies == []
    assert keeper.answers == {status: 1}


async def test_a_body_without_a_length_is_read_up_to_the_bound(world: World) -> None:
    keeper = await world.serve("/")
    head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 200 " in await raw(world, head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert b" 413 " in await raw(
        world, head + b"200\r\n" + bytes(512) + b"\r\n200\r\n" + bytes(512) + b"\r\n0\r\n\r\n"
    )
    assert keeper.bodies == [b"abcde"]


async def test_a_sender_that_waits_to_be_let_in_is_let_in_or_answered_at_once() -> None:
    async with serving(ServerBounds(lingering_time=0.1)) as world:
        await _let_in(world)


async def _let_in(world: World) -> None:
    keeper = await world.serve("/")
    head = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(head % 5)
    assert await asyncio.wait_for(reader.readline(), patience()) == b"HTTP/1.1 100 Continue\r\n"
    writer.write(b"sound")
    assert b" 200 " in await asyncio.wait_for(reader.read(), patience())
    writer.close()
    assert (await raw(world, head % 1001)).startswith(b"HTTP/1.1 413")
    keeper.refuses = Answer(401, "no token")
    assert (await raw(world, head % 5)).startswith(b"HTTP/1.1 401")
    assert keeper.bodies == [b"sound"]


async def test_what_is_refused_before_its_body_is_not_read(world: World, client: aiohttp.ClientSession) -> None:
    keeper = await world.serve("/")
    keeper.refuses = Answer(503, "later", {"Retry-After": "5"})
    status, text, answer = await post(client, world.url)
    assert (status, text, answer.headers["Retry-After"]) == (503, "later", "5")
    assert keeper.exchanges == []


async def test_an_answer_that_does_not_come_in_time_is_503_and_the_endpoint_knows(
    client: aiohttp.ClientSession,
) -> None:
    async with serving(ServerBounds(answer_time=0.05)) as world:
        keeper = await world.serve("/")
        keeper.waits = True
        status, text, answer = await post(client, world.url)
        assert (status, answer.headers["Retry-After"]) == (503, "5")
        assert "send it again later" in text
        assert keeper.ended == [False]
        assert keeper.answers == {503: 1}


async def test_the_endpoint_knows_whether_its_answer_went_out(world: World, client: aiohttp.ClientSession) -> None:
    keeper = await world.serve("/")
    assert (await post(client, world.url))[0] == 200
    await until(lambda: keeper.ended == [True])
    keeper.waits = True
    _, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
    await until(lambda: len(keeper.exchanges) == 2)
    assert keeper.exchanges[1].is_open
    writer.transport.abort()
    await until(lambda: not keeper.exchanges[1].is_open)
    keeper.exchanges[1].reply(Answer(200))
    await until(lambda: keeper.ended == [True, False])


@pytest.mark.parametrize("said", [b"", b"POST / HTTP/1.1\r\nHost: h\r\nX-Slow: "])
async def test_a_connection_that_sends_no_whole_head_is_closed(said: bytes) -> None:
    async with serving(ServerBounds(head_time=15)) as world:
        await world.serve("/")
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(said)
        for _ in range(30):
            await until(lambda: world.clock.asleep == 1)
            world.clock.pass_by(10**9)
            await asyncio.sleep(0)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), patience()) == b""
        writer.close()


async def test_a_request_that_waits_for_the_disk_is_not_closed_for_being_quiet(client: aiohttp.ClientSession) -> None:
    async with serving(ServerBounds(answer_time=patience())) as world:
        keeper = await world.serve("/")
        keeper.waits = True
        posting = asyncio.create_task(post(client, world.url))
        await until(lambda: len(keeper.exchanges) == 1)
        for _ in range(100):
            await until(lambda: world.clock.asleep == 1)
            world.clock.pass_by(10**9)
            await asyncio.sleep(0)
        keeper.exchanges[0].reply(Answer(200, "at last"))
        assert (await posting)[:2] == (200, "at last")


async def test_a_body_that_drips_is_given_up(world: World) -> None:
    del world
    async with serving(ServerBounds(body_time=0.1, lingering_time=0.1)) as slow:
        await slow.serve("/")
        answer = await raw(slow, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nx")
        assert answer.startswith(b"HTTP/1.1 408")


async def test_connections_beyond_the_bound_are_closed_and_room_is_given_back() -> None:
    async with serving(ServerBounds(connections=3)) as world:
        await world.serve("/")
        held = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(3)]
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), patience()) == b""
        writer.close()
        for _, one in held:
            one.close()
        await asyncio.sleep(0.05)
        assert b" 200 " in await raw(
            world, b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        )


async def test_bodies_together_have_a_bound(client: aiohttp.ClientSession) -> None:
    async with serving(ServerBounds(body_bytes=1500)) as world:
        keeper = await world.serve("/")
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
        await until(lambda: world.server._open_bodies == 1000)
        assert (await post(client, world.url, bytes(600)))[0] == 503
        assert (await post(client, world.url, bytes(400)))[0] == 200
        writer.write(bytes(1000))
        await until(lambda: len(keeper.bodies) == 2)
        assert (await post(client, world.url, bytes(600)))[0] == 200
        writer.close()


async def test_what_is_under_way_at_the_stop_is_answered_and_the_next_start_listens_again(
    world: World, client: aiohttp.ClientSession
) -> None:
    keeper = await world.serve("/")
    keeper.waits = True
    posting = asyncio.create_task(post(client, world.url))
    await until(lambda: len(keeper.exchanges) == 1)
    await world.stop()
    assert (await posting)[:2] == (200, "at the last moment")
    assert keeper.left == 1
    await world.serve("/")
    assert (await post(client, world.url))[0] == 200


async def test_one_of_two_endpoints_may_leave(world: World, client: aiohttp.ClientSession) -> None:
    await world.serve("/a")
    await world.serve("/b")
    task = world.tasks.pop(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await post(client, f"{world.url}/b"))[0] == 200
    assert (await post(client, f"{world.url}/a"))[0] == 404


async def test_an_address_that_is_taken_is_a_link_that_is_down(world: World) -> None:
    await world.serve("/")
    other = HttpServer(ListenSettings(listen=f"127.0.0.1:{world.port}"), world.clock)
    with pytest.raises(LinkDown, match=f"127.0.0.1:{world.port}: "):
        await other.serve("/", Keeper(), lambda: None)


async def test_with_a_certificate_it_speaks_tls_alone(certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.authority)
    files = {"certificate_file": certificates.server, "key_file": certificates.server_key}
    async with serving(None, **files) as world:
        keeper = await world.serve("/")
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as client:
            assert (await post(client, world.url.replace("http", "https"), b"sealed"))[0] == 200
        assert keeper.bodies == [b"sealed"]
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.ClientError):
                await post(client, world.url)


async def test_a_certificate_that_cannot_be_read_is_refused_with_its_name(tmp_path: Path) -> None:
    world = World(certificate_file=tmp_path / "missing")
    with pytest.raises(LinkRefused, match=r"certificate_file: .*missing: no such file; create it"):
        await world.server.serve("/", Keeper(), lambda: None)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"POST /" + b"y" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
async def test_rubbish_is_answered_400_or_closed_and_reaches_nobody(world: World, sent: bytes) -> None:
    keeper = await world.serve("/")
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(sent)
    writer.write_eof()
    try:
        answer = await asyncio.wait_for(reader.read(), patience())
    except ConnectionResetError:
        answer = b""
    writer.close()
    assert not answer or answer.split()[1] in {b"400", b"431", b"414"}
    assert keeper.bodies == []
