"""A page that is asked for its values: what a sensor on the network shows, or an operator's server.

``body`` is what it shows. With ``versioned`` it tells a version (ETag and Last-Modified) and answers 304 to whoever
has it already. ``status`` and ``headers`` are for everything that can go wrong.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import web


class HttpPage:
    """The page, on 127.0.0.1; ``async with`` starts and stops it."""

    def __init__(self, body: bytes = b"{}", *, versioned: bool = False) -> None:
        self.body = body
        self.versioned = versioned
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hangs = False
        self.port = 0
        self.requests: list[Mapping[str, str]] = []
        """The headers of each request, by their names in lower case; ``:path`` is its path with the query."""
        self.statuses: list[int] = []
        """What was answered."""
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/{any:.*}", self._show)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _show(self, request: web.Request) -> web.Response:
        self.requests.append({":path": request.path_qs, **{k.lower(): v for k, v in request.headers.items()}})
        if self.hangs:
            await asyncio.Event().wait()
        headers = dict(self.headers)
        status = self.status
        if self.versioned and status == 200:
            headers["ETag"] = f'"{hashlib.blake2b(self.body, digest_size=8).hexdigest()}"'
            headers["Last-Modified"] = "Fri, 22 Nov 2024 13:20:00 GMT"
            if request.headers.get("If-None-Match") == headers["ETag"]:
                status = 304
        self.statuses.append(status)
        return web.Response(status=status, body=self.body if status == 200 else b"", headers=headers)
