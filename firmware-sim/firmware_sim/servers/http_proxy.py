"""A forward HTTP proxy, as a site's firewall has one: requests with a whole URL, and CONNECT for TLS.

It may ask for a name and a password (407), and it knows names that nobody else does: ``names`` says where they lead.
"""

import asyncio
import base64
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 65_536
_WHO_ARE_YOU = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class HttpProxy:
    """The proxy, on 127.0.0.1; ``async with`` starts and stops it. ``login`` is ``name:password``."""

    def __init__(self, login: str | None = None, names: Mapping[str, tuple[str, int]] | None = None) -> None:
        self.port = 0
        self.requests: list[str] = []
        """The first line of each request that was let through."""
        self.refused = 0
        """Requests without the right name and password."""
        self._login = login
        self._names = dict(names or {})
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._handle(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # either side left
        finally:
            writer.close()
            self._open.discard(task)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        if not self._is_let_in(head[1:]):
            self.refused += 1
            writer.write(_WHO_ARE_YOU)
            await writer.drain()
            return
        self.requests.append(head[0])
        method, target, version = head[0].split(" ")
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        address = self._names.get(parts.hostname or "", (parts.hostname or "", parts.port or 80))
        onward, back = await asyncio.open_connection(*address)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            kept = [line for line in head[1:-2] if not line.lower().startswith(("proxy-", "connection:"))]
            onward_head = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
            back.write("\r\n".join(onward_head).encode("latin-1"))
        try:
            await asyncio.gather(_pass_on(reader, back), _pass_on(onward, writer, last=True))
        finally:
            back.close()

    def _is_let_in(self, headers: list[str]) -> bool:
        if self._login is None:
            return True
        wanted = "Basic " + base64.b64encode(self._login.encode()).decode()
        return f"proxy-authorization: {wanted.lower()}" in [line.lower() for line in headers]


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, last: bool = False) -> None:
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
    if last:
        sink.close()
