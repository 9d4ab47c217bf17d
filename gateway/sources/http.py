"""HTTP sources: what stations, network servers and collectors post becomes readings, answered once it is on disk.

=======  =============================================================================================================
200      on disk (204 for clients of InfluxDB); the text says how many readings it gave
202      nothing of it became a reading; it is kept with the reason, and need not be sent again
401 403  no token, the wrong one
404      no source has this path
405      a request that brings nothing
408 413  too slow, too large; 415 a body packed in a way that is not known; 400 one that cannot be unpacked
503      the disk takes nothing, or too much is on its way: send the same again after Retry-After
=======  =============================================================================================================

What is understood wrongly is no reason for an answer that has it sent for ever: many senders repeat on any status but
2xx. So a refusal is kept on this side, and told here.
"""

import hmac
from base64 import b64decode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from gateway.clock import Clock
from gateway.credentials import read_secret
from gateway.errors import CredentialsError, LinkRefused
from gateway.health import SourceHealth
from gateway.ingest.committer import Committer
from gateway.ingest.delivery import Delivery
from gateway.links.http.exchange import Answer, Endpoint, Exchange, Request
from gateway.sources.ack_window import AckWindow
from gateway.sources.http_replays import Accepted, Replays
from gateway.sources.http_requests import (
    INFLUX_BODY,
    INFLUX_DRIVER,
    TOKEN_KEYS,
    HttpMessage,
    greeting,
    message_of,
    parameters,
    pieces,
)
from gateway.sources.messages import MessageReader
from gateway.spool import Identity
from gateway.supervise import LONGEST_WAIT

RETRY_AFTER = "5"
"""Seconds after which a sender may try again, while there is back-pressure."""

_METHODS = {"GET", "POST", "PUT"}
_REQUESTS = 200  # requests that may wait for their answer at once: the server's bound of connections


class Server(Protocol):
    """Where the requests come from: `gateway.links.http.server.HttpServer`."""

    async def serve(self, path: str, endpoint: Endpoint, went_up: Callable[[], None]) -> None:
        """Serve an endpoint until cancelled."""


class HttpIngest:
    """The endpoint of one source; ``seen`` are the identities of the messages that an earlier run stored last."""

    longest_wait = LONGEST_WAIT
    """Seconds between attempts to listen, at most."""

    def __init__(
        self,
        name: str,
        path: str,
        reader: MessageReader,
        *,
        driver: str,
        max_message: int,
        token_file: Path | None,
        server: Server,
        committer: Committer,
        health: SourceHealth,
        clock: Clock,
        seen: Sequence[Identity] = (),
    ) -> None:
        self.name = name
        self.max_body = INFLUX_BODY if driver == INFLUX_DRIVER else max_message
        self._max_message = max_message
        self._path = path
        self._reader = reader
        self._driver = driver
        self._token_file = token_file
        self._token: str | None = None
        self._server = server
        self._committer = committer
        self._health = health
        self._clock = clock
        self._replays = Replays(name, seen)
        self._window = AckWindow(_REQUESTS)
        self._outstanding: dict[int, tuple[Accepted, Answer]] = {}
        self._numbers = 0

    async def run(self) -> None:
        """Listen until cancelled; what is on its way then is committed at once, and answered."""
        if self._token_file is not None:
            try:
                self._token = read_secret("token_file", self._token_file)
            except CredentialsError as error:
                raise LinkRefused(str(error)) from error
        self._window.reset()
        await self._server.serve(self._path, self, self._health.link.went_up)

    def admit(self, request: Request) -> Answer | None:
        """Return the answer to what need not be read; see `gateway.links.http.exchange.Endpoint`."""
        below = self._below(request)
        if (hello := greeting(self._driver, request, below)) is not None:
            return hello
        if request.method not in _METHODS:
            return Answer(405, "POST a message", {"Allow": "POST, PUT, GET"})
        if self._token is None and "origin" in request.headers:
            return Answer(403, "a page in a browser may not post to a source without a token")
        if self._token is not None and (refused := _stranger(request, self._token)) is not None:
            return refused
        if self._committer.is_full or self._committer.problem:
            return Answer(503, "the disk is behind: send it again later", {"Retry-After": RETRY_AFTER})
        return None

    def note_answer(self, status: int) -> None:
        """Count an answer."""
        self._health.answers[status] += 1

    def receive(self, exchange: Exchange) -> None:
        """Hand a request on as one delivery, and answer it once that is on disk."""
        request, now = exchange.request, self._clock.monotonic()
        message = message_of(self._driver, self.name, request, self._below(request))
        if isinstance(message, Answer):
            exchange.reply(message)
            return
        self._health.messages += 1
        identity = self._replays.identity(message.topic, message.payload, request.headers.get("idempotency-key"), now)
        if (accepted := self._replays.find(identity, now)) is not None:
            self._health.repeated += 1
            if accepted.is_stored:
                exchange.reply(Answer(204) if message.silent else Answer(200, "stored before"))
                self._expect(exchange, identity, accepted)
                return
        else:
            accepted = self._deliver(message, identity, now)
        accepted.senders.append(exchange)
        self._expect(exchange, identity, accepted)

    def leave(self) -> None:
        """Commit what waits for its answer, since the server stops."""
        self._committer.hurry()

    def acknowledge(self, mids: list[int]) -> None:
        """Answer these requests: they are on disk."""
        for number in mids:
            accepted, answer = self._outstanding.pop(number)
            accepted.is_stored = True
            senders, accepted.senders = accepted.senders, []
            for exchange in senders:
                assert isinstance(exchange, Exchange)
                exchange.reply(answer)
        self._window.note_acknowledged(len(mids), self._clock.monotonic_ns(), int(self._committer.interval * 1e9))

    def _below(self, request: Request) -> str:
        return request.path.removeprefix(self._path).strip("/")

    def _deliver(self, message: HttpMessage, identity: Identity, now: float) -> Accepted:
        self._numbers += 1
        number = self._numbers
        delivery = Delivery(self, number, identity)
        accepted = self._replays.take(identity, number, now)
        health = self._health
        readings, rejects = health.readings, health.rejects.total()
        for payload in pieces(message.payload, self._max_message) if message.silent else [message.payload]:
            self._reader.read(message.topic, payload, delivery)
        stored, refused = health.readings - readings, health.rejects.total() - rejects
        self._outstanding[number] = (accepted, self._answer(message, stored, refused))
        self._committer.add(delivery)
        if self._window.note_arrival(self._clock.monotonic_ns()):
            self._committer.hurry()
        return accepted

    def _answer(self, message: HttpMessage, stored: int, refused: int) -> Answer:
        """Return what is said of a message once it is on disk."""
        why = ""
        if refused:
            last = self._health.last_rejects[-1]
            why = f"refused, and kept: {last.reason}{f': {last.detail}' if last.detail else ''}"
        if refused and not stored:
            return Answer(202, why)
        if message.silent:
            return Answer(204)
        return Answer(
            200, f"stored {stored} reading{'s' * (stored != 1)}" + (f"; some of it is {why}" if why else "")
        )

    def _expect(self, exchange: Exchange, identity: Identity, accepted: Accepted) -> None:
        """Have a message forgotten once its answer went out; until then it is known when it comes again."""

        def end(delivered: bool) -> None:
            if exchange in accepted.senders:
                accepted.senders.remove(exchange)
            if delivered:
                self._replays.answered(identity, accepted)

        exchange.on_end = end


def _stranger(request: Request, token: str) -> Answer | None:
    """Return the answer to a request without the token; None for one that has it, in any of the usual ways."""
    shown = [*_from_authorization(request.headers.get("authorization", ""))]
    shown += [request.headers[name] for name in ("x-api-key", "x-auth-token") if name in request.headers]
    asked = parameters(f"{request.path.partition('&')[2]}&{request.query}")
    shown += [asked[name] for name in TOKEN_KEYS if name in asked]
    if any(hmac.compare_digest(one.encode(errors="surrogateescape"), token.encode()) for one in shown):
        return None
    if shown:
        return Answer(403, "this is not the token of this source")
    return Answer(401, "this source asks for its token", {"WWW-Authenticate": 'Basic realm="prehod"'})


def _from_authorization(header: str) -> list[str]:
    """Return what may be the token: of ``Bearer``, ``Token``, and as the password of any name."""
    scheme, _, rest = header.strip().partition(" ")
    rest = rest.strip()
    match scheme.lower():
        case "bearer" | "apikey":
            return [rest]
        case "token":
            return [rest, rest.partition(":")[2]]
        case "basic":
            try:
                name_and_password = b64decode(rest, validate=True).decode()
            except ValueError:
                return [""]
            return [name_and_password.partition(":")[2]]
        case "":
            return []
    return [header.strip()]
