"""An HTTP client that asks one address again and again: for what is new there, within bounds.

Redirects are not followed: where the server has moved, a person corrects the url. The query of a url may hold a key,
so that no message shows it.
"""

import base64
import ssl
from typing import NamedTuple

import aiohttp

from gateway.clock import Clock
from gateway.credentials import read_secret, tls_context
from gateway.errors import CredentialsError, LinkDown, LinkRefused
from gateway.http.answers import retry_after, why_not_connected
from gateway.http.proxy import proxy_for, without_credentials
from gateway.links.http.encodings import decoded
from gateway.links.http.settings import AskSettings


class Page(NamedTuple):
    """What an address says now; ``version`` are the headers that ask whether it is still the same."""

    body: bytes
    version: dict[str, str]


class HttpClient:
    """A connection to one address; secrets are read when it is made. Raises `LinkRefused` for one that cannot be."""

    def __init__(self, settings: AskSettings, max_body: int, clock: Clock) -> None:
        self._settings = settings
        self._max_body = max_body
        self._clock = clock
        try:
            self._headers = _headers(settings)
            tls: ssl.SSLContext | bool = tls_context(settings.ca_file) if settings.url.startswith("https:") else True
        except CredentialsError as error:
            raise LinkRefused(f"{settings.where}: {error}") from error
        self._proxy = proxy_for(settings.url, settings.proxy)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, ssl=tls),
            timeout=aiohttp.ClientTimeout(total=settings.timeout),
            auto_decompress=False,
        )

    async def get(self, version: dict[str, str]) -> Page | None:
        """Return what the address says; None where that is still of this ``version``, or nothing at all.

        Raises `LinkDown`, and `LinkRefused` where a person has to change something.
        """
        where = self._settings.where
        try:
            async with self._session.get(
                self._settings.url,
                headers={**self._headers, **version},
                allow_redirects=False,
                proxy=self._proxy,
            ) as answer:
                return await self._read(answer)
        except TimeoutError:
            raise LinkDown(f"{where}: no answer within {self._settings.timeout:g} s") from None
        except aiohttp.ClientHttpProxyError as error:
            words = "refuses our name or password" if error.status == 407 else "lets us not through"
            proxy = without_credentials(self._proxy or "")
            raise LinkDown(f"{where}: {error.status}, the HTTP proxy {proxy} {words}") from error
        except aiohttp.ClientConnectorError as error:
            raise LinkDown(f"{where}: {why_not_connected(error)}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise LinkDown(f"{where}: {type(error).__name__}, not an answer of HTTP's") from error

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _read(self, answer: aiohttp.ClientResponse) -> Page | None:
        if answer.status in {204, 304}:
            return None
        if answer.status != 200:
            raise self._explain(answer)
        body = await self._bounded(answer)
        headers = answer.headers
        version = {}
        if etag := headers.get("ETag"):
            version["If-None-Match"] = etag
        if modified := headers.get("Last-Modified"):
            version["If-Modified-Since"] = modified
        return Page(body, version)

    async def _bounded(self, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > self._max_body:
                raise LinkDown(f"{self._settings.where}: more than the {self._max_body} bytes that its driver reads")
        try:
            return decoded(bytes(body), answer.headers.get("Content-Encoding", ""), self._max_body)
        except ValueError as error:
            raise LinkDown(f"{self._settings.where}: {error}") from error

    def _explain(self, answer: aiohttp.ClientResponse) -> LinkDown:
        """Return what an answer that is no page means."""
        status, where = answer.status, self._settings.where
        match status:
            case 401 | 403:
                return LinkRefused(f"{where}: {status}, it refuses our token or password")
            case 404 | 410:
                return LinkRefused(f"{where}: {status}, there is no such page: correct the url")
            case 407:
                return LinkRefused(f"{where}: 407, the HTTP proxy refuses our name or password")
            case _ if 300 <= status < 400:
                moved = without_credentials(answer.headers.get("Location", "elsewhere")).partition("?")[0]
                return LinkRefused(f"{where}: {status}, it sends us to {moved[:200]}: correct the url")
        wait = retry_after(answer.headers, self._clock.wall() / 1e9) or 0.0
        return LinkDown(f"{where}: {status} {answer.reason or ''}".rstrip(), wait=wait)


def _headers(settings: AskSettings) -> dict[str, str]:
    headers = {"Accept-Encoding": "gzip, deflate", "User-Agent": "prehod", **settings.headers}
    if settings.token_file is not None:
        headers[settings.token_header] = settings.token_prefix + read_secret("token_file", settings.token_file)
    if settings.username is not None:
        password = read_secret("password_file", settings.password_file) if settings.password_file else ""
        headers["Authorization"] = "Basic " + base64.b64encode(f"{settings.username}:{password}".encode()).decode()
    return headers
