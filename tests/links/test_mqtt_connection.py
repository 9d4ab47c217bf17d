"""One MQTT connection against a broker that does whatever the test says, in both versions of the protocol."""

import asyncio
import fcntl
import random
import socket
import sys
import termios
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client
import pytest

from firmware_sim.patience import patience
from gateway.errors import LinkDown, LinkDropped, LinkRefused
from gateway.links.mqtt.buffered_socket import READ_SIZE, GatheringSocket
from gateway.links.mqtt.client import MAX_PACKET
from gateway.links.mqtt.connection import MESSAGES_A_TURN, PAUSED_BYTES, Connection
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from tests.links.conftest import Broker, Peer
from tests.support.until import until

CONNECT, PUBACK, SUBSCRIBE, PINGREQ, PINGRESP, DISCONNECT = 1, 4, 8, 12, 13, 14


def _settings(broker: Broker, *, scheme: str = "mqtt", **more: Any) -> MqttSettings:  # noqa: ANN401 -- any setting
    given = {"client_id": "prehod-test", "topics": ("city/#",), "protocol": broker.protocol, **more}
    return MqttSettings(url=f"{scheme}://127.0.0.1:{broker.port}", **given)


@asynccontextmanager
async def _connected(
    broker: Broker,
    *,
    session_present: bool = False,
    **bounds: Any,  # noqa: ANN401 -- any of the connection's
) -> AsyncIterator[tuple[Connection, Peer]]:
    connection = Connection(_settings(broker), **bounds)
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.welcome(session_present=session_present)
    assert await asyncio.wait_for(opening, patience()) == session_present
    try:
        yield connection, peer
    finally:
        connection.close()


@asynccontextmanager
async def _holding(connection: Connection) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Event]]:
    """Pause a connection, as a full disk does; set the event, and there is room."""
    room = asyncio.Event()
    holding = asyncio.create_task(connection.pause_until(room.wait()))
    await asyncio.sleep(0)
    try:
        yield holding, room
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)


async def _take(connection: Connection, count: int) -> list[Message]:
    taken: list[Message] = []
    async with asyncio.timeout(patience()):
        while len(taken) < count:
            taken += await connection.receive()
    return taken


async def _end_of(connection: Connection) -> LinkDown:
    """Receive until the connection ends, and return what it says."""
    async with asyncio.timeout(patience()):
        while True:
            try:
                await connection.receive()
            except LinkDown as error:
                return error


def _has_come(connection: Connection, count: int) -> bool:
    return len(connection._inbox) == count


def _in_the_kernel(connection: Connection) -> int:
    """Return how many bytes have arrived and nobody has read."""
    return int.from_bytes(fcntl.ioctl(connection._fd, termios.FIONREAD, bytes(4)), sys.byteorder)


# opening


async def test_a_connection_asks_for_a_session_that_outlives_it(broker: Broker) -> None:
    settings = _settings(broker, session_expiry="1h", receive_maximum=500, keepalive="30s")
    connection = Connection(settings)
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    connect = await peer.welcome()
    assert not await opening
    assert connect.body[:6] == b"\0\4MQTT"
    assert connect.body[7] & 0x02 == 0, "no clean session"
    assert int.from_bytes(connect.body[8:10], "big") == 30
    assert connect.body.endswith(b"prehod-test")
    if broker.protocol == "5":
        assert b"\x11" + (3600).to_bytes(4, "big") in connect.body  # session expiry interval
        assert b"\x21" + (500).to_bytes(2, "big") in connect.body  # receive maximum
        assert b"\x27" + MAX_PACKET.to_bytes(4, "big") in connect.body  # maximum packet size
    connection.close()


async def test_the_broker_says_whether_it_kept_the_session(broker: Broker) -> None:
    async with _connected(broker, session_present=True) as (connection, _):
        assert connection.accepted
        assert not connection.downgraded_topics
    async with _connected(broker, session_present=False):
        pass


async def test_a_new_subscription_alone_brings_retained_messages(broker: Broker) -> None:
    connection = Connection(_settings(broker, topics=("a/+", "$share/prehod/b"), qos=1))
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.connack()
    subscribe = await peer.expect(SUBSCRIBE)
    options = b"\x11" if broker.protocol == "5" else b"\x01"  # QoS 1; retain handling 1 exists in version 5 only
    assert subscribe.body.endswith(b"\0\3a/+" + options + b"\0\x0f$share/prehod/b" + options)
    peer.suback(subscribe, 1, 1)
    await opening
    connection.close()


@pytest.mark.parametrize(("v5", "v3", "words"), [(0x87, 5, "[Nn]ot authori"), (0x86, 4, "user ?name or password")])
async def test_a_refusal_is_told_in_the_brokers_words(broker: Broker, v5: int, v3: int, words: str) -> None:
    connection = Connection(_settings(broker))
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.connack(v5 if broker.protocol == "5" else v3)
    with pytest.raises(LinkRefused, match=f"refused us.*{words}"):
        await asyncio.wait_for(opening, patience())
    connection.close()


async def test_a_broker_that_does_not_speak_our_version_refuses_and_the_setting_is_named(broker: Broker) -> None:
    connection = Connection(_settings(broker))
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.publish(bytes.fromhex("20 02 00 01"))  # a broker of 3.1.1 has no other form, whoever asks
    other = {"5": "3.1.1", "3.1.1": "5"}[broker.protocol]
    with pytest.raises(LinkRefused, match=f'does not speak MQTT {broker.protocol}: set protocol = "{other}"'):
        await asyncio.wait_for(opening, patience())
    connection.close()


async def test_a_refused_subscription_names_its_topic(broker: Broker) -> None:
    connection = Connection(_settings(broker, topics=("fine/#", "secret/#")))
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.connack()
    peer.suback(await peer.expect(SUBSCRIBE), 1, 0x87 if broker.protocol == "5" else 0x80)
    with pytest.raises(LinkRefused, match=r"subscription to secret/# \(") as caught:
        await asyncio.wait_for(opening, patience())
    assert "fine" not in str(caught.value)
    connection.close()


async def test_a_broker_that_never_answers_is_down(broker: Broker) -> None:
    connection = Connection(_settings(broker), answer_within=0.05)
    with pytest.raises(LinkDown, match="connected, but the broker did not answer within"):
        await connection.open()
    connection.close()


async def test_a_broker_that_hangs_up_on_connect_is_down(broker: Broker) -> None:
    connection = Connection(_settings(broker))
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.writer.close()
    with pytest.raises(LinkDropped, match="closed the connection without a word"):
        await asyncio.wait_for(opening, patience())
    assert not connection.accepted
    connection.close()


async def test_no_broker_is_down_with_its_address(broker: Broker) -> None:
    await broker.stop()
    connection = Connection(_settings(broker))
    with pytest.raises(LinkDown, match=f"127.0.0.1:{broker.port}: Connection refused"):
        await connection.open()
    connection.close()
    await broker.start()


@pytest.mark.parametrize("host", ["", "no host has such a name", "x" * 64 + ".example"])
async def test_a_name_that_is_none_is_an_error_and_no_surprise(host: str) -> None:
    connection = Connection(MqttSettings.model_construct(url=f"mqtt://{host}", topics=("#",)))
    with pytest.raises(LinkDown):
        await connection.open()
    connection.close()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
async def test_a_password_that_cannot_be_read_is_refused_by_its_file(
    broker: Broker, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    connection = Connection(_settings(broker, username="prehod", password_file=file))
    with pytest.raises(LinkRefused, match=f"password_file: .*{file}"):
        await connection.open()
    connection.close()


@pytest.mark.parametrize("which", ["ca_file", "certificate_file"])
async def test_a_certificate_that_cannot_be_read_is_refused_by_its_file(
    broker: Broker, tmp_path: Path, which: str
) -> None:
    missing = tmp_path / "missing.pem"
    connection = Connection(_settings(broker, scheme="mqtts", **{which: missing}))
    with pytest.raises(LinkRefused, match=f"{missing}"):
        await connection.open()
    connection.close()


# messages


async def test_a_message_torn_into_single_bytes_is_one_message(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        for byte in peer.message(b"payload" * 30, 7, dup=True):
            peer.publish(bytes([byte]))
            await asyncio.sleep(0)
        peer.publish(peer.message(b"next", 8))
        first, second = await _take(connection, 2)
        assert first == Message("city/air/1", b"payload" * 30, 7, repeated=True, retained=False)
        assert second == Message("city/air/1", b"next", 8, repeated=False, retained=False)


async def test_a_burst_arrives_whole_in_order_and_leaves_the_loop_its_turns(broker: Broker) -> None:
    count = 60 * MESSAGES_A_TURN
    async with _connected(broker) as (connection, peer):
        peer.publish(*(peer.message(b"%d" % number, number % 65535 + 1) for number in range(count)))
        batches: list[list[Message]] = []
        while sum(map(len, batches)) < count:
            batches.append(await asyncio.wait_for(connection.receive(), patience()))
        assert max(map(len, batches)) <= 6 * MESSAGES_A_TURN, "a few turns of the loop until we are awake"
        assert [message.payload for batch in batches for message in batch] == [b"%d" % n for n in range(count)]


async def test_what_comes_before_the_subscription_is_answered_is_not_lost(broker: Broker) -> None:
    connection = Connection(_settings(broker))
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.connack(session_present=True)
    peer.publish(peer.message(b"from the session", 1, dup=True))
    peer.suback(await peer.expect(SUBSCRIBE), 1)
    assert await asyncio.wait_for(opening, patience())
    assert [message.payload for message in await _take(connection, 1)] == [b"from the session"]
    connection.close()


async def test_retained_and_unacknowledgeable_messages_are_marked(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        peer.publish(peer.message(b"old", 3, retain=True), peer.message(b"fleeting", qos=0))
        old, fleeting = await _take(connection, 2)
        assert (old.retained, old.mid) == (True, 3)
        assert (fleeting.retained, fleeting.mid) == (False, 0)


async def test_a_topic_that_is_no_text_is_still_a_message(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        peer.publish(peer.message(b"x", 1, topic=b"city/\xff\xfe"), peer.message(b"y", 2))
        strange, normal = await _take(connection, 2)
        assert strange == Message("\N{REPLACEMENT CHARACTER}", b"x", 1, repeated=False, retained=False)
        assert normal.payload == b"y"


async def test_empty_payloads_and_large_ones_pass(broker: Broker) -> None:
    large = random.Random(1).randbytes(700_000)  # noqa: S311 -- any bytes do
    async with _connected(broker) as (connection, peer):
        peer.publish(peer.message(b"", 1), peer.message(large, 2), peer.message(b"z", 3))
        assert [message.payload for message in await _take(connection, 3)] == [b"", large, b"z"]


# acknowledging


async def test_nothing_is_acknowledged_until_we_say_so_and_then_in_our_order(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        peer.publish(*(peer.message(b"x", mid) for mid in (1, 2, 3)))
        await _take(connection, 3)
        peer.publish(peer.message(b"barrier", qos=0))
        await _take(connection, 1)
        connection.acknowledge([2, 3, 1])
        assert await peer.acks(3) == [2, 3, 1]


async def test_many_acknowledgements_pass_a_broker_that_reads_slowly(broker: Broker) -> None:
    mids = list(range(1, 65536))
    async with _connected(broker) as (connection, peer):
        assert connection._client.gathering is not None
        connection._client.gathering._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.acknowledge(mids)
        assert connection._writing, "more than the kernel takes at once"
        assert await peer.acks(len(mids)) == mids
        connection.acknowledge([42])
        assert await peer.acks(1) == [42]


async def test_a_late_acknowledgement_is_never_sent_on_the_next_connection(broker: Broker) -> None:
    async with _connected(broker) as (old, old_peer):
        old_peer.publish(old_peer.message(b"stored late", 1))
        await _take(old, 1)
        old_peer.reset()
        await _end_of(old)
        async with _connected(broker) as (new, new_peer):
            new_peer.publish(new_peer.message(b"another one", 1), new_peer.message(b"and more", 2))
            await _take(new, 2)
            old.acknowledge([1])
            new.acknowledge([2])
            assert await new_peer.acks(1) == [2]


# holding back


async def test_a_connection_on_hold_goes_on_hearing_its_broker(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(paho.mqtt.client, "time_func", lambda: now)
    async with _connected(broker) as (connection, peer), _holding(connection) as (holding, room):
        peer.publish(*(peer.message(b"x", mid) for mid in range(1, 1001)))  # the whole window
        await until(lambda: len(connection._inbox) == 1000)
        for _ in range(5):  # a full disk for five keep-alives
            now += 61
            connection._tick()
            assert await peer.reader.readexactly(2) == bytes([PINGREQ << 4, 0])
            peer.send(PINGRESP, 0, b"")
            await until(lambda: connection._client._ping_t == 0)
        room.set()
        await asyncio.wait_for(holding, patience())
        assert [message.mid for message in await _take(connection, 1000)] == list(range(1, 1001))


async def test_a_broker_that_ends_the_connection_on_hold_is_noticed_at_once(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer), _holding(connection) as (holding, _):
        peer.publish(peer.message(b"x", 1))
        peer.writer.close()
        with pytest.raises(LinkDropped, match="closed the connection without a word"):
            await asyncio.wait_for(holding, patience())


async def test_a_silent_broker_on_hold_is_given_up(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(paho.mqtt.client, "time_func", lambda: now)
    async with _connected(broker) as (connection, _), _holding(connection) as (holding, _):
        for _ in range(2):
            now += 61
            connection._tick()
        with pytest.raises(LinkDown, match="no answer for 60 s"):
            await asyncio.wait_for(holding, patience())


async def test_on_hold_only_so_much_is_taken_and_nothing_is_missed_afterwards(broker: Broker) -> None:
    payload, count = b"x" * 50_000, 400  # 20 MB: beyond every buffer in between
    async with _connected(broker) as (connection, peer):
        async with _holding(connection) as (holding, room):
            peer.publish(*(peer.message(payload, mid) for mid in range(1, count + 1)))
            await until(lambda: connection._reading_paused)
            assert sum(len(message.payload) for message in connection._inbox) < 2 * PAUSED_BYTES
            assert peer.writer.transport.get_write_buffer_size() > 0, "the network holds the rest at the broker"
            room.set()
            await asyncio.wait_for(holding, patience())
        assert [message.mid for message in await _take(connection, count)] == list(range(1, count + 1))


async def test_what_was_read_but_not_taken_on_hold_comes_without_new_bytes(broker: Broker) -> None:
    async with _connected(broker, paused_bytes=1) as (connection, peer):
        count = 10 * MESSAGES_A_TURN
        messages = [peer.message(b"", mid) for mid in range(1, count + 1)]
        assert sum(map(len, messages)) < READ_SIZE
        async with _holding(connection) as (holding, room):
            connection._loop.remove_reader(connection._fd)
            peer.publish(*messages)
            await until(lambda: _in_the_kernel(connection) == sum(map(len, messages)))
            connection._loop.add_reader(connection._fd, connection._readable)
            await until(lambda: connection._reading_paused)
            assert _in_the_kernel(connection) == 0, "all is read, and most is not taken yet"
            assert len(connection._inbox) == 1
            room.set()
            await asyncio.wait_for(holding, patience())
        assert [message.mid for message in await _take(connection, count)] == list(range(1, count + 1))


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_end_that_nobody_reads_is_seen_in_the_kernel(broker: Broker, how: str) -> None:
    bounds: dict[str, Any] = {"paused_bytes": 1, "tick": 0.01}
    async with _connected(broker, **bounds) as (connection, peer), _holding(connection) as (holding, _):
        peer.publish(peer.message(b"more than is taken", 1))
        await until(lambda: connection._reading_paused)
        connection._tick()
        await asyncio.sleep(0)
        assert not holding.done(), "still whole"
        peer.writer.close() if how == "closed" else peer.reset()
        with pytest.raises(LinkDown, match="connection lost"):
            await asyncio.wait_for(holding, patience())


async def test_a_broker_that_sends_much_and_answers_late_is_alive(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(paho.mqtt.client, "time_func", lambda: now)
    async with _connected(broker) as (connection, peer):
        for mid in range(1, 6):  # the answers to our pings stand behind a long row of messages
            now += 61
            peer.publish(peer.message(b"x", mid))
            await until(partial(_has_come, connection, mid))
            connection._tick()
        assert len(await connection.receive()) == 5


# the end


async def test_closing_says_goodbye_and_may_be_repeated(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        connection.close()
        connection.close()
        connection.acknowledge([1])
        left = await peer.ended()
        assert left[0] == DISCONNECT << 4
        assert len(left) <= 4, "nothing after the goodbye"
        assert str(await _end_of(connection)) == "closed by us"


async def test_a_connection_closes_before_it_was_opened() -> None:
    connection = Connection(MqttSettings(url="mqtt://127.0.0.1:1", topics=("#",)))
    connection.close()
    connection.close()
    with pytest.raises(LinkDown, match="closed by us"):
        await connection.receive()


async def test_closing_wakes_whoever_waits(broker: Broker) -> None:
    async with _connected(broker) as (connection, _):
        waiting = asyncio.create_task(connection.receive())
        await asyncio.sleep(0)
        connection.close()
        with pytest.raises(LinkDown, match="closed by us"):
            await asyncio.wait_for(waiting, patience())


async def test_what_came_before_the_end_is_delivered_first(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        peer.publish(peer.message(b"one", 1), peer.message(b"two", 2), peer.message(b"torn in the middle", 3)[:9])
        peer.writer.close()
        assert [message.payload for message in await _take(connection, 2)] == [b"one", b"two"]
        assert "without a word" in str(await _end_of(connection))
        assert "without a word" in str(await _end_of(connection)), "and it stays ended"


async def test_a_reset_in_mid_packet_ends_the_connection(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        peer.publish(peer.message(b"whole", 1), peer.message(b"torn", 2)[:5])
        await _take(connection, 1)
        peer.reset()
        assert isinstance(await _end_of(connection), LinkDropped)


async def test_a_write_that_fails_ends_the_connection_and_surprises_nobody(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: GatheringSocket) -> bool:
        raise BrokenPipeError("Broken pipe")

    async with _connected(broker) as (connection, _):
        monkeypatch.setattr(GatheringSocket, "flush", broken)
        connection.acknowledge([1])
        assert str(await _end_of(connection)) == "connection lost: Broken pipe"


async def test_a_silent_broker_is_asked_and_then_given_up(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(paho.mqtt.client, "time_func", lambda: now)
    async with _connected(broker) as (connection, peer):
        now += 61
        connection._tick()
        async with asyncio.timeout(patience()):
            assert await peer.reader.readexactly(2) == bytes([PINGREQ << 4, 0])
        now += 61
        connection._tick()
        assert str(await _end_of(connection)) == "no answer for 60 s: the network is cut, or the broker hangs"


async def test_no_bytes_from_a_broker_are_a_surprise(broker: Broker) -> None:
    surprises: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: surprises.append(context))
    dice = random.Random(1883)  # noqa: S311 -- reproducible, not secret
    for round_ in range(160):
        async with _connected(broker) as (connection, peer):
            body = dice.randbytes(dice.randrange(12))
            peer.send(round_ % 16, dice.randrange(16), body)
            if dice.random() < 0.2:
                peer.publish(b"\xff" * 6)  # no packet is that long
            peer.writer.write_eof()
            await _end_of(connection)
    assert not surprises


async def test_an_opening_cancelled_while_the_broker_is_silent_leaves_nothing(broker: Broker) -> None:
    connection = Connection(_settings(broker))
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    connection.close()
    await peer.ended()


async def test_an_opening_cancelled_while_it_connects_closes_what_the_thread_opens(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_go_on = threading.Event(), threading.Event()
    made: list[socket.socket] = []
    really = socket.create_connection

    def slowly(address: tuple[str, int], **how: Any) -> socket.socket:  # noqa: ANN401 -- passed on
        began.set()
        may_go_on.wait(patience())
        made.append(really(address, **how))
        return made[0]

    monkeypatch.setattr(socket, "create_connection", slowly)
    connection = Connection(_settings(broker))
    opening = asyncio.create_task(connection.open())
    await until(began.is_set)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    connection.close()
    may_go_on.set()
    await until(lambda: bool(made) and made[0].fileno() == -1)
    await (await broker.peer()).ended()


# what we say ourselves


async def test_a_message_of_ours_goes_out_with_qos_0_behind_the_acknowledgements(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        peer.publish(peer.message(b"1", 7))
        await _take(connection, 1)
        connection.acknowledge([7])
        assert connection.publish("devices/1/command", b"again")
        assert await peer.acks(1) == [7]
        said = await peer.expect(3)
        assert said.flags == 0
        assert said.body == b"\0\x11devices/1/command" + (b"\0" if peer.v5 else b"") + b"again"


async def test_what_cannot_be_published_is_not_and_harms_nothing(broker: Broker) -> None:
    async with _connected(broker) as (connection, peer):
        assert not connection.publish("devices/+/command", b"")
        assert not connection.publish("", b"")
        peer.publish(peer.message(b"1", 7))
        assert len(await _take(connection, 1)) == 1
    assert not connection.publish("devices/1/command", b"")
