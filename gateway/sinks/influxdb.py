"""InfluxDB, and what speaks like it: one request, its answer in our own words. No retries here.

The body is a gzip member as it stands on disk, so it goes out as it is; influxdb-client's ``enable_gzip`` would
compress it a second time and stays off. Redirects are not followed: a POST turned GET would answer 200 and store
nothing.

=====================  ==============================================================
204                    stored
other 2xx              `SinkBlocked`: a captive portal, a proxy's page; no database says it so
400, 422               `BatchRefused`, with the server's words; but `SinkBlocked` where those are not about lines
                       ("database is required") or not in JSON (some proxy's): no reason to quarantine readings
500                    `BatchRefused` where the words are about lines: InfluxDB 2.0 says so of points beyond the
                       retention and of conflicts; `SinkBlocked` where InfluxDB 1.x does not know the retention
                       policy; else `SinkAway`
401, 403, 404, 3xx     `SinkBlocked`: our token, organisation, bucket or address is wrong
407                    `SinkBlocked`: the HTTP proxy refuses our name or password
413                    `BatchTooLarge`
429, 5xx, no answer    `SinkAway`, with Retry-After in seconds or as a date
=====================  ==============================================================

InfluxDB 3 names the lines that it refuses, by their number, and stores the others: `BatchRefused.lines`. What the
words of an answer do not tell, the courier finds out: see `gateway.delivery.suspicion`.

Source: the InfluxDB API references: 3 (``/api/v3/write_lp``), 2.x (``/api/v2/write``) and 1.x (``/write``).
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

from gateway.clock import Clock
from gateway.credentials import read_secret, tls_context
from gateway.errors import (
    BatchRefused,
    BatchTooLarge,
    CredentialsError,
    RefusedLine,
    SinkAway,
    SinkBlocked,
    SinkSlow,
)
from gateway.http.answers import retry_after, why_not_connected
from gateway.http.proxy import proxy_for, without_credentials
from gateway.sinks.influxdb_api import ApiClientAsync, ApiException, make_client
from gateway.sinks.settings import InfluxSettings

Parameters = list[tuple[str, str]]

_ABOUT_LINES = re.compile(
    r"partial write|\bpars(e|ing)\b|\b(line|point|field|tag|serie|timestamp|value)s?\b|conflict|beyond retention"
)
_ABOUT_LINES_FOR_SURE = re.compile(r"partial write|field type conflict|beyond retention|unable to parse")
"""A 500 is about lines where it says so: "unexpected error writing points to database: timeout" is not."""

_DATABASE_WANTED = re.compile(r"\b(db|database)\b.*\b(missing|required|specified)\b", re.IGNORECASE)
_ORGANISATION_WANTED = re.compile(r"\borg(ID|anization)?\b")

_MEANT_FOR_ALL = {408, 425, 429, 502, 503, 504}
"""Answers that are never about one batch: the server is busy, or a proxy did not reach it."""


class InfluxSink:
    """A connection to one database.

    Secrets are read at the first request and again after a refusal, so that they can be changed.
    """

    def __init__(self, settings: InfluxSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client: ApiClientAsync | None = None
        self._password: str | None = None
        self._token: str | None = None
        self._proxy: str | None = None

    @property
    def url(self) -> str:
        """The address in the configuration."""
        return self._settings.url

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        """Store a gzip body of line protocol with times in nanoseconds.

        A body ``in_doubt`` goes out like any other: a point that is written again overwrites itself.
        """
        del in_doubt
        url = self._settings.url
        try:
            await self._post(self._client or self._open(), body)
        except ApiException as error:
            await self._explain(error)
        except TimeoutError:
            raise SinkSlow(f"{url}: no answer within {self._settings.timeout:g} s") from None
        except aiohttp.ClientProxyConnectionError as error:
            raise SinkAway(f"{url}: the HTTP proxy {self._shown_proxy()} cannot be reached: {error}") from error
        except aiohttp.ClientHttpProxyError as error:
            await self.close()
            if error.status == 407:
                raise SinkBlocked(self._proxy_refuses()) from error
            words = f"the HTTP proxy {self._shown_proxy()} lets us not through: {error.status} {error.message}"
            raise SinkAway(f"{url}: {words}") from error
        except aiohttp.ClientConnectorError as error:
            raise SinkAway(f"{url}: {why_not_connected(error)}") from error
        except aiohttp.ClientError as error:
            raise SinkAway(f"{url}: {without_credentials(str(error))}", in_doubt=True) from error

    def get(self, url: str, parameters: Parameters) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Ask the same server for a page, signed in as for a write, over the same connection."""
        session: aiohttp.ClientSession = (self._client or self._open()).rest_client.pool_manager
        headers = self._headers()
        return session.get(url, params=parameters, headers=headers, allow_redirects=False, proxy=self._proxy)

    def _headers(self) -> dict[str, str]:
        """Return the headers that tell who we are, as they go with every request."""
        settings = self._settings
        headers = dict(settings.headers)
        if settings.username is not None:
            pair = f"{settings.username}:{self._password or ''}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        if self._token:
            scheme = "Bearer" if settings.api == "v3" else "Token"
            headers["Authorization" if settings.username is None else settings.token_header] = (
                f"{scheme} {self._token}"
            )
        return headers

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _open(self) -> ApiClientAsync:
        settings = self._settings
        try:
            # No header can begin or end in a space.
            self._token = read_secret("token_file", settings.token_file).strip() if settings.token_file else None
            self._password = read_secret("password_file", settings.password_file) if settings.password_file else None
            context = tls_context(settings.ca_file)
        except CredentialsError as error:
            raise SinkBlocked(f"{settings.url}: {error}") from error
        self._proxy = proxy_for(settings.url, settings.proxy)
        self._client = make_client(settings.url, settings.timeout, context, self._proxy)
        return self._client

    async def _post(self, client: ApiClientAsync, body: bytes) -> None:
        path, query = _address(self._settings)
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8", **self._headers()}
        answer = await client.call_api(
            path, "POST", {}, query, headers, body=body, response_type=None, _return_http_data_only=False
        )
        self._must_be_stored(answer)

    def _must_be_stored(self, answer: tuple[object, int, object]) -> None:
        """Look at what influxdb-client gives for a success: body, status, headers."""
        status = answer[1]
        if status != 204:
            words = f"{self._settings.url}: {status} where a database answers 204; is this its address?"
            raise SinkBlocked(words, answered=True)

    async def _explain(self, error: ApiException) -> None:
        """Turn an answer that is no success into one of our errors."""
        status = int(error.status or 0)
        url = self._settings.url
        answer = _Answer(error.body)
        match status:
            case 400 | 422 if answer.is_json and (status == 422 or answer.is_about_lines):
                raise BatchRefused(f"{status}: {answer.words}", answer.lines) from None
            case 500 if answer.is_json and _ABOUT_LINES_FOR_SURE.search(answer.words):
                raise BatchRefused(f"{status}: {answer.words}", answer.lines) from None
            case 413:
                raise BatchTooLarge(f"{status}: {answer.words}") from None
            case 401 | 403:
                await self.close()
        if status == 407:
            raise SinkBlocked(self._proxy_refuses()) from None
        if blocked := _why_blocked(status, answer, self._settings, error.headers):
            raise SinkBlocked(f"{url}: {blocked}", answered=True) from None
        wait = retry_after(error.headers, self._clock.wall() / 1e9)
        raise SinkAway(
            f"{url}: {status}: {answer.words}",
            wait,
            in_doubt=status in {500, 502, 504},
            answered=status not in _MEANT_FOR_ALL,
        ) from None

    def _shown_proxy(self) -> str:
        return without_credentials(self._proxy or "")

    def _proxy_refuses(self) -> str:
        return f"{self._settings.url}: 407, the HTTP proxy {self._shown_proxy()} refuses our name or password"


class _Answer:
    """What a server says of a request that it did not take."""

    def __init__(self, body: Any) -> None:  # noqa: ANN401 -- influxdb-client leaves it untyped
        text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        self.is_json = isinstance(answer, dict)
        """Whether it came as JSON rather than as text."""
        self.lines: tuple[RefusedLine, ...] = ()
        if isinstance(answer, dict):
            text = str(answer.get("message") or answer.get("error") or text)
            found = answer.get("data")
            self.lines = tuple(_refused_lines(found if isinstance(found, list) else [found]))
            if self.lines and self.lines[0].words not in text:
                text = f"{text}: {self.lines[0].words}"
        self.words = " ".join(text.split())[:500] or "no words"
        """The server's message on one line."""

    @property
    def is_about_lines(self) -> bool:
        """Whether lines are to blame, and not names or settings."""
        return bool(self.lines or _ABOUT_LINES.search(self.words))


def _why_blocked(status: int, answer: _Answer, settings: InfluxSettings, headers: Any) -> str:  # noqa: ANN401 -- influxdb-client leaves it untyped
    """Return what a person has to change, "" where the server may take the same later."""
    words, api = answer.words, settings.api
    why = ""
    match status:
        case 400 | 422:
            why = "and not because of a reading" if answer.is_json else "and not in a database's words"
            why = f"{status}, {why}; are address and names right? {words}{_remedy(words, api)}"
        case 500 if "retention policy not found" in words:
            why = words
        case 401 | 403:
            why = f"{status}, the database refuses our token or password: {words}"
            if settings.username is None and _asks_for_a_password(headers):
                why += "; it asks for a name and a password: set username and password_file"
        case 404:
            why = f"404, no such organisation, bucket or database: {words}{_remedy(words, api)}"
            if words.startswith("<"):
                why = f"404, and not in a database's words: {words}; is the path in the url right?"
        case _ if 300 <= status < 400:
            where = dict(headers or {}).get("Location", "elsewhere")
            why = f"{status}, the server sends us to {where}: correct the url"
    return why


def _asks_for_a_password(headers: Any) -> bool:  # noqa: ANN401 -- influxdb-client leaves it untyped
    """Tell whether a server, or a proxy before it, wants basic authentication (RFC 7617)."""
    said = {name.lower(): value for name, value in dict(headers or {}).items()}
    return str(said.get("www-authenticate", "")).lower().startswith("basic")


def _remedy(words: str, api: str) -> str:
    """Return what to set where a server misses a name that another of its APIs does not ask for."""
    if api == "v3" and "not found" in words.lower() and "database" not in words.lower():
        return "; is this InfluxDB 3? InfluxDB 2 takes api = 'v2' with org and bucket"
    if api == "v2" and _DATABASE_WANTED.search(words):
        return "; name it with database, and api = 'v3' for InfluxDB 3 or 'v1' for InfluxDB 1"
    if api != "v2" and _ORGANISATION_WANTED.search(words):
        return "; an InfluxDB 2 takes api = 'v2' with org and bucket"
    return ""


def _refused_lines(data: list[Any]) -> Iterator[RefusedLine]:
    """Yield the lines that InfluxDB 3 names, as far as it does so in its way."""
    for one in data:
        if isinstance(one, dict) and type(number := one.get("line_number")) is int:
            words = " ".join(str(one.get("error_message") or "no words").split())[:500]
            yield RefusedLine(number, str(one.get("original_line") or ""), words)


def _address(settings: InfluxSettings) -> tuple[str, Parameters]:
    """Return the path of a write and its query."""
    if settings.api == "v2":
        names = [("org", settings.org or ""), ("bucket", settings.bucket or ""), ("precision", "ns")]
        return "/api/v2/write", names
    database = ("db", settings.database or "")
    if settings.api == "v3":
        # What is sound is stored at once; what is not is named, each line with its reason.
        return "/api/v3/write_lp", [database, ("precision", "nanosecond"), ("accept_partial", "true")]
    policy = [] if settings.retention_policy is None else [("rp", settings.retention_policy)]
    return "/write", [database, ("precision", "ns"), *policy]
