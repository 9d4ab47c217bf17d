"""InfluxDB, and what speaks like it: one request, its answer in our own words. No retries here.

The body is a gzip member as it stands on disk, so it goes out as it is; influxdb-client's ``enable_gzip`` would
compress it a second time and stays off. Redirects are not followed: a POST turned GET would answer 200 and store
nothing.

=====================  ==============================================================
204                    stored
other 2xx              `SinkBlocked`: a captive portal, a proxy's page; no database says it so
400, 422               `BatchRefused`, with the server's words; but `SinkBlocked` where those are not about lines
                       ("database is required") or not in JSON (some proxy's): no reason to quarantine readings
401, 403, 404, 3xx     `SinkBlocked`: our token, organisation, bucket or address is wrong; and so for 500, where
                       InfluxDB 1.x does not know the retention policy
413                    `BatchTooLarge`
429, 5xx, no answer    `SinkAway`, with Retry-After in seconds or as a date
=====================  ==============================================================

Source: the InfluxDB 2.x API reference (``/api/v2/write``) and InfluxDB 1.x (``/write``).
"""

import base64
import email.utils
import json
import re
import ssl
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from gateway.clock import Clock
from gateway.credentials import read_secret, tls_context, tls_problem
from gateway.errors import BatchRefused, BatchTooLarge, CredentialsError, SinkAway, SinkBlocked, SinkSlow
from gateway.sinks.settings import InfluxSettings

Parameters = list[tuple[str, str]]

_ABOUT_LINES = re.compile(
    r"partial write|\bpars(e|ing)\b|\b(line|point|field|tag|serie|timestamp|value)s?\b|conflict|beyond retention"
)


class InfluxSink:
    """A connection to one database.

    Secrets are read at the first request and again after a refusal, so that they can be changed.
    """

    def __init__(self, settings: InfluxSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client: InfluxDBClientAsync | None = None
        self._password: str | None = None
        self._token: str | None = None

    @property
    def url(self) -> str:
        """The address in the configuration."""
        return self._settings.url

    async def send(self, body: bytes, *, in_doubt: bool = False) -> None:
        """Store a gzip body of line protocol with times in nanoseconds.

        A body ``in_doubt`` goes out like any other: a point that is written again overwrites itself.
        """
        del in_doubt
        try:
            client = self._client or self._open()
            if self._settings.database is None:
                await self._post_v2(client, body)
            else:
                await self._post_v1(client, self._settings.database, body)
        except ApiException as error:
            await self._explain(error)
        except TimeoutError:
            raise SinkSlow(f"{self._settings.url}: no answer within {self._settings.timeout:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise SinkAway(f"{self._settings.url}: {_why_not_connected(error)}") from error
        except aiohttp.ClientError as error:
            raise SinkAway(f"{self._settings.url}: {error}", in_doubt=True) from error

    def get(self, url: str, parameters: Parameters) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Ask the same server for a page, signed in as for a write, over the same connection."""
        session: aiohttp.ClientSession = (self._client or self._open()).api_client.rest_client.pool_manager
        return session.get(url, params=parameters, headers=self._authorization(), allow_redirects=False)

    def _authorization(self) -> dict[str, str]:
        """Return the header that tells who we are, as it goes with every write."""
        settings = self._settings
        if settings.username is not None:
            pair = f"{settings.username}:{self._password or ''}"
            return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
        return {"Authorization": f"Token {self._token}"} if self._token else {}

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _open(self) -> InfluxDBClientAsync:
        settings = self._settings
        try:
            # No header can begin or end in a space.
            self._token = read_secret("token_file", settings.token_file).strip() if settings.token_file else None
            self._password = read_secret("password_file", settings.password_file) if settings.password_file else None
            context = tls_context(settings.ca_file)
        except CredentialsError as error:
            raise SinkBlocked(f"{settings.url}: {error}") from error
        self._client = InfluxDBClientAsync(
            settings.url.rstrip("/"),
            token=self._token or "",  # an empty one is not sent
            org=settings.org or "",
            # None would be no time-out at all.
            timeout=aiohttp.ClientTimeout(total=settings.timeout),
            allow_redirects=False,
            ssl_context=context,
            connection_pool_maxsize=1,
        )
        return self._client

    async def _post_v2(self, client: InfluxDBClientAsync, body: bytes) -> None:
        answer = await WriteService(client.api_client).post_write_async(
            self._settings.org,
            self._settings.bucket,
            body,
            precision="ns",
            content_encoding="gzip",
            content_type="text/plain; charset=utf-8",
            _return_http_data_only=False,
        )
        self._must_be_stored(answer)

    async def _post_v1(self, client: InfluxDBClientAsync, database: str, body: bytes) -> None:
        settings = self._settings
        query = [("db", database), ("precision", "ns")]
        if settings.retention_policy is not None:
            query.append(("rp", settings.retention_policy))
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
        headers |= self._authorization()
        answer = await client.api_client.call_api(
            "/write", "POST", {}, query, headers, body=body, response_type=None, _return_http_data_only=False
        )
        self._must_be_stored(answer)

    def _must_be_stored(self, answer: tuple[object, int, object]) -> None:
        """Look at what influxdb-client gives for a success: body, status, headers."""
        status = answer[1]
        if status != 204:
            raise SinkBlocked(f"{self._settings.url}: {status} where a database answers 204; is this its address?")

    async def _explain(self, error: ApiException) -> None:
        """Turn an answer that is no success into one of our errors."""
        status = int(error.status or 0)
        url = self._settings.url
        words, json_words = _words(error.body)
        match status:
            case 400 | 422 if json_words and (status == 422 or _ABOUT_LINES.search(words)):
                raise BatchRefused(f"{status}: {words}") from None
            case 400 | 422:
                why = "and not because of a reading" if json_words else "and not in a database's words"
                raise SinkBlocked(f"{url}: {status}, {why}; are address and names right? {words}") from None
            case 500 if "retention policy not found" in words:
                raise SinkBlocked(f"{url}: {words}") from None
            case 413:
                raise BatchTooLarge(f"{status}: {words}") from None
            case 401 | 403:
                await self.close()
                raise SinkBlocked(f"{url}: {status}, the database refuses our token or password: {words}") from None
            case 404:
                raise SinkBlocked(f"{url}: 404, no such organisation, bucket or database: {words}") from None
            case _ if 300 <= status < 400:
                where = dict(error.headers or {}).get("Location", "elsewhere")
                raise SinkBlocked(f"{url}: {status}, the server sends us to {where}: correct the url") from None
        in_doubt = status in {500, 502, 504}
        wait = _retry_after(error.headers, self._clock.wall() / 1e9)
        raise SinkAway(f"{url}: {status}: {words}", wait, in_doubt=in_doubt) from None


def _why_not_connected(error: aiohttp.ClientConnectorError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as cause):
            return tls_problem(cause, "the server's")
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError() as cause):
            return tls_problem(cause, "the server's")
        case _:
            return str(error)


def _words(body: Any) -> tuple[str, bool]:  # noqa: ANN401 -- influxdb-client leaves it untyped
    """Return the server's message on one line, and whether it came as JSON rather than as text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    is_json = isinstance(answer, dict)
    if isinstance(answer, dict):
        text = str(answer.get("message") or answer.get("error") or text)
    return " ".join(text.split())[:500] or "no words", is_json


def _retry_after(headers: Any, now: float) -> float | None:  # noqa: ANN401 -- influxdb-client leaves it untyped
    """Return the seconds that a Retry-After header asks for, between 0 and an hour; ``now`` is UTC in seconds."""
    value = (headers or {}).get("Retry-After")
    if not value:
        return None
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return None
    return min(max(seconds, 0.0), 3600.0)
