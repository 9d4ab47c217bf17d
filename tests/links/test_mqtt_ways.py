"""Other ways to a broker, and the wrong ones: WebSockets, names and protocols in TLS, wrong ports and versions."""

import asyncio
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.servers import Mosquitto, Tls
from gateway.cli.main import main
from gateway.errors import LinkDown, LinkRefused
from gateway.links.mqtt.connection import Connection
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from gateway.mqtt.websocket import MAX_FRAME
from gateway.sinks.live_mqtt import LiveSink
from gateway.sinks.settings import LiveSettings
from tests.links.conftest import Broker, Peer
from tests.support.brokers import Conversation, front
from tests.support.certificates import Authority, Certificates
from tests.support.clock import FakeClock
from tests.support.requirements import require_program
from tests.support.until import until
from tests.support.websocket_proxy import WebSocketProxy, accept

pytestmark = pytest.mark.system

CONNECT, CONNACK, SUBSCRIBE = 1, 2, 8


@pytest.fixture
async def mosquitto(tmp_path: Path, certificates: Certificates) -> AsyncIterator[Mosquitto]:
    require_program("mosquitto")
    tls = Tls(certificates.server, certificates.server_key, certificates.authority)
    async with Mosquitto(tmp_path / "mosquitto", tls=tls) as broker:
        yield broker


def _connection(url: str, **more: Any) -> Connection:  # noqa: ANN401 -- any setting
    return Connection(MqttSettings(url=url, client_id="prehod-test", topics=("city/#",), **more))


def _server_context(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.server_key)
    return context


async def _publish(port: int, *payloads: bytes) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for payload in payloads:
            await client.publish("city/air/1", payload, qos=1)


async def _take(connection: Connection, count: int) -> list[Message]:
    taken: list[Message] = []
    async with asyncio.timeout(patience()):
        while len(taken) < count:
            taken += await connection.receive()
    return taken


async def _why(connection: Connection) -> str:
    """Return why a connection cannot be opened."""
    with pytest.raises(LinkRefused) as caught:
        await asyncio.wait_for(connection.open(), patience())
    connection.close()
    return str(caught.value)


def _live(url: str, **more: Any) -> LiveSink:  # noqa: ANN401 -- any setting
    settings = LiveSettings(url=url, client_id="prehod-live", **more)
    return LiveSink(settings, "prehod/koper-01/status", dict, lambda _: None, clock=FakeClock())


async def _why_live(sink: LiveSink) -> str:
    with pytest.raises(LinkRefused) as caught:
        await asyncio.wait_for(sink.run(lambda: None), patience())
    return str(caught.value)


# --- WebSockets


@pytest.mark.parametrize("pings", [False, True], ids=["", "with pings"])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_messages_come_through_a_websocket_and_are_acknowledged(
    mosquitto: Mosquitto, certificates: Certificates, scheme: str, protocol: str, *, pings: bool
) -> None:
    secure = {"ca_file": certificates.authority} if scheme == "wss" else {}
    tls = _server_context(certificates) if secure else None
    payloads = [b"%d" % number * (1 + number * 7 % 900) for number in range(200)] + [b"x" * 200_000]
    async with WebSocketProxy(mosquitto.port, tls=tls, pings=pings) as proxy:
        url = f"{scheme}://127.0.0.1:{proxy.port}"
        connection = _connection(url, protocol=protocol, **secure)
        await connection.open()
        await _publish(mosquitto.port, *payloads)
        taken = await _take(connection, len(payloads))
        assert [message.payload for message in taken] == payloads
        connection.acknowledge([message.mid for message in taken])
        connection.close()
        await until(lambda: "prehod-test disconnected" in mosquitto.log.read_text(encoding="utf-8"))
        await _publish(mosquitto.port, b"new")
        connection = _connection(url, protocol=protocol, **secure)
        assert await connection.open()
        assert [message.payload for message in await _take(connection, 1)] == [b"new"]
        connection.close()
        assert proxy.unmasked == 0
        assert (proxy.pongs > 0) is pings


async def test_a_path_of_the_url_is_asked_for_and_a_wrong_one_is_told(mosquitto: Mosquitto) -> None:
    async with WebSocketProxy(mosquitto.port, path="/city/mqtt") as proxy:
        connection = _connection(f"ws://127.0.0.1:{proxy.port}/city/mqtt")
        await connection.open()
        connection.close()
        assert proxy.asked == ["GET /city/mqtt HTTP/1.1"]
        where = f"127.0.0.1:{proxy.port}"
        problem = "no WebSocket for MQTT at /mqtt (HTTP/1.1 404 Not Found)"
        said = f"{where}: {problem}: correct the path in the url, or the port"
        assert await _why(_connection(f"ws://{where}")) == said
        assert await _why_live(_live(f"ws://{where}")) == said


async def test_a_broker_that_ends_behind_a_websocket_ends_the_connection(mosquitto: Mosquitto) -> None:
    async with WebSocketProxy(mosquitto.port) as proxy:
        connection = _connection(f"ws://127.0.0.1:{proxy.port}")
        await connection.open()
        mosquitto.kill()
        with pytest.raises(LinkDown):
            await asyncio.wait_for(connection.receive(), patience())
        connection.close()
        await mosquitto.start()


async def test_a_frame_without_end_ends_the_connection_and_not_the_memory() -> None:
    def serve() -> None:
        with listener.accept()[0] as client:
            request = client.recv(4096).decode()
            key = request.split("Sec-WebSocket-Key: ")[1].split("\r\n")[0]
            proof = accept(key)
            client.sendall(
                b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + proof + b"\r\n\r\n"
                b"\x82\x7f" + struct.pack("!Q", 2**40) + b"\x30\xff\xff\xff\x7f"
            )
            try:
                for _ in range(2 * MAX_FRAME // 65536):
                    client.sendall(bytes(65536))
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = _connection(f"ws://127.0.0.1:{listener.getsockname()[1]}", protocol="3.1.1")
        serving = asyncio.create_task(asyncio.to_thread(serve))
        opening = asyncio.create_task(connection.open())
        await asyncio.wait_for(serving, patience())
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        connection.close()


async def test_live_topics_go_out_by_a_websocket(mosquitto: Mosquitto, certificates: Certificates) -> None:
    async with (
        WebSocketProxy(mosquitto.port, tls=_server_context(certificates)) as proxy,
        aiomqtt.Client("127.0.0.1", mosquitto.port) as reader,
    ):
        await reader.subscribe("prehod/#")
        sink = _live(f"wss://127.0.0.1:{proxy.port}/mqtt", ca_file=certificates.authority)
        sink.show({"gateway": "koper-01", "measurement": "air_quality", "sensor": "a"}, {"value": 1})
        running = asyncio.create_task(sink.run(lambda: None))
        seen = set()
        async with asyncio.timeout(patience()):
            async for message in reader.messages:
                seen.add(message.topic.value)
                if seen >= {"prehod/koper-01/status", "prehod/koper-01/air_quality/a"}:
                    break
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_watch_reads_by_a_websocket_and_tells_the_wrong_way(
    mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.publish("prehod/koper-01/air", b"12.5", qos=1, retain=True)
    async with WebSocketProxy(mosquitto.port, path="/ws") as proxy:
        url = f"ws://127.0.0.1:{proxy.port}/ws"
        watched = ["watch", "--broker", url, "--plain", "--seconds", str(patience(3)), "prehod/#"]
        assert await asyncio.to_thread(main, watched) == 0
    assert "prehod/koper-01/air 12.5" in capsys.readouterr().out
    wrong = ["watch", "--broker", f"mqtt://127.0.0.1:{mosquitto.tls_port}", "--plain", "--seconds", "30"]
    assert await asyncio.to_thread(main, wrong) == 1
    assert "this port speaks TLS: write mqtts://" in capsys.readouterr().err


# --- TLS: another name, another protocol


@contextmanager
def _other_name(directory: Path) -> Iterator[tuple[Path, ssl.SSLContext, list[str | None]]]:
    """Yield an authority, a server whose certificate is for broker.internal, and the names that clients ask for."""
    authority = Authority(directory)
    made = authority.certify("broker", host="DNS:broker.internal")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)
    context.set_alpn_protocols(["x-amzn-mqtt-ca", "http/1.1"])
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    yield authority.file, context, names


async def test_a_certificate_for_another_name_is_expected_where_the_configuration_names_it(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    chosen: list[str | None] = []

    async def let_in(conversation: Conversation) -> bytes:
        chosen.append(conversation[1].get_extra_info("ssl_object").selected_alpn_protocol())
        return b""

    with _other_name(tmp_path) as (authority, context, names):
        async with front(mosquitto.port, let_in, context) as port:
            await _named_as_expected(f"mqtts://127.0.0.1:{port}", mosquitto.port, authority, names, chosen)


async def _named_as_expected(
    url: str, broker_port: int, authority: Path, names: list[str | None], chosen: list[str | None]
) -> None:
    connection = _connection(url, ca_file=authority)
    assert (await _why(connection)).endswith(
        "write the name that the certificate is for into the url, or into server_name"
    )
    connection = _connection(url, ca_file=authority, server_name="broker.internal", alpn="x-amzn-mqtt-ca")
    await connection.open()
    await _publish(broker_port, b"heard")
    assert [message.payload for message in await _take(connection, 1)] == [b"heard"]
    connection.close()
    assert names == [None, "broker.internal"]
    assert chosen[-1] == "x-amzn-mqtt-ca"
    up = asyncio.Event()
    live = _live(url, ca_file=authority, server_name="broker.internal", alpn=["mqtt", "x-amzn-mqtt-ca"])
    running = asyncio.create_task(live.run(up.set))
    await asyncio.wait_for(up.wait(), patience())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (names[-1], chosen[-1]) == ("broker.internal", "x-amzn-mqtt-ca")


# --- the wrong way


async def test_tls_to_a_plain_port_is_told_with_the_remedy(mosquitto: Mosquitto, certificates: Certificates) -> None:
    url = f"mqtts://127.0.0.1:{mosquitto.port}"
    said = (
        f"127.0.0.1:{mosquitto.port}: this port is not encrypted: write mqtt:// in the url, or the port that speaks"
        " TLS (mostly 8883)"
    )
    assert await _why(_connection(url, ca_file=certificates.authority)) == said
    assert await _why_live(_live(url, ca_file=certificates.authority)) == said


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_no_tls_to_an_encrypted_port_is_told_with_the_remedy(mosquitto: Mosquitto, protocol: str) -> None:
    url = f"mqtt://127.0.0.1:{mosquitto.tls_port}"
    said = (
        f"127.0.0.1:{mosquitto.tls_port}: this port speaks TLS: write mqtts:// in the url, or the port that is not"
        " encrypted"
    )
    assert await _why(_connection(url, protocol=protocol)) == said
    assert await _why_live(_live(url, protocol=protocol)) == said


async def test_the_wrong_kind_of_port_is_told_with_the_remedy(
    mosquitto: Mosquitto, certificates: Certificates
) -> None:
    async with (
        WebSocketProxy(mosquitto.port) as plain,
        WebSocketProxy(mosquitto.port, tls=_server_context(certificates)) as secure,
    ):
        ca = {"ca_file": certificates.authority}
        for url, more, words in (
            (f"mqtt://127.0.0.1:{plain.port}", {}, "a web server is at this port: write ws:// or wss://"),
            (f"ws://127.0.0.1:{mosquitto.port}", {}, "MQTT is spoken here without a WebSocket: write mqtt://"),
            (f"wss://127.0.0.1:{plain.port}", ca, "this port is not encrypted: write ws:// in the url"),
            (f"ws://127.0.0.1:{secure.port}", {}, "this port speaks TLS: write wss:// in the url"),
        ):
            assert words in await _why(_connection(url, **more)), url
            assert words in await _why_live(_live(url, **more)), url


@pytest.fixture
async def old_broker() -> AsyncIterator[Broker]:
    broker = Broker(v5=False)
    await broker.start()
    yield broker
    await broker.stop()


async def _play(broker: Broker, refusal: bytes) -> None:
    """Be a broker that knows 3.1.1 alone."""

    async def answer(peer: Peer) -> None:
        try:
            connect = await peer.expect(CONNECT)
        except asyncio.IncompleteReadError:
            return
        if connect.body[6:7] == b"\4":
            peer.connack()
        else:
            peer.publish(refusal)
            peer.writer.close()

    async with asyncio.TaskGroup() as tasks:
        while True:
            tasks.create_task(answer(await broker.peer()))


@pytest.mark.parametrize("refusal", [bytes.fromhex("20 02 00 01"), b""], ids=["in its words", "by hanging up"])
async def test_a_broker_of_3_1_1_alone_is_told_with_the_setting(old_broker: Broker, refusal: bytes) -> None:
    playing = asyncio.create_task(_play(old_broker, refusal))
    url = f"mqtt://127.0.0.1:{old_broker.port}"
    assert 'set protocol = "3.1.1"' in await _why(_connection(url))
    assert 'set protocol = "3.1.1"' in await _why_live(_live(url))
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


async def test_a_broker_that_hangs_up_whatever_is_said_is_down_and_no_setting_is_blamed(old_broker: Broker) -> None:
    async def hang_up() -> None:
        while True:
            (await old_broker.peer()).reset()

    playing = asyncio.create_task(hang_up())
    with pytest.raises(LinkDown) as caught:
        await asyncio.wait_for(_connection(f"mqtt://127.0.0.1:{old_broker.port}").open(), patience())
    assert not isinstance(caught.value, LinkRefused)
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


async def test_a_password_with_spaces_at_its_ends_is_the_one_that_the_broker_gets(tmp_path: Path) -> None:
    require_program("mosquitto", "mosquitto_passwd")
    known, password = tmp_path / "known", tmp_path / "password"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(known), "prehod", " sp ace "], check=True)  # noqa: ASYNC221 -- nothing else runs yet
    password.write_text(" sp ace \n")
    async with Mosquitto(tmp_path / "mosquitto", password_file=known) as broker:
        connection = _connection(broker.url, username="prehod", password_file=password)
        await connection.open()
        connection.close()
