"""A WebSocket for MQTT: paho's framing, with what it leaves open mended.

A client masks everything that it sends (RFC 6455, 5.3): paho forgets that for its answers to pings and to the end,
and a strict server hangs up for it. It stops reading at such a frame although TLS may have more of them. And it
gathers a frame of any length that the other side announces.
"""

import socket

import paho.mqtt.client as paho

from gateway.mqtt.broker import BrokerSettings

MAX_FRAME = 16 * 1024 * 1024
"""Bytes of the longest frame that is taken: several messages of the greatest length."""


class WebSocket(paho._WebsocketWrapper):  # noqa: SLF001 -- as PahoClient does: bound to one minor version, names tested
    """Wraps a connected socket, plain or TLS, which it closes where the handshake fails; that blocks."""

    def __init__(self, connected: socket.socket, settings: BrokerSettings) -> None:
        try:
            super().__init__(connected, *settings.address, settings.tls, settings.websocket_path or "", None)
        except (OSError, ValueError):
            connected.close()
            raise

    def recv(self, length: int) -> bytes:
        """Return up to ``length`` bytes of what was framed; raises ``BlockingIOError`` when nothing has come."""
        while True:
            try:
                return self._recv_impl(length)
            except BlockingIOError:
                if not self.pending():
                    raise

    def _create_frame(self, opcode: int, data: bytearray, do_masking: int = 1) -> bytearray:
        del do_masking
        return super()._create_frame(opcode, data, 1)

    def _buffered_read(self, length: int) -> bytearray:
        if self._readbuffer_head + length > MAX_FRAME:
            raise ConnectionAbortedError  # paho takes it for the end of the connection
        return super()._buffered_read(length)
