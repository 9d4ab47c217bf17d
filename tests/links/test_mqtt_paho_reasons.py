"""What brokers answer, refuse and give as their reasons, in our words and with the waits that make sense."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from firmware_sim.patience import patience
from gateway.errors import LinkDown, LinkRefused
from gateway.links.mqtt.connection import Connection
from gateway.links.mqtt.settings import MqttSettings
from tests.links.conftest import Broker

CONNECT, CONNACK, SUBSCRIBE, DISCONNECT = 1, 2, 8, 14


@pytest.fixture
async def connection(broker: Broker) -> AsyncIterator[Connection]:
    """A connection that nobody has opened yet."""
    settings = MqttSettings(
        url=f"mqtt://127.0.0.1:{broker.port}",
        client_id="prehod-test",
        topics=("fine/#", "less/#"),
        protocol=broker.protocol,
    )
    connection = Connection(settings)
    yield connection
    connection.close()


@pytest.mark.parametrize("protocol", ["5"], indirect=True)
@pytest.mark.parametrize(
    ("reason", "kind", "wait", "words"),
    [
        (0x88, LinkDown, 60, "refused us for now: Server unavailable"),
        (0x97, LinkDown, 60, "refused us for now: Quota exceeded"),
        (0x8A, LinkRefused, 60, "refused us: Banned"),
        (0x9D, LinkRefused, 60, "sends us to other:1883 (Server moved): correct the url"),
    ],
)
async def test_a_refusal_tells_how_long_to_wait(  # noqa: PLR0917 -- a table of reasons
    connection: Connection, broker: Broker, reason: int, kind: type[LinkDown], wait: float, words: str
) -> None:
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.send(CONNACK, 0, bytes([0, reason, 13]) + b"\x1c\0\x0aother:1883")
    with pytest.raises(kind) as caught:
        await asyncio.wait_for(opening, patience())
    assert words in str(caught.value)
    assert (type(caught.value), caught.value.wait) == (kind, wait)


async def test_a_broker_that_grants_less_than_asked_for_is_told_of(connection: Connection, broker: Broker) -> None:
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.expect(CONNECT)
    peer.connack()
    peer.suback(await peer.expect(SUBSCRIBE), 1, 0)
    await asyncio.wait_for(opening, patience())
    assert "the broker grants QoS 0 where we asked for 1" in connection.downgraded_topics
    assert "(less/#)" in connection.downgraded_topics


@pytest.mark.parametrize("protocol", ["5"], indirect=True)
@pytest.mark.parametrize(
    ("reason", "properties", "kind", "wait", "words"),
    [
        (0x8B, b"", LinkDown, 0, "the broker ended the connection: Server shutting down"),
        (0x8E, b"", LinkRefused, 300, "another client uses the id 'prehod-test' and took our session"),
        (0x97, b"", LinkDown, 60, "the broker ended the connection, it wants less of us: Quota exceeded"),
        (0x98, b"\x1f\0\4bye!", LinkRefused, 60, "on purpose: Administrative action (bye!)"),
        (0x87, b"", LinkRefused, 60, "on purpose: Not authorized"),
        (0x9C, b"\x1c\0\x06b:1883", LinkRefused, 60, "sends us to b:1883 (Use another server): correct the url"),
        (0x9D, b"", LinkRefused, 60, "sends us elsewhere and does not say where (Server moved): correct the url"),
    ],
)
async def test_a_broker_that_says_why_is_understood(  # noqa: PLR0917 -- a table of reasons
    connection: Connection,
    broker: Broker,
    reason: int,
    properties: bytes,
    kind: type[LinkDown],
    wait: float,
    words: str,
) -> None:
    opening = asyncio.create_task(connection.open())
    peer = await broker.peer()
    await peer.welcome()
    await asyncio.wait_for(opening, patience())
    peer.publish(peer.message(b"last", 1))
    peer.send(DISCONNECT, 0, bytes([reason, len(properties)]) + properties)
    assert [message.payload for message in await asyncio.wait_for(connection.receive(), patience())] == [b"last"]
    with pytest.raises(kind) as caught:
        await asyncio.wait_for(connection.receive(), patience())
    assert words in str(caught.value)
    assert (type(caught.value), caught.value.wait) == (kind, wait)
