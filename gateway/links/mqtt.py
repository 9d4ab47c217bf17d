"""One connection to an MQTT broker, driven by the event loop: messages in, acknowledgements out when we say so.

A `Connection` lives from CONNECT until the network or the broker ends it; for the next attempt make a new one. So
an acknowledgement always belongs to the connection its message came by, and one that comes late is dropped: after a
reconnect to a broker that lost its session, the old packet identity may mean another message, never stored.

The session is persistent (QoS 1): what was not acknowledged comes again with DUP set, in order, at the next
connection. paho blocks while it connects, so that runs in a thread; from then on all moves inside the event loop.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.errors import LinkDown, LinkRefused
from gateway.links.mqtt_socket import GatheringSocket

MESSAGES_A_TURN = 256
"""How many messages are taken before the event loop gets its turn."""


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """What a connection needs to know; durations in seconds."""

    host: str
    port: int
    client_id: str
    topics: tuple[str, ...]
    qos: int = 1
    protocol: str = "5"
    keepalive: float = 60.0
    session_expiry: float = 7 * 86400.0
    receive_maximum: int = 1000
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


class Message(NamedTuple):
    """A message as it came; ``mid`` is 0 for QoS 0, which cannot be acknowledged."""

    topic: str
    payload: bytes
    mid: int
    repeated: bool
    retained: bool


class _Client(Client):
    """paho's client on a `GatheringSocket`; it creates its socket in one place, and that place is replaced."""

    gathering: GatheringSocket | None = None
    abandoned = False

    def _create_socket(self) -> GatheringSocket:
        created: Any = super()._create_socket()
        self.gathering = GatheringSocket(created)
        if self.abandoned:
            self.gathering.close()
        return self.gathering


class Connection:
    """One connection, once: `open`, then `receive` again and again until it raises, then `close`."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._inbox: list[Message] = []
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ended: LinkDown | None = None
        self._ready: asyncio.Future[bool] = self._loop.create_future()
        self._fd = -1
        self._paused = False
        self._writing = False
        self._session_present = False
        self._timer: asyncio.TimerHandle | None = None
        self._client = self._make_client()

    async def open(self) -> bool:
        """Connect and subscribe; return whether the broker still had our session.

        Raises `LinkDown` when it cannot be reached and `LinkRefused` when it says no.
        """
        settings, client = self._settings, self._client
        name = f"{settings.host}:{settings.port}"
        options: dict[str, Any] = {}
        if settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = min(int(settings.session_expiry), 0xFFFFFFFF)
            properties.ReceiveMaximum = settings.receive_maximum
            options = {"clean_start": False, "properties": properties}
        try:
            self._secure()
            await asyncio.to_thread(
                client.connect, settings.host, settings.port, max(1, round(settings.keepalive)), **options
            )
        except asyncio.CancelledError:
            client.abandoned = True  # the thread cannot be stopped; it closes what it opens
            raise
        except ssl.SSLError as error:
            raise LinkRefused(f"{name}: TLS: {error.reason or error}") from error
        except OSError as error:
            raise LinkDown(f"{name}: {error.strerror or error}") from error
        assert client.gathering is not None
        self._fd = client.gathering.fileno()
        self._loop.add_reader(self._fd, self._readable)
        self._tick()
        try:
            async with asyncio.timeout(10):
                return await self._ready
        except TimeoutError:
            raise LinkDown(f"{name}: connected, but the broker did not answer within 10 s") from None

    async def receive(self) -> list[Message]:
        """Return what came since the last call, in order, waiting for the first of it.

        Raises `LinkDown` with what ended the connection, once everything that had come before is taken.
        """
        while not self._inbox:
            if self._ended is not None:
                raise self._ended
            self._arrived.clear()
            await self._arrived.wait()
        batch, self._inbox = self._inbox, []
        return batch

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Send PUBACK for these packet identities, in the given order; nothing once the connection has ended."""
        if self._ended is not None:
            return
        for mid in mids:
            self._client.ack(mid, 1)
        self._write()

    def pause(self) -> None:
        """Take no more messages; the network's own back-pressure holds the rest at the broker."""
        if not self._paused and self._ended is None:
            self._paused = True
            self._loop.remove_reader(self._fd)

    def resume(self) -> None:
        """Take messages again."""
        if self._paused and self._ended is None:
            self._paused = False
            self._loop.add_reader(self._fd, self._readable)
            self._loop.call_soon(self._readable)

    def close(self) -> None:
        """End it: DISCONNECT where that still goes out. Safe at any moment, and twice."""
        if self._fd >= 0 and self._ended is None:
            self._client.disconnect()
            self._write()
        self._end(LinkDown("closed by us"))

    def _make_client(self) -> _Client:
        settings = self._settings
        v5 = settings.protocol == "5"
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        # Set so that paho leaves writing to us; when to write we decide ourselves, once a batch.
        client.on_socket_register_write = _nothing
        return client

    def _secure(self) -> None:
        settings = self._settings
        if settings.username is not None:
            password = None
            if settings.password_file is not None:
                try:
                    password = settings.password_file.read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise LinkRefused(f"password_file: {error}") from error
            self._client.username_pw_set(settings.username, password)
        if settings.tls:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.certificate_file is not None:
                context.load_cert_chain(settings.certificate_file, settings.key_file)
            self._client.tls_set_context(context)

    def _on_connect(
        self, client: Client, _: object, flags: ConnectFlags, reason: ReasonCode, __: Properties | None
    ) -> None:
        if reason.is_failure:
            self._end(LinkRefused(f"the broker refused us: {reason}"))
            return
        self._session_present = flags.session_present
        # Retained messages only with a new subscription: at each reconnect they would look like news.
        options = SubscribeOptions(qos=self._settings.qos, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        v5 = self._settings.protocol == "5"
        topics: list[Any] = [(topic, options if v5 else self._settings.qos) for topic in self._settings.topics]
        client.subscribe(topics)

    def _on_subscribe(
        self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: Properties | None
    ) -> None:
        refused = [
            f"{topic} ({reason})"
            for topic, reason in zip(self._settings.topics, reasons, strict=False)
            if reason.is_failure
        ]
        if refused:
            self._end(LinkRefused(f"the broker refused the subscription to {', '.join(refused)}"))
        elif not self._ready.done():
            self._ready.set_result(self._session_present)

    def _on_disconnect(
        self, _: Client, __: object, flags: DisconnectFlags, reason: ReasonCode, ___: Properties | None
    ) -> None:
        whose = "the broker ended the connection" if flags.is_disconnect_packet_from_server else "connection lost"
        self._end(LinkDown(f"{whose}: {reason}"))

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\N{REPLACEMENT CHARACTER}"
        self._inbox.append(Message(topic, bytes(message.payload), message.mid, message.dup, message.retain))

    def _tick(self) -> None:
        """Let paho look at its keep-alive, once a second."""
        if self._ended is None:
            self._client.loop_misc()
            self._write()
            self._timer = self._loop.call_later(1.0, self._tick)

    def _readable(self) -> None:
        client, gathering = self._client, self._client.gathering
        assert gathering is not None
        try:
            for _ in range(MESSAGES_A_TURN):
                if self._paused or self._ended is not None or not gathering.fill():
                    break
                client.loop_read()
            else:
                self._loop.call_soon(self._readable)
        except OSError as error:
            self._end(LinkDown(f"connection lost: {error}"))
        self._write()
        if self._inbox:
            self._arrived.set()

    def _write(self) -> None:
        """Hand paho's packets over and send what was gathered; come back when the kernel has room again."""
        gathering = self._client.gathering
        if self._ended is not None or gathering is None or self._fd < 0:
            return
        try:
            if self._client.want_write():
                self._client.loop_write()
            done = gathering.flush()
        except OSError as error:
            self._end(LinkDown(f"connection lost: {error}"))
            return
        if done == self._writing and self._ended is None:
            self._writing = not done
            if done:
                self._loop.remove_writer(self._fd)
            else:
                self._loop.add_writer(self._fd, self._write)

    def _end(self, error: LinkDown) -> None:
        if self._ended is not None:
            return
        self._ended = error
        if self._timer is not None:
            self._timer.cancel()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
        if self._client.gathering is not None:
            self._client.gathering.close()
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # looked at, so that nobody is told of a forgotten one when `open` was cancelled
        self._arrived.set()


def _nothing(*_: object) -> None:
    """Do nothing."""
