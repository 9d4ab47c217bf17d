"""One MQTT connection against a real Mosquitto: sessions, restarts, and certificates."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.servers import Mosquitto, Tls
from gateway.errors import CredentialsError, LinkDown, LinkRefused
from gateway.links.mqtt.connection import Connection
from gateway.links.mqtt.packets import Message
from gateway.links.mqtt.settings import MqttSettings
from tests.support.certificates import Certificates
from tests.support.requirements import require_program
from tests.support.until import until

pytestmark = pytest.mark.system


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    require_program("mosquitto")
    async with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


def _connection(port: int, protocol: str = "5", *, scheme: str = "mqtt", **more: Any) -> Connection:  # noqa: ANN401 -- any setting
    url = f"{scheme}://127.0.0.1:{port}"
    return Connection(MqttSettings(url=url, client_id="prehod-test", topics=("city/#",), protocol=protocol, **more))


async def _publish(port: int, *payloads: bytes, qos: int = 1, retain: bool = False) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for payload in payloads:
            await client.publish("city/air/1", payload, qos=qos, retain=retain)


async def _take(connection: Connection, count: int) -> list[Message]:
    taken: list[Message] = []
    async with asyncio.timeout(patience()):
        while len(taken) < count:
            taken += await connection.receive()
    return taken


async def test_a_session_collects_while_we_are_away(mosquitto: Mosquitto, protocol: str) -> None:
    first = _connection(mosquitto.port, protocol)
    assert not await first.open()
    first.close()
    await _publish(mosquitto.port, b"one", b"two")
    second = _connection(mosquitto.port, protocol)
    assert await second.open()
    assert [(message.payload, message.repeated) for message in await _take(second, 2)] == [
        (b"one", False),
        (b"two", False),
    ]
    second.close()


async def test_what_was_not_acknowledged_comes_again_first_and_marked(mosquitto: Mosquitto, protocol: str) -> None:
    connection = _connection(mosquitto.port, protocol)
    await connection.open()
    await _publish(mosquitto.port, b"one", b"two", b"three")
    taken = await _take(connection, 3)
    connection.acknowledge([taken[0].mid])
    connection.close()
    await _publish(mosquitto.port, b"four")
    connection = _connection(mosquitto.port, protocol)
    assert await connection.open()
    again = await _take(connection, 3)
    assert [(message.payload, message.repeated) for message in again] == [
        (b"two", True),
        (b"three", True),
        (b"four", False),
    ]
    assert [message.mid for message in again[:2]] == [message.mid for message in taken[1:]]
    connection.close()


async def test_acknowledgements_given_before_closing_arrive(mosquitto: Mosquitto, protocol: str) -> None:
    connection = _connection(mosquitto.port, protocol)
    await connection.open()
    await _publish(mosquitto.port, *(b"%d" % number for number in range(100)))
    connection.acknowledge([message.mid for message in await _take(connection, 100)])
    connection.close()
    # It reads one packet of a client a turn: a new connection would take the session over with most of them unread.
    await until(lambda: "Client prehod-test disconnected" in mosquitto.log.read_text(encoding="utf-8"))
    await _publish(mosquitto.port, b"new")
    connection = _connection(mosquitto.port, protocol)
    assert await connection.open()
    assert [message.payload for message in await _take(connection, 1)] == [b"new"]
    connection.close()


@pytest.mark.parametrize("harsh", [False, True], ids=["restarted", "killed"])
async def test_a_broker_that_goes_ends_the_connection_and_the_next_one_works(
    mosquitto: Mosquitto, harsh: bool
) -> None:
    connection = _connection(mosquitto.port)
    await connection.open()
    if harsh:
        mosquitto.kill()
    else:
        await mosquitto.stop()
    with pytest.raises(LinkDown):
        await asyncio.wait_for(connection.receive(), patience())
    connection.close()
    connection = _connection(mosquitto.port)
    with pytest.raises(LinkDown, match="Connection refused"):
        await connection.open()
    connection.close()
    await mosquitto.start()
    connection = _connection(mosquitto.port)
    await connection.open()
    await _publish(mosquitto.port, b"back")
    assert [message.payload for message in await _take(connection, 1)] == [b"back"]
    connection.close()


async def test_messages_at_qos_0_arrive_and_need_no_acknowledgement(mosquitto: Mosquitto, protocol: str) -> None:
    connection = _connection(mosquitto.port, protocol, qos=0)
    await connection.open()
    await _publish(mosquitto.port, b"a", b"b", qos=0)
    assert [(message.payload, message.mid) for message in await _take(connection, 2)] == [(b"a", 0), (b"b", 0)]
    connection.close()


async def test_a_retained_message_comes_with_a_new_session_and_not_with_a_kept_one(mosquitto: Mosquitto) -> None:
    await _publish(mosquitto.port, b"old news", retain=True)
    connection = _connection(mosquitto.port)
    await connection.open()
    (retained,) = await _take(connection, 1)
    assert (retained.payload, retained.retained) == (b"old news", True)
    connection.acknowledge([retained.mid])
    connection.close()
    connection = _connection(mosquitto.port)
    assert await connection.open()
    await _publish(mosquitto.port, b"news")
    assert [(message.payload, message.retained) for message in await _take(connection, 1)] == [(b"news", False)]
    connection.close()


async def test_two_connections_of_one_name_cannot_both_live(mosquitto: Mosquitto) -> None:
    first = _connection(mosquitto.port)
    await first.open()
    second = _connection(mosquitto.port)
    await second.open()
    with pytest.raises(LinkDown):  # Mosquitto 2.0.11 does not say why
        await asyncio.wait_for(first.receive(), patience())
    await _publish(mosquitto.port, b"for the living")
    assert len(await _take(second, 1)) == 1
    first.close()
    second.close()


async def test_an_acknowledgement_from_before_a_lost_session_confirms_nothing_of_the_next(tmp_path: Path) -> None:
    require_program("mosquitto")
    async with Mosquitto(tmp_path / "mosquitto", persistence=False) as broker:
        old = _connection(broker.port)
        await old.open()
        await _publish(broker.port, b"of the old session")
        (stored_late,) = await _take(old, 1)
        broker.kill()
        await broker.start()
        new = _connection(broker.port)
        assert not await new.open(), "it lost the session"
        await _publish(broker.port, b"of the new session")
        (not_stored,) = await _take(new, 1)
        assert not_stored.mid == stored_late.mid
        old.acknowledge([stored_late.mid])
        new.close()
        again = _connection(broker.port)
        assert await again.open()
        assert [(one.payload, one.repeated) for one in await _take(again, 1)] == [(b"of the new session", True)]
        for connection in (old, again):
            connection.close()


# passwords and certificates


async def test_a_password_is_read_from_its_file_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    require_program("mosquitto", "mosquitto_passwd")
    known, password = tmp_path / "known", tmp_path / "password"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(known), "prehod", "right"], check=True)  # noqa: ASYNC221 -- nothing else runs yet
    async with Mosquitto(tmp_path / "mosquitto", password_file=known) as broker:
        password.write_text("right\n")
        connection = _connection(broker.port, username="prehod", password_file=password)
        await connection.open()
        connection.close()
        password.write_text("wrong\n")
        connection = _connection(broker.port, username="prehod", password_file=password)
        with pytest.raises(LinkRefused, match="the broker refused us: Not authorized"):
            await connection.open()
        connection.close()


@pytest.fixture
async def secure(tmp_path: Path, certificates: Certificates) -> AsyncIterator[Mosquitto]:
    """A broker that wants a certificate from every client."""
    require_program("mosquitto")
    tls = Tls(certificates.server, certificates.server_key, certificates.authority, client_certificates=True)
    async with Mosquitto(tmp_path / "mosquitto", tls=tls) as broker:
        yield broker


async def test_both_ends_know_each_other_by_their_certificates(secure: Mosquitto, certificates: Certificates) -> None:
    connection = _connection(
        secure.tls_port,
        scheme="mqtts",
        ca_file=certificates.authority,
        certificate_file=certificates.client,
        key_file=certificates.client_key,
    )
    assert not await connection.open()
    payloads = [b"%d" % number * 1000 for number in range(200)]  # many TLS records
    await _publish(secure.port, *payloads)
    taken = await _take(connection, 200)
    assert [message.payload for message in taken] == payloads
    connection.acknowledge([message.mid for message in taken])
    connection.close()


async def test_a_broker_of_another_authority_is_refused_in_words(
    secure: Mosquitto, certificates: Certificates
) -> None:
    connection = _connection(secure.tls_port, scheme="mqtts", ca_file=certificates.stranger)
    where = f"127.0.0.1:{secure.tls_port}"
    with pytest.raises(LinkRefused, match=f"{where}: TLS: the broker's certificate is not trusted: .*certificate"):
        await connection.open()
    connection.close()


async def test_a_broker_under_another_name_is_refused_in_words(secure: Mosquitto, certificates: Certificates) -> None:
    # Another name of 127.0.0.1 that needs no hosts file.
    settings = MqttSettings(url=f"mqtts://127.1:{secure.tls_port}", topics=("#",), ca_file=certificates.authority)
    connection = Connection(settings)
    with pytest.raises(LinkRefused, match=r"not trusted: Hostname mismatch.*127\.1"):
        await connection.open()
    connection.close()


async def test_a_broker_that_wants_our_certificate_refuses_in_words(
    secure: Mosquitto, certificates: Certificates
) -> None:
    connection = _connection(secure.tls_port, scheme="mqtts", ca_file=certificates.authority)
    with pytest.raises(LinkRefused, match=r"TLS: .*certificate"):
        await connection.open()
    connection.close()


async def test_a_plain_port_spoken_to_in_tls_is_refused(secure: Mosquitto, certificates: Certificates) -> None:
    connection = _connection(secure.port, scheme="mqtts", ca_file=certificates.authority)
    with pytest.raises(LinkDown):
        await connection.open()
    connection.close()


async def test_a_key_that_does_not_fit_its_certificate_names_the_files(certificates: Certificates) -> None:
    client, key = certificates.client, certificates.server_key
    connection = _connection(1, scheme="mqtts", certificate_file=client, key_file=key)
    with pytest.raises(LinkRefused, match=f"{certificates.client}.*key values mismatch") as caught:
        await connection.open()
    assert isinstance(caught.value.__cause__, CredentialsError)
    assert isinstance(caught.value.__cause__.__cause__, ssl.SSLError)
    connection.close()


async def test_a_session_forgets_the_topics_that_are_not_wanted_any_more(mosquitto: Mosquitto, protocol: str) -> None:
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    both = MqttSettings(url=url, client_id="prehod-test", topics=("city/#", "old/+"), protocol=protocol)
    first = Connection(both)
    await first.open()
    first.close()
    second = _connection(mosquitto.port, protocol)
    second.unwanted = ["old/+"]
    assert await second.open()
    async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.publish("old/a", b"1", qos=1)
    await _publish(mosquitto.port, b"2")
    assert [message.payload for message in await _take(second, 1)] == [b"2"]
    second.close()
