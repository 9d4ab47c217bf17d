"""Live topics and the status, against a real Mosquitto."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import orjson
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.servers import Mosquitto
from gateway.clock import SystemClock
from gateway.errors import LinkDown, LinkRefused
from gateway.sinks.live_mqtt import QUEUE, LiveSink
from gateway.sinks.settings import LiveSettings
from tests.support.requirements import require_program
from tests.support.until import until

NAMES = {"gateway": "koper-01", "city": "Koper", "measurement": "air_quality", "sensor": "aq-1"}
STATUS = "prehod/koper-01/status"


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    require_program("mosquitto")
    async with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


def _sink(
    port: int,
    interval: float = 10.0,
    queue: int = QUEUE,
    took: Callable[[int], None] = lambda _: None,
    **more: Any,  # noqa: ANN401 -- any setting
) -> LiveSink:
    settings = LiveSettings(url=f"mqtt://127.0.0.1:{port}", client_id="prehod-live", **more)
    return LiveSink(
        settings, STATUS, lambda: {"problems": []}, took, clock=SystemClock(), interval=interval, queue=queue
    )


@asynccontextmanager
async def _running(sink: LiveSink) -> AsyncIterator[asyncio.Task[None]]:
    up = asyncio.Event()
    task = asyncio.create_task(sink.run(up.set))
    try:
        await asyncio.wait_for(up.wait(), patience())
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Ear:
    """Everything that is published, topic by topic."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any, bool]] = []

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator["Ear"]:
        async with aiomqtt.Client("127.0.0.1", port) as client:
            await client.subscribe("#", qos=1)
            task = asyncio.create_task(self._listen(client))
            yield self
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            self.heard.append((str(message.topic), orjson.loads(message.payload), message.retain))

    def on(self, topic: str) -> list[Any]:
        return [payload for heard, payload, _ in self.heard if heard == topic]


@asynccontextmanager
async def _line_to(port: int) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """Pass bytes on to a port until the line is cut, as no client and no broker would end it."""
    writers: list[asyncio.StreamWriter] = []
    tasks: list[asyncio.Task[None]] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        writers.append(writer)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(far_writer)
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)

    def cut() -> None:
        for writer in writers:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], cut
        cut()
        await asyncio.gather(*tasks, return_exceptions=True)
        cut()  # what was under way to the broker a moment ago


@pytest.mark.system
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_reading_is_published_as_json_under_its_names(mosquitto: Mosquitto, protocol: str) -> None:
    took: list[int] = []
    sink = _sink(mosquitto.port, took=took.append, qos=1, protocol=protocol)
    async with Ear().listening(mosquitto.port) as ear, _running(sink):
        sink.show(NAMES, {"fields": {"pm25": 12.5}})
        sink.show({**NAMES, "sensor": "a/b+c#d\0e"}, {"fields": {}})
        await until(lambda: sum(took) == 2)
        await until(lambda: bool(ear.on("prehod/koper-01/air_quality/a_b_c_d_e")))
        assert ear.on("prehod/koper-01/air_quality/aq-1") == [{"fields": {"pm25": 12.5}}]


@pytest.mark.system
async def test_the_status_is_retained_and_renewed(mosquitto: Mosquitto) -> None:
    async with _running(_sink(mosquitto.port, interval=0.02)):
        async with Ear().listening(mosquitto.port) as ear:
            await until(lambda: len(ear.on(STATUS)) >= 3)
        assert ear.heard[0] == (STATUS, {"online": True, "problems": []}, True)


@pytest.mark.system
async def test_a_gateway_that_dies_is_said_to_be_dead(mosquitto: Mosquitto) -> None:
    async with Ear().listening(mosquitto.port) as ear, _line_to(mosquitto.port) as (port, cut):
        async with _running(_sink(port, interval=0.01)) as task:
            await until(lambda: bool(ear.on(STATUS)))
            cut()
            with pytest.raises(LinkDown, match=f"127.0.0.1:{port}: "):
                await asyncio.wait_for(asyncio.shield(task), patience())
        await until(lambda: ear.on(STATUS)[-1] == {"online": False})
    async with Ear().listening(mosquitto.port) as late:
        await until(lambda: bool(late.heard))
        assert late.heard[0] == (STATUS, {"online": False}, True)


@pytest.mark.system
async def test_a_gateway_that_stops_in_good_order_says_so_with_its_last_state(mosquitto: Mosquitto) -> None:
    sink = _sink(mosquitto.port)
    async with Ear().listening(mosquitto.port) as ear:
        async with _running(sink):
            await until(lambda: bool(ear.on(STATUS)))
        await sink.publish_offline()
        await until(lambda: ear.on(STATUS)[-1] == {"online": False, "problems": []})
        assert {"online": False} not in ear.on(STATUS), "no last will for a good end"


@pytest.mark.system
async def test_what_was_waiting_when_the_broker_went_is_published_when_it_is_back(mosquitto: Mosquitto) -> None:
    sink = _sink(mosquitto.port)
    sink.show(NAMES, {"n": 1})
    async with Ear().listening(mosquitto.port) as ear, _running(sink):
        await until(lambda: bool(ear.on("prehod/koper-01/air_quality/aq-1")))
    sink.show(NAMES, {"n": 2})
    sink._shown.clear()  # as it is when publishing failed half way
    async with Ear().listening(mosquitto.port) as ear, _running(sink):
        await until(lambda: ear.on("prehod/koper-01/air_quality/aq-1") == [{"n": 2}])


# a broker that has something to say


def _frame(kind: int, body: bytes) -> bytes:
    return bytes([kind, len(body)]) + body


@asynccontextmanager
async def _broker(*answers: bytes) -> AsyncIterator[int]:
    """Answer CONNECT with these packets, one after the other."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        for answer in answers:
            writer.write(answer)
            await asyncio.sleep(0.01)  # mostly one by one; together they mean the same
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(done.wait(), patience())


CONNACK, DISCONNECT = 0x20, 0xE0
WELCOME = _frame(CONNACK, b"\0\0\0")


@pytest.mark.parametrize(
    ("answers", "kind", "wait", "words"),
    [
        ([_frame(CONNACK, b"\0\x87\0")], LinkRefused, 0, "the broker refused us: Not authorized"),
        ([_frame(CONNACK, b"\0\x9d\0")], LinkRefused, 60, "correct the url"),
        ([_frame(CONNACK, b"\0\x97\0")], LinkDown, 60, "refused us for now: Quota exceeded"),
        ([WELCOME, _frame(DISCONNECT, b"\x8e\0")], LinkRefused, 300, "another client uses the id 'prehod-live'"),
        ([WELCOME, _frame(DISCONNECT, b"\x98\0")], LinkRefused, 60, "on purpose: Administrative action"),
        ([WELCOME, _frame(DISCONNECT, b"\x8b\0")], LinkDown, 0, "the broker ended the connection: Server shutting"),
    ],
)
async def test_what_a_broker_says_is_understood_and_waited_for(
    answers: list[bytes], kind: type[LinkDown], wait: float, words: str
) -> None:
    async with _broker(*answers) as port:
        with pytest.raises(LinkDown) as caught:
            await asyncio.wait_for(_sink(port).run(lambda: None), patience())
    assert words in str(caught.value)
    assert (type(caught.value), caught.value.wait) == (kind, wait)


async def test_a_queue_that_nobody_empties_drops_the_oldest() -> None:
    sink = _sink(1, queue=3)
    for number in range(5):
        sink.show(NAMES, {"n": number})
    assert [orjson.loads(payload)["n"] for _, payload in sink._queue] == [2, 3, 4]
    assert sink.dropped == 2


async def test_no_broker_is_down_with_its_address_and_no_goodbye_hangs() -> None:
    sink = _sink(1)
    with pytest.raises(LinkDown, match=r"127\.0\.0\.1:1: ") as caught:
        await sink.run(lambda: None)
    assert not isinstance(caught.value, LinkRefused)
    await asyncio.wait_for(sink.publish_offline(), patience())


@pytest.mark.parametrize("content", [None, b"\xff"])
async def test_a_password_that_cannot_be_read_is_refused_by_its_file(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(LinkRefused, match=r"password|utf-8"):
        await _sink(1, username="u", password_file=file).run(lambda: None)
