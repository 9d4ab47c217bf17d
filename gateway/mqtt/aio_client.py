"""aiomqtt's client for a broker as the configuration names it: for what publishes, and for who watches."""

import socket
from typing import Any

import aiomqtt

from gateway.mqtt.broker import BrokerSettings, Credentials
from gateway.mqtt.websocket import WebSocket

CONNECT_WITHIN = 5.0
"""Seconds for TCP, for TLS, and for each answer of a WebSocket's server."""


class BrokerClient(aiomqtt.Client):
    """Reaches the broker plainly, by TLS or by a WebSocket, as its url says."""

    def __init__(self, settings: BrokerSettings, credentials: Credentials, **more: Any) -> None:  # noqa: ANN401 -- aiomqtt's
        self._settings = settings
        self._tls = credentials.tls
        host, port = settings.address
        super().__init__(
            host,
            port,
            username=credentials.username,
            password=credentials.password,
            tls_context=credentials.tls,
            **more,
        )
        if settings.websocket_path is not None:
            # The one place in which paho makes its socket: its own WebSocket has faults, see `WebSocket`.
            self._client._create_socket = self._open_websocket  # type: ignore[method-assign] # noqa: SLF001 -- the name is tested

    def _open_websocket(self) -> WebSocket:
        address = self._settings.address
        opened = socket.create_connection(address, timeout=CONNECT_WITHIN)
        if self._tls is not None:
            opened = self._tls.wrap_socket(opened, server_hostname=address[0])
        return WebSocket(opened, self._settings)
