"""A TCP line to a server of this machine that can be cut, slowed, or made to swallow what one side says."""

import asyncio
from contextlib import suppress
from typing import Self

_CHUNK = 65_536


class Wire:
    """``async with Wire() as wire``: a port on 127.0.0.1 that leads to ``target``, another port of it.

    A connection that has swallowed something cannot be healed, for bytes are missing in its middle: `cut` it.
    """

    def __init__(self) -> None:
        self.target = 0
        self.deaf = False
        """What clients say does not arrive."""
        self.mute = False
        """What the server says does not arrive."""
        self.pace: float | None = None
        """Bytes a second in each direction; None for as fast as it goes."""
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    @property
    def port(self) -> int:
        """Where clients find it."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Reset every connection there is; new ones work and are heard."""
        self.deaf = self.mute = False
        for end in list(self._ends):
            end.transport.abort()

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            to_client.transport.abort()
            return
        ends = {to_client, to_server}
        self._ends |= ends
        await asyncio.gather(
            self._carry(client, to_server, upwards=True), self._carry(server, to_client, upwards=False)
        )
        self._ends -= ends

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, upwards: bool) -> None:
        with suppress(OSError):  # cut; the other direction ends as well
            while data := await source.read(_CHUNK if self.pace is None else 512):
                if self.pace is not None:
                    await asyncio.sleep(len(data) / self.pace)
                if not (self.deaf if upwards else self.mute):
                    target.write(data)
                    await target.drain()
        target.close()
