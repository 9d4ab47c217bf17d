"""An HTTP server for endpoints that answer once a message is safe; several share one address, told apart by path.

What a stranger can take is bounded (`ServerBounds`): connections, the bytes of all bodies together, and the time for
a head, for a body, and between requests. An answer that does not come in time is 503 with Retry-After, and so is a
request beyond the bounds. Headers are bounded by aiohttp (8 KiB each).
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from aiohttp import web

from gateway.clock import Clock
from gateway.credentials import server_tls_context
from gateway.errors import CredentialsError, LinkDown, LinkRefused
from gateway.links.http.encodings import TooLarge, UnknownEncoding, decoded
from gateway.links.http.exchange import Answer, Endpoint, Exchange, Request, ServerBounds
from gateway.links.http.settings import ListenSettings

CHUNK = 65_536
RETRY_AFTER = "5"
"""Seconds that a sender is asked to wait."""

_LOOK = 1.0  # seconds between looks at connections that say nothing
_COMMON = {"Server": "prehod", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def busy(why: str) -> Answer:
    """Return the answer that asks to send the same again later."""
    return Answer(503, f"{why}: send it again later", {"Retry-After": RETRY_AFTER})


class HttpServer:
    """One address to listen on; `serve` has it listen as long as any endpoint is served there."""

    def __init__(self, settings: ListenSettings, clock: Clock, limits: ServerBounds | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._limits = limits or ServerBounds()
        self._endpoints: dict[str, Endpoint] = {}
        self._starting = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._web: web.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._heard: dict[object, float] = {}
        self._busy: set[object] = set()
        self._open_bodies = 0
        self._exchanges: set[asyncio.Task[object]] = set()

    async def serve(self, path: str, endpoint: Endpoint, went_up: Callable[[], None]) -> None:
        """Serve an endpoint at ``path`` and below it until cancelled; raises `LinkDown` and `LinkRefused`."""
        self._endpoints[path] = endpoint
        try:
            async with self._starting:
                if self._server is None:
                    await self._start()
            went_up()
            await asyncio.Event().wait()
        finally:
            endpoint.leave()
            del self._endpoints[path]
            if not self._endpoints and self._server is not None:
                await self._stop()

    async def _start(self) -> None:
        settings = self._settings
        tls = self._tls()
        self._web = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._limits.idle_time,
            lingering_time=self._limits.lingering_time,
        )
        host, port = settings.address
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._accept, host, port, ssl=tls, ssl_handshake_timeout=self._limits.head_time if tls else None
            )
        except OSError as error:
            raise LinkDown(f"{settings.listen}: {error.strerror or error}") from error
        self._sweeper = asyncio.create_task(self._sweep())

    def _tls(self) -> ssl.SSLContext | None:
        settings = self._settings
        if settings.certificate_file is None:
            return None
        try:
            return server_tls_context(settings.certificate_file, settings.key_file)
        except CredentialsError as error:
            raise LinkRefused(f"{settings.listen}: {error}") from error

    async def _stop(self) -> None:
        """Listen no more, give what is under way a moment, and close."""
        assert self._server is not None
        assert self._web is not None
        assert self._sweeper is not None
        self._server.close()
        self._sweeper.cancel()
        if self._exchanges:
            await asyncio.wait(self._exchanges, timeout=self._limits.last_time)
        await self._web.shutdown(0.1)
        self._server = self._web = self._sweeper = None
        self._heard.clear()

    def _accept(self) -> asyncio.Protocol:
        assert self._web is not None
        if len(self._web.connections) >= self._limits.connections:
            return _RefusedConnection()
        return self._web()

    async def _sweep(self) -> None:
        """Close connections that say nothing: half a request, or none."""
        while True:
            await self._clock.sleep(_LOOK)
            assert self._web is not None
            now = self._clock.monotonic()
            here = self._web.connections
            self._heard = {one: self._heard.get(one, now) for one in here}
            for one in here:
                quiet = now - self._heard[one]
                if one not in self._busy and quiet > self._limits.head_time and one.transport is not None:
                    one.transport.abort()

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        task: asyncio.Task[object] | None = asyncio.current_task()
        assert task is not None
        self._busy.add(raw.protocol)
        watched = asyncio.ensure_future(self._converse(raw))
        self._exchanges.add(watched)
        try:
            return await watched
        finally:
            self._exchanges.discard(watched)
            self._busy.discard(raw.protocol)
            # An idle connection may rest longer than one that never asked: see `ServerBounds`.
            self._heard[raw.protocol] = self._clock.monotonic() + self._limits.idle_time - self._limits.head_time

    async def _converse(self, raw: web.BaseRequest) -> web.StreamResponse:
        url = raw.rel_url
        headers = {name.lower(): value for name, value in raw.headers.items()}
        request = Request(raw.method, url.path, url.raw_query_string, headers)
        endpoint = self._endpoint(request.path)
        if endpoint is None:
            return await _write(raw, Answer(404, "no source has this path"), close=raw.can_read_body)
        if (refused := endpoint.admit(request)) is not None:
            endpoint.note_answer(refused.status)
            return await _write(raw, refused, close=raw.can_read_body)
        body = await self._body(raw, endpoint.max_body)
        if isinstance(body, Answer):
            endpoint.note_answer(body.status)
            return await _write(raw, body, close=True)
        request.body = body
        return await self._exchange(raw, request, endpoint)

    async def _exchange(self, raw: web.BaseRequest, request: Request, endpoint: Endpoint) -> web.StreamResponse:
        answering: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answered(answer: Answer) -> None:
            if not answering.done():
                answering.set_result(answer)

        exchange = Exchange(request, answered, lambda: raw.transport is not None and not raw.transport.is_closing())
        delivered = False
        try:
            endpoint.receive(exchange)
            try:
                async with asyncio.timeout(self._limits.answer_time):
                    answer = await answering
            except TimeoutError:
                endpoint.note_answer(503)
                return await _write(raw, busy("it is not on the disk yet"))
            endpoint.note_answer(answer.status)
            response = await _write(raw, answer)
            delivered = exchange.is_open
            return response
        finally:
            if exchange.on_end is not None:
                exchange.on_end(delivered)

    def _endpoint(self, path: str) -> Endpoint | None:
        """Return the endpoint with the longest path that this one is at or below."""
        fitting = [
            known
            for known in self._endpoints
            # Some stations add their values to the path as it was typed in: /path&tempf=...
            if known in {"/", path} or path.startswith((f"{known}/", f"{known}&"))
        ]
        return self._endpoints[max(fitting, key=len)] if fitting else None

    async def _body(self, raw: web.BaseRequest, longest: int) -> bytes | Answer:
        """Return a body as it was before it was packed; or why not."""
        if not raw.can_read_body:
            return b""
        length = raw.content_length
        if raw.content_type.startswith("multipart/"):
            return Answer(415, f"{raw.content_type} is not read here: send the message itself")
        if length is not None and length > longest:
            return Answer(413, f"{length} bytes, {longest} allowed")
        with self._reserved(longest if length is None else length) as reserved:
            return await self._read(raw, longest) if reserved else busy("too much is coming in at once")

    async def _read(self, raw: web.BaseRequest, longest: int) -> bytes | Answer:
        status = 400
        if raw.headers.get("Expect", "").lower() == "100-continue":
            await raw.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(self._limits.body_time):
                body = await _bounded(raw, longest)
            return decoded(body, raw.headers.get("Content-Encoding", ""), longest)
        except TimeoutError:
            status, words = 408, f"the body did not come within {self._limits.body_time:g} s"
        except TooLarge as error:
            status, words = 413, str(error)
        except UnknownEncoding as error:
            status, words = 415, str(error)
        except (ValueError, web.RequestPayloadError) as error:
            words = str(error)
        return Answer(status, words)

    @contextmanager
    def _reserved(self, count: int) -> Iterator[bool]:
        """Set room for a body aside; yields whether there is any."""
        fits = self._open_bodies + count <= self._limits.body_bytes
        self._open_bodies += count if fits else 0
        try:
            yield fits
        finally:
            self._open_bodies -= count if fits else 0


class _RefusedConnection(asyncio.Protocol):
    """A connection beyond the bound: closed at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


async def _bounded(raw: web.BaseRequest, longest: int) -> bytes:
    body = bytearray()
    async for chunk in raw.content.iter_chunked(CHUNK):
        body += chunk
        if len(body) > longest:
            raise TooLarge(f"more than the {longest} bytes allowed")
    return bytes(body)


async def _write(raw: web.BaseRequest, answer: Answer, *, close: bool = False) -> web.StreamResponse:
    """Write the answer now, so that it is known whether it went out."""
    text = f"{answer.text}\n" if answer.text else ""
    response = web.Response(
        status=answer.status,
        text=text if answer.status != 204 else None,
        content_type=answer.content_type if answer.status != 204 else None,
        headers={**_COMMON, **answer.headers},
    )
    if close:
        response.force_close()
    with suppress(ConnectionError):  # the sender has left; whoever asks sees that the transport is closed
        await response.prepare(raw)
        await response.write_eof()
    return response
