"""A WebSocket before a broker of plain MQTT, as cloud brokers have it; strict as RFC 6455 asks of a server."""

import asyncio
import base64
import hashlib
import ssl
import struct
from contextlib import suppress
from typing import Self

from firmware_sim.patience import patience

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10


class WebSocketProxy:
    """``async with WebSocketProxy(port)``: connections at ``path`` reach the broker at ``port``.

    Each piece of what the broker says goes out in frames of at most ``frame`` bytes, a ping before each where
    ``pings`` is set. ``unmasked`` counts the frames of clients that broke the rule of masking.
    """

    def __init__(
        self,
        broker_port: int,
        *,
        path: str = "/mqtt",
        frame: int = 1000,
        pings: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.port = 0
        self.unmasked = 0
        self.pongs = 0
        self.asked: list[str] = []
        self._broker_port = broker_port
        self._path = path
        self._frame = frame
        self._pings = pings
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(patience()):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.asked.append(request)
        if request != f"GET {self._path} HTTP/1.1" or headers.get("sec-websocket-protocol") != "mqtt":
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: "
            + accept(headers["sec-websocket-key"])
            + b"\r\n\r\n"
        )
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._broker_port)
        try:
            async with asyncio.TaskGroup() as tasks:
                down = tasks.create_task(self._down(from_broker, writer))
                await self._up(reader, to_broker)
                down.cancel()
        except* (ConnectionError, asyncio.IncompleteReadError):
            pass  # one side went away, and the other goes with it
        finally:
            to_broker.transport.abort()

    async def _down(self, broker: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await broker.read(65536):
            pieces = [data[at : at + self._frame] for at in range(0, len(data), self._frame)]
            sent = bytearray()
            for piece in pieces:
                if self._pings:
                    sent += _frame(PING, b"alive?")
                sent += _frame(BINARY, piece)
            client.write(sent)  # one TLS record may hold many frames
            await client.drain()
        client.write(_frame(CLOSE, struct.pack("!H", 1001)))
        await client.drain()
        raise ConnectionResetError

    async def _up(self, client: asyncio.StreamReader, broker: asyncio.StreamWriter) -> None:
        while True:
            first, second = await client.readexactly(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(await client.readexactly(2 if size == 126 else 8), "big")
            if not second & 0x80:
                self.unmasked += 1
                return
            mask = await client.readexactly(4)
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await client.readexactly(size)))
            self.pongs += first & 15 == PONG
            if first & 15 == CLOSE:
                return
            if first & 15 in (CONTINUATION, BINARY):
                broker.write(data)
                await broker.drain()


def accept(key: str) -> bytes:
    """Return the proof that a server has read the client's key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest())  # noqa: S324 -- the RFC's choice


def _frame(kind: int, data: bytes) -> bytes:
    size = len(data)
    length = bytes((size,)) if size < 126 else struct.pack("!BH", 126, size)
    return bytes((0x80 | kind,)) + length + data
