"""What the brokers keep: the difference between a broker for proofs and one for watching."""

import asyncio
import subprocess
from pathlib import Path

import aiomqtt
import pytest
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.patience import patience
from firmware_sim.servers.servers import Iotcore, Mosquitto, Tls
from tests.support.until import until

pytestmark = pytest.mark.system


needs_mosquitto = pytest.mark.requires("mosquitto")
needs_iotcore = pytest.mark.requires("iotcore")


class Session:
    """A persistent session that acknowledges nothing by itself, on bare paho."""

    def __init__(self, port: int) -> None:
        self.messages: list[MQTTMessage] = []
        self.present: bool | None = None
        self.client = Client(CallbackAPIVersion.VERSION2, "session", clean_session=False, manual_ack=True)
        self.client.on_connect = lambda _client, _data, flags, _code, _properties: self._connected(
            flags.session_present
        )
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _connected(self, present: bool) -> None:
        self.client.subscribe("t", qos=1)
        self.present = present

    def payloads(self) -> list[bytes]:
        return [bytes(message.payload) for message in self.messages]

    def acknowledge(self) -> None:
        for message in self.messages:
            self.client.ack(message.mid, message.qos)

    def drop(self) -> None:
        """Go away without a word."""
        self.client.loop_stop()
        if (connection := self.client.socket()) is not None:
            connection.close()


async def publish(port: int, *payloads: bytes) -> None:
    async with aiomqtt.Client("127.0.0.1", port) as client:
        for payload in payloads:
            await client.publish("t", payload, qos=1)


@pytest.mark.parametrize(
    ("kind", "marks_again"),
    [pytest.param(Mosquitto, True, marks=needs_mosquitto), pytest.param(Iotcore, False, marks=needs_iotcore)],
)
async def test_a_broker_sends_unacknowledged_messages_again(
    kind: type[Mosquitto | Iotcore], marks_again: bool, tmp_path: Path
) -> None:
    async with kind(tmp_path) as broker:
        before = Session(broker.port)
        await until(lambda: before.present is not None)
        await publish(broker.port, b"1", b"2")
        await until(lambda: before.payloads() == [b"1", b"2"])
        before.drop()
        await publish(broker.port, b"3")
        after = Session(broker.port)
        await until(lambda: after.payloads() == [b"1", b"2", b"3"])
        assert after.present
        assert [message.dup for message in after.messages] == [marks_again, marks_again, False]
        after.drop()


@pytest.mark.parametrize(
    ("kind", "kept"),
    [pytest.param(Mosquitto, True, marks=needs_mosquitto), pytest.param(Iotcore, False, marks=needs_iotcore)],
)
async def test_a_session_survives_a_restart_of_mosquitto_and_not_of_iotcore(
    kind: type[Mosquitto | Iotcore], kept: bool, tmp_path: Path
) -> None:
    async with kind(tmp_path) as broker:
        before = Session(broker.port)
        await until(lambda: before.present is not None)
        before.drop()
        await publish(broker.port, *(str(n).encode() for n in range(1500)))
        await broker.restart()
        after = Session(broker.port)
        await until(lambda: after.present is not None)
        assert after.present is kept
        if kept:
            await until(lambda: len(after.messages) == 1000)
            after.acknowledge()
            await until(lambda: len(set(after.payloads())) == 1500)
        after.drop()


@needs_iotcore
async def test_iotcore_speaks_mqtt_5_on_its_second_port(tmp_path: Path) -> None:
    async with (
        Iotcore(tmp_path) as broker,
        aiomqtt.Client("127.0.0.1", broker.port_v5, protocol=aiomqtt.ProtocolVersion.V5) as client,
    ):
        await client.subscribe("t", qos=1)
        await client.publish("t", b"five", qos=1)
        async with asyncio.timeout(patience()):
            assert (await anext(aiter(client.messages))).payload == b"five"


def make_certificate(certificate: Path, key: Path) -> None:
    """Write a certificate for 127.0.0.1 that is its own authority."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"),
            *("-out", certificate, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """Return a password file that knows prehod, whose password is secret."""
    path = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", path, "prehod", "secret"], check=True)
    return path


@needs_mosquitto
async def test_mosquitto_asks_for_the_password(tmp_path: Path, passwords: Path) -> None:
    async with Mosquitto(tmp_path / "data", password_file=passwords) as broker:
        async with aiomqtt.Client("127.0.0.1", broker.port, username="prehod", password="secret"):
            pass
        with pytest.raises(MqttConnectError):
            async with aiomqtt.Client("127.0.0.1", broker.port):
                pass


@needs_mosquitto
@pytest.mark.requires("openssl")
async def test_mosquitto_listens_for_tls_beside_the_plain_port(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    async with Mosquitto(tmp_path / "data", tls=Tls(certificate, key, certificate)) as broker:
        trust = aiomqtt.TLSParameters(ca_certs=str(certificate))
        async with aiomqtt.Client("127.0.0.1", broker.tls_port, tls_params=trust):
            pass
        async with aiomqtt.Client("127.0.0.1", broker.port):
            pass
