"""A serial server: a twin, or a bus of them, behind a TCP port; its bytes as they are, or Modbus TCP.

One client has the line at a time, as most servers have it: a second one is sent away, or takes the line over. Bytes
that went out are taken for heard; what is sent while no client is there is lost.

Modbus TCP is ``transaction(2) 0000 length(2) unit function ..``, without the check; a gateway puts the question on
its line, and answers for units that do not with the refusal 0B.

Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Literal, Self

from firmware_sim.parts.modbus import crc
from firmware_sim.parts.twin import Frame, SerialTwin

NO_ANSWER = 0x0B
_LOOK = 0.02
"""Seconds between two looks at what the twin says by itself."""


class SerialServer:
    """``async with SerialServer(twin)``: the twin lives behind ``port`` of 127.0.0.1, and comes back at the same."""

    def __init__(
        self,
        twin: SerialTwin,
        framing: Literal["raw", "modbus"] = "raw",
        *,
        rate: float = 1.0,
        takes_over: bool = True,
    ) -> None:
        self.twin = twin
        self.port = 0
        self.connections = 0
        self.mute = False
        """Set to take questions and answer none, as a server whose line is cut."""
        self._framing = framing
        self._rate = rate
        self._takes_over = takes_over
        self._client: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._born = 0.0

    async def __aenter__(self) -> Self:
        self._born = asyncio.get_running_loop().time()
        await self.plug()
        self._tasks.add(asyncio.create_task(self._live()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.unplug()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def plug(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def unplug(self) -> None:
        """Stop as a server does that loses power: no end is said in good order."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()

    def drop(self) -> None:
        """End the client's connection, in the middle of whatever was said."""
        if self._client is not None:
            self._client.transport.abort()
            self._client = None

    def say(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self._client is not None and not self._client.is_closing():
            self._client.write(data)

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        if self._client is not None and not self._takes_over:
            writer.close()
            return
        self.drop()
        self._client = writer
        with suppress(OSError, asyncio.IncompleteReadError):
            await (self._hear_modbus if self._framing == "modbus" else self._hear)(reader)
        if self._client is writer:
            self._client = None
        writer.transport.abort()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(4096):
            if not self.mute:
                self._send(self.twin.receive(data, self._now()))

    async def _hear_modbus(self, reader: asyncio.StreamReader) -> None:
        while True:
            head = await reader.readexactly(6)
            body = await reader.readexactly(int.from_bytes(head[4:], "big"))
            if self.mute:
                continue
            frames = self.twin.receive(body + crc(body), self._now())
            for frame in frames:
                self._send([Frame(_framed(head, frame.data[:-2]), frame.heard)])
            if not frames:
                self._send([Frame(_framed(head, bytes((body[0], body[1] | 0x80, NO_ANSWER))))])

    async def _live(self) -> None:
        while True:
            self._send(self.twin.tick(self._now()))
            await asyncio.sleep(_LOOK)

    def _send(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            there = self._client is not None and not self._client.is_closing()
            if there:
                self.say(frame.data)
            if frame.heard:
                frame.heard(there)

    def _now(self) -> float:
        return (asyncio.get_running_loop().time() - self._born) * self._rate


def _framed(head: bytes, body: bytes) -> bytes:
    return head[:4] + len(body).to_bytes(2, "big") + body
