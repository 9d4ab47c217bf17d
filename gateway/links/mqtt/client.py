"""paho's client, made ready for one connection that the event loop drives: its socket, its secrets, its session."""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.errors import LinkRefused
from gateway.links.mqtt.buffered_socket import GatheringSocket

CONNECT_WITHIN = 5.0
"""Seconds for TCP, and again for TLS."""

MAX_PACKET = 4 * 1024 * 1024
"""Bytes of the longest packet that we take of an MQTT 5 broker: it might have 256 MiB, and a board has no more."""


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


class PahoClient(paho.Client):
    """paho on a `GatheringSocket`; it creates its socket in one place, and that place is replaced.

    Nothing in it reads, writes or connects again by itself; messages are acknowledged by hand.
    """

    gathering: GatheringSocket | None = None
    abandoned = False
    """Set while it connects in a thread and nobody waits for it any more."""

    def __init__(self, settings: MqttSettings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
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

    def secure(self) -> None:
        """Read password and certificates; raises `LinkRefused` where a file cannot be used."""
        settings = self._settings
        if settings.username is not None:
            password = None
            if settings.password_file is not None:
                try:
                    password = settings.password_file.read_text(encoding="utf-8").strip()
                except (OSError, UnicodeDecodeError) as error:
                    raise LinkRefused(f"password_file: {settings.password_file}: {error}") from error
            self.username_pw_set(settings.username, password)
        if settings.tls:
            try:
                self._context = ssl.create_default_context(cafile=settings.ca_file)
                if settings.certificate_file is not None:
                    self._context.load_cert_chain(settings.certificate_file, settings.key_file)
            except OSError as error:
                files = (settings.ca_file, settings.certificate_file, settings.key_file)
                named = ", ".join(str(file) for file in files if file is not None)
                raise LinkRefused(f"cannot be used for TLS: {named}: {error}") from error

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
        self.connect(settings.host, settings.port, max(1, round(settings.keepalive)), **options)

    @property
    def between_packets(self) -> bool:
        """Tell whether what comes next begins a packet, rather than going on with one that paho has begun."""
        return self._in_packet["command"] == 0

    def heard(self) -> None:
        """Take the broker for alive: paho looks for the answer to its ping only, and does not see what we read."""
        self._ping_t = 0.0
        self._last_bytes_received = paho.time_func()

    def _create_socket(self) -> GatheringSocket:
        created = socket.create_connection((self._host, self._port), timeout=CONNECT_WITHIN)
        # A network that is cut says nothing: without this the kernel goes on sending for a quarter of an hour.
        patience = max(1, round(self._settings.keepalive)) * 1000
        created.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
        # Acknowledgements are gathered by us; the broker waits for them.
        created.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            # paho's own way leaves the socket open where the handshake fails; this one closes it.
            created = self._context.wrap_socket(created, server_hostname=self._host)
        self.gathering = GatheringSocket(created)
        if self.abandoned:
            self.gathering.close()
        return self.gathering


def tls_problem(error: ssl.SSLError) -> str:
    """Return what OpenSSL says, without its source lines."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the broker's certificate is not trusted: {error.verify_message}"
    return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _nothing(*_: object) -> None:
    """Do nothing."""
