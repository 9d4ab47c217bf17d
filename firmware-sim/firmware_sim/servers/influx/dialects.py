"""The three write APIs as a client meets them: how each names units and buckets, checks tokens and words a refusal.

v3 is InfluxDB 3 Core as its documentation and its tests show it: it names each refused line, by its number among
those that are neither blank nor comments, and shows it cut. v2 is InfluxDB 2.7 as its documentation, its source and
people's bug reports show it; v1 is InfluxDB 1.6.7 as it was seen to answer. All speak JSON:
``{"error": ..., "data": [...]}``, ``{"code": ..., "message": ...}`` and ``{"error": ...}``.
"""

import base64
import contextlib
from abc import ABC, abstractmethod
from typing import Literal

from aiohttp import web

from firmware_sim.servers.influx.faults import CODES, MESSAGES, Refusal
from firmware_sim.servers.influx.line_protocol import PRECISIONS

VERSION = "prehod-simulator"


class Dialect(ABC):
    """One API; without state."""

    name: Literal["v1", "v2", "v3"]
    bucket_key: str
    """The query parameter that names the bucket."""
    bad_gzip: str
    """What it says of a body that is no gzip, or torn."""
    malformed_spoils_all: bool
    """Whether one malformed line keeps the whole batch out."""
    names_lines = False
    """Whether it says which lines it refuses, and why each."""

    @abstractmethod
    def unit(self, precision: str | None) -> int | Refusal:
        """Return the nanoseconds in one unit of a timestamp."""

    @abstractmethod
    def admits(self, request: web.Request, token: str) -> bool:
        """Tell whether the request presents the token."""

    @abstractmethod
    def unknown_bucket(self, bucket: str) -> Refusal:
        """Say that there is no such bucket."""

    @abstractmethod
    def partial(self, message: str) -> Refusal:
        """Say that some points were stored and others not."""

    @abstractmethod
    def answer(self, refusal: Refusal) -> web.Response:
        """Put a refusal into this API's JSON."""


class V3(Dialect):
    """``/api/v3/write_lp``; ``as_v2``: InfluxDB 3's answers at ``/api/v2/write``, which knows no organisation."""

    name = "v3"
    bad_gzip = "error decoding gzip stream: invalid gzip header"
    malformed_spoils_all = False
    names_lines = True

    def __init__(self, *, as_v2: bool = False) -> None:
        self._as_v2 = as_v2
        self.bucket_key = "bucket" if as_v2 else "db"

    def unit(self, precision: str | None) -> int | Refusal:
        """Know the units by their whole names, and on v2's page by its own."""
        units = {"nanosecond": 1, "microsecond": 1000, "millisecond": 10**6, "second": 10**9}
        if self._as_v2:
            units = dict(PRECISIONS)
        unit = units.get(precision or ("ns" if self._as_v2 else "nanosecond"))
        return unit or Refusal(400, f"serde error: unknown variant `{precision}`")

    def admits(self, request: web.Request, token: str) -> bool:
        """Take ``Bearer`` and ``Token``, or the token as the password of any name."""
        header = request.headers.get("Authorization", "")
        if header.startswith("Basic "):
            with contextlib.suppress(ValueError):
                return base64.b64decode(header[6:]).decode().partition(":")[2] == token
        return header in (f"Token {token}", f"Bearer {token}")

    def unknown_bucket(self, bucket: str) -> Refusal:
        """Answer 404, or 400 where none was named."""
        if bucket:
            return Refusal(404, f"the requested resource was not found: database {bucket}")
        return Refusal(400, f"missing query parameter '{self.bucket_key}'")

    def partial(self, message: str) -> Refusal:
        """Answer 400."""
        return Refusal(400, message)

    def answer(self, refusal: Refusal) -> web.Response:
        """Give the error, and the lines where some were named."""
        document: dict[str, object] = {"error": refusal.message or MESSAGES.get(refusal.status, "")}
        if refusal.lines:
            document["data"] = [
                {"original_line": text.replace('"', "")[:160], "line_number": number, "error_message": reason}
                for number, text, reason in refusal.lines
            ]
        return web.json_response(document, status=refusal.status, headers=refusal.headers())


class V2(Dialect):
    """``/api/v2/write``."""

    name = "v2"
    bucket_key = "bucket"
    bad_gzip = "gzipped HTTP body contains an invalid header"
    malformed_spoils_all = True

    def unit(self, precision: str | None) -> int | Refusal:
        """Know ns, us, ms and s."""
        unit = PRECISIONS.get(precision or "ns")
        return unit or Refusal(400, "invalid precision; valid precision units are ns, us, ms, and s")

    def admits(self, request: web.Request, token: str) -> bool:
        """Take ``Authorization: Token ...`` or ``Bearer ...``."""
        return request.headers.get("Authorization") in (f"Token {token}", f"Bearer {token}")

    def unknown_bucket(self, bucket: str) -> Refusal:
        """Answer 404."""
        return Refusal(404, f'bucket "{bucket}" not found')

    def partial(self, message: str) -> Refusal:
        """Answer 422."""
        return Refusal(422, f"failure writing points to database: {message}")

    def answer(self, refusal: Refusal) -> web.Response:
        """Give code and message."""
        code = CODES.get(refusal.status, "internal error")
        return web.json_response(
            {"code": code, "message": refusal.message or MESSAGES.get(refusal.status, "")},
            status=refusal.status,
            headers={"X-Platform-Error-Code": code, "X-Influxdb-Version": VERSION, **refusal.headers()},
        )


class V1(Dialect):
    """``/write``."""

    name = "v1"
    bucket_key = "db"
    bad_gzip = "unexpected EOF"
    malformed_spoils_all = False

    def unit(self, precision: str | None) -> int | Refusal:
        """Know n, u, ms, s, m and h; anything else, ``us`` included, counts as nanoseconds in 1.6.7."""
        units = {"u": 1000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
        return units.get(precision or "n", 1)

    def admits(self, request: web.Request, token: str) -> bool:
        """Take the token as the password: basic, ``Token user:password``, or in the query."""
        header = request.headers.get("Authorization", "")
        scheme, _, credentials = header.partition(" ")
        if scheme == "Basic":
            with contextlib.suppress(ValueError):
                credentials = base64.b64decode(credentials).decode()
        if scheme in ("Basic", "Token"):
            return credentials.partition(":")[2] == token
        return request.query.get("p") == token

    def unknown_bucket(self, bucket: str) -> Refusal:
        """Answer 404, or 400 where none was named."""
        return Refusal(404, f'database not found: "{bucket}"') if bucket else Refusal(400, "database is required")

    def partial(self, message: str) -> Refusal:
        """Answer 400."""
        return Refusal(400, message)

    def answer(self, refusal: Refusal) -> web.Response:
        """Give the error, in the header too."""
        message = "authorization failed" if refusal == Refusal(401) else refusal.message
        message = message or MESSAGES.get(refusal.status, "")
        return web.json_response(
            {"error": message},
            status=refusal.status,
            headers={
                "X-Influxdb-Error": message.replace("\n", " ").replace("\r", " "),
                "X-Influxdb-Version": VERSION,
                **refusal.headers(),
            },
        )
