"""InfluxDB, and what speaks like it: one request, its answer in our own words. No retries here.

The body is a gzip member as it stands on disk, so it goes out as it is; influxdb-client's ``enable_gzip`` would
compress it a second time and stays off. Redirects are not followed: a POST turned GET would answer 200 and store
nothing.

=====================  ==============================================================
204                    stored
other 2xx              `SinkHeld`: a captive portal, a proxy's page; no database says it so
400, 422               `BatchRefused`, with the server's words; without words in JSON, as InfluxDB's are, it is some
                       proxy that answers, and to quarantine readings for that would be wrong: `SinkHeld`
401, 403, 404, 3xx     `SinkHeld`: our token, organisation, bucket or address is wrong
413                    `BatchTooLarge`
429, 5xx, no answer    `SinkAway`, with Retry-After in seconds or as a date
=====================  ==============================================================

Source: the InfluxDB 2.x API reference (``/api/v2/write``) and InfluxDB 1.x (``/write``).
"""

import asyncio
import base64
import email.utils
import gzip
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from gateway.errors import BatchRefused, BatchTooLarge, SinkAway, SinkHeld
from gateway.sinks import line_protocol, resend

SETTLE = 1.0
"""Seconds that a database which keeps duplicates gets to finish what it has, before it is asked what it has."""


@dataclass(frozen=True, slots=True)
class InfluxSettings:
    """How to reach a database; ``database`` set means the v1 API. ``timeout`` is in seconds."""

    url: str
    org: str = ""
    bucket: str = ""
    token_file: Path | None = None
    database: str | None = None
    retention_policy: str | None = None
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    timeout: float = 10.0


class InfluxSink:
    """One database. Secrets are read at the first request and again after a refusal, so that they can be changed."""

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        self._client: InfluxDBClientAsync | None = None
        self._password: str | None = None
        self._overwrites = False

    async def send(self, body: bytes) -> None:
        """Store a gzip body of line protocol with times in nanoseconds."""
        try:
            client = self._client or self._open()
            if self._settings.database is None:
                await self._post_v2(client, body)
            else:
                await self._post_v1(client, self._settings.database, body)
        except ApiException as error:
            await self._explain(error)
        except TimeoutError:
            message = f"{self._settings.url}: no answer within {self._settings.timeout:g} s"
            raise SinkAway(message, unsure=True) from None
        except aiohttp.ClientConnectorError as error:
            raise SinkAway(f"{self._settings.url}: {error}") from error
        except aiohttp.ClientError as error:
            raise SinkAway(f"{self._settings.url}: {error}", unsure=True) from error

    async def missing(self, body: bytes) -> bytes:
        """Return what of a body, sent before with an unknown outcome, has to be sent again; b"" for nothing of it.

        That is all of it, since writing a point twice is harmless, unless the server keeps duplicates: see `resend`.
        """
        if self._overwrites:
            return body
        lines = line_protocol.split(gzip.decompress(body))
        try:
            stored = await self._stored(self._client or self._open(), lines)
        except ApiException as error:
            # Only these say that there is no such page; anything else is trouble on the way to it.
            if error.status not in {400, 404, 405}:
                await self._explain(error)
            stored = None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SinkAway(f"{self._settings.url}: {error}", unsure=True) from error
        if stored is None:
            self._overwrites = True
            return body
        rest = resend.without_stored(lines, stored)
        return gzip.compress(b"\n".join(rest) + b"\n", 1) if rest else b""

    async def _stored(self, client: InfluxDBClientAsync, lines: list[bytes]) -> bytes | None:
        """Return what VictoriaMetrics exports around these lines; None where it is another server that answers."""
        get: Any = client.api_client.rest_client.GET
        url = self._settings.url.rstrip("/")
        # Samples are searchable only once they are flushed. A server that was stuck may answer us before it has dealt
        # with what was sent before, so it gets a moment.
        await get(f"{url}/internal/force_flush")
        await asyncio.sleep(SETTLE)
        await get(f"{url}/internal/force_flush")
        export = b""
        for query in resend.queries(lines):
            answer = await get(f"{url}/api/v1/export", query_params=query)
            if not str(answer.getheader("Content-Type", "")).startswith("application/stream+json"):
                return None
            export += bytes(answer.data)
        return export

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    def _open(self) -> InfluxDBClientAsync:
        settings = self._settings
        token = _secret(settings.token_file)
        self._password = _secret(settings.password_file)
        try:
            self._client = InfluxDBClientAsync(
                settings.url.rstrip("/"),
                token=token or "",  # an empty one is not sent
                org=settings.org,
                # None would be no time-out at all.
                timeout=aiohttp.ClientTimeout(total=settings.timeout),
                allow_redirects=False,
                ssl_ca_cert=None if settings.ca_file is None else str(settings.ca_file),
                connection_pool_maxsize=1,
            )
        except OSError as error:
            raise SinkHeld(f"{settings.ca_file}: cannot be used: {error}") from None
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
        if settings.username is not None:
            pair = f"{settings.username}:{self._password or ''}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        answer = await client.api_client.call_api(
            "/write", "POST", {}, query, headers, body=body, response_type=None, _return_http_data_only=False
        )
        self._must_be_stored(answer)

    def _must_be_stored(self, answer: tuple[object, int, object]) -> None:
        """Look at what influxdb-client gives for a success: body, status, headers."""
        status = answer[1]
        if status != 204:
            raise SinkHeld(f"{self._settings.url}: {status} where a database answers 204; is this its address?")

    async def _explain(self, error: ApiException) -> None:
        """Turn an answer that is no success into one of our errors."""
        status = int(error.status or 0)
        url = self._settings.url
        words, json_words = _words(error.body)
        match status:
            case 400 | 422 if json_words:
                raise BatchRefused(f"{status}: {words}") from None
            case 400 | 422:
                raise SinkHeld(
                    f"{url}: {status}, and not in a database's words; is this its address? {words}"
                ) from None
            case 413:
                raise BatchTooLarge(f"{status}: {words}") from None
            case 401 | 403:
                await self.close()
                raise SinkHeld(f"{url}: {status}, the database refuses our token or password: {words}") from None
            case 404:
                raise SinkHeld(f"{url}: 404, no such organisation, bucket or database: {words}") from None
            case _ if 300 <= status < 400:
                where = dict(error.headers or {}).get("Location", "elsewhere")
                raise SinkHeld(f"{url}: {status}, the server sends us to {where}: correct the url") from None
        unsure = status in {500, 502, 504}
        raise SinkAway(f"{url}: {status}: {words}", _retry_after(error.headers), unsure=unsure) from None


def _secret(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SinkHeld(f"{file}: cannot be read: {error}") from None


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


def _retry_after(headers: Any) -> float | None:  # noqa: ANN401 -- influxdb-client leaves it untyped
    """Return the seconds that a Retry-After header asks for, between 0 and an hour."""
    value = (headers or {}).get("Retry-After")
    if not value:
        return None
    if value.isascii() and value.isdigit():
        seconds = float(value)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), 3600.0)
