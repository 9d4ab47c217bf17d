"""A request and its answer, as an endpoint of `gateway.links.http.server` sees them: no bytes of HTTP, no waiting."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Answer(NamedTuple):
    """What is answered: a status, a text, and headers beside the usual ones."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = {}
    content_type: str = "text/plain"


@dataclass(slots=True)
class Request:
    """A request; ``path`` is unquoted, ``query`` as it came, ``headers`` by their names in lower case.

    ``body`` is empty until it was read.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


class Exchange:
    """A request that waits for its answer; ``is_open`` tells whether the other side is still there."""

    def __init__(self, request: Request, answered: Callable[[Answer], None], is_open: Callable[[], bool]) -> None:
        self.request = request
        self.on_end: Callable[[bool], None] | None = None
        """Called once it is over, with whether our own answer went out."""
        self._answered = answered
        self._is_open = is_open

    @property
    def is_open(self) -> bool:
        """Whether the other side still waits for the answer."""
        return self._is_open()

    def reply(self, answer: Answer) -> None:
        """Answer; of several answers the first counts."""
        self._answered(answer)


class Endpoint(Protocol):
    """What answers the requests below one path."""

    max_body: int
    """Bytes of a body, unpacked, beyond which it is not read."""

    def admit(self, request: Request) -> Answer | None:
        """Return the answer to a request whose body need not be read; None for one that is let in."""

    def receive(self, exchange: Exchange) -> None:
        """Take a request that was let in; `Exchange.reply` is called now, or once there is an answer."""

    def note_answer(self, status: int) -> None:
        """Count an answer, whoever gave it."""

    def leave(self) -> None:
        """Answer soon what waits: the server stops."""


@dataclass(slots=True)
class ServerBounds:
    """Bounds of a server; times in seconds."""

    connections: int = 200
    body_bytes: int = 32 * 1024 * 1024
    """Of all bodies that are being read, together."""
    head_time: float = 15.0
    """From a connection to its first request."""
    body_time: float = 30.0
    idle_time: float = 75.0
    """Between two requests of a connection."""
    answer_time: float = 8.0
    """For the endpoint: The Things Stack gives up after ten seconds, and then sends again."""
    lingering_time: float = 2.0
    """For the rest of a body that was answered unread: a sender may look for the answer only after it."""
    last_time: float = 3.0
    """For what is under way when the server stops."""
