"""paho's client for one connection that the event loop drives: its socket, its credentials, its session."""

import socket
import ssl
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.links.mqtt.buffered_socket import GatheringSocket, SocketLike
from gateway.links.mqtt.settings import MqttSettings

CONNECT_WITHIN = 5.0
"""Seconds for TCP, and again for TLS."""

MAX_PACKET = 4 * 1024 * 1024
"""Bytes of the longest packet that we take of an MQTT 5 broker: it might have 256 MiB, and a board has no more."""


class PahoClient(paho.Client):
    """paho on a `GatheringSocket`; it creates its socket in one place, and that place is replaced.

    Nothing in it reads, writes or connects again by itself; messages are acknowledged by hand.
    """

    gathering: GatheringSocket | None = None
    abandoned = False
    """Set once `Connection.open` was cancelled while it connects in a thread."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self.context: ssl.SSLContext | None = None
        """How the connection is encrypted, once the credentials are loaded; None where it is not."""
        self.v5 = settings.protocol == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if self.v5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if self.v5 else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        # Set so that paho leaves writing to us; when to write we decide ourselves, once a batch.
        self.on_socket_register_write = _nothing

    def load_credentials(self) -> None:
        """Read password and certificates; raises `LinkRefused` where a file cannot be used."""
        credentials = self._settings.load_credentials()
        if credentials.username is not None:
            self.username_pw_set(credentials.username, credentials.password)
        self.context = credentials.tls

    def connect_once(self) -> None:
        """Connect and queue CONNECT for a session that lasts; blocks, so call it in a thread. Raises ``OSError``."""
        settings = self._settings
        options: dict[str, Any] = {}
        if self.v5:
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = min(int(settings.session_expiry), 0xFFFFFFFF)
            properties.ReceiveMaximum = settings.receive_maximum
            properties.MaximumPacketSize = MAX_PACKET
            options = {"clean_start": False, "properties": properties}
        self.connect(*settings.address, settings.keepalive_seconds, **options)

    @property
    def between_packets(self) -> bool:
        """Tell whether what comes next begins a packet, rather than going on with one that paho has begun."""
        return self._in_packet["command"] == 0

    def heard(self) -> None:
        """Take the broker for alive: paho looks for the answer to its ping only, and does not see what we read."""
        self._ping_t = 0.0
        self._last_bytes_received = paho.time_func()

    def _create_socket(self) -> GatheringSocket:
        address = self._settings.address
        created = socket.create_connection(address, timeout=CONNECT_WITHIN)
        # A network that is cut says nothing: without this the kernel goes on sending for a quarter of an hour.
        patience = self._settings.keepalive_seconds * 1000
        created.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
        # Acknowledgements are gathered by us; the broker waits for them.
        created.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.context is not None:
            # paho's own way leaves the socket open where the handshake fails; this one closes it.
            created = self.context.wrap_socket(created, server_hostname=address[0])
        framed: SocketLike | None = None
        if self._settings.websocket_path is not None:
            from gateway.mqtt.websocket import WebSocket  # noqa: PLC0415 -- few brokers are reached that way

            framed = WebSocket(created, self._settings)
        self.gathering = GatheringSocket(created, framed)
        if self.abandoned:
            self.gathering.close()
        return self.gathering


def _nothing(*_: object) -> None:
    """Do nothing."""
