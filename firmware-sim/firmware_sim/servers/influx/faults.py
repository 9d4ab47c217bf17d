"""Faults that the InfluxDB-shaped endpoint shows on demand, and the script that says when.

=================  ===================================================================================================
`Refusal`          an error status in InfluxDB's words: 401, 403, 404, 413, 429, 500, 503; nothing is stored
`Poison`           some lines can never be stored: 422 (400 on v1 and v3) with the rest stored, or 400 without it
`Slow`             the answer comes late; the write counts
`Hang`             the answer never comes; nothing is stored
`Reset`            the connection breaks in mid-body, or after the write was stored: an answer lost on the way
`Redirect`         another address, for a proxy that was moved; nothing is stored
=================  ===================================================================================================

A server that is away altogether is `InfluxEndpoint.stop`; one restored from nothing is `InfluxEndpoint.empty`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

LinePredicate = Callable[[str], bool]

CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    413: "request too large",
    422: "unprocessable entity",
    429: "too many requests",
    500: "internal error",
    503: "unavailable",
}
"""The v2 API's word for each status."""

MESSAGES = {
    401: "unauthorized access",
    403: "insufficient permissions for write",
    404: "bucket not found",
    413: "unable to read data: points batch is too large",
    429: "org has exceeded limited_write plan limit",
    500: "unexpected error writing points to database: engine: timeout",
    503: "service temporarily unavailable",
}
"""What InfluxDB usually says with it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer ``status``; ``retry_after`` is sent as seconds, or as an HTTP date (give it in UTC).

    ``lines`` are those that InfluxDB 3 names: number from 1 on, text and reason.
    """

    status: int
    message: str = ""
    retry_after: float | datetime | None = None
    lines: tuple[tuple[int, str, str], ...] = ()

    def headers(self) -> dict[str, str]:
        """Return the Retry-After header, where there is one."""
        match self.retry_after:
            case None:
                return {}
            case datetime():
                return {"Retry-After": format_datetime(self.retry_after, usegmt=True)}
            case _:
                return {"Retry-After": f"{self.retry_after:g}"}


@dataclass(frozen=True, slots=True)
class Poison:
    """Refuse the lines for which ``line`` is true; needs no other predicate.

    ``rest_stored`` is true for InfluxDB 1.x to 3 (partial write); false for a whole batch refused with 400.
    ``status`` is another one than the API's own: InfluxDB 2.0 says 500.
    """

    line: LinePredicate
    reason: str = "points beyond retention policy"
    rest_stored: bool = True
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Slow:
    """Wait ``seconds`` before doing what would be done anyway."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Read the request and answer nothing until the client gives up or the endpoint stops."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection; ``after_storing`` breaks it when the write is stored and only the answer is missing."""

    after_storing: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with another address."""

    location: str
    status: int = 307


Fault = Refusal | Poison | Slow | Hang | Reset | Redirect


class Injected:
    """A fault in the script: ends by itself after ``times`` writes, or by `lift`."""

    def __init__(self, fault: Fault, times: int | None, lines: LinePredicate | None) -> None:
        self.fault = fault
        self.remaining = times
        """Writes it is still to hit; None: until lifted."""
        self.hits = 0
        """Writes it has hit."""
        self.lines = lines

    def lift(self) -> None:
        """End it; what hangs already goes on hanging."""
        self.remaining = 0

    def take(self, lines: Sequence[str]) -> bool:
        """Tell whether this write is hit, and count it."""
        if self.remaining == 0:
            return False
        wanted = self.fault.line if isinstance(self.fault, Poison) else self.lines
        if wanted is not None and not any(map(wanted, lines)):
            return False
        self.hits += 1
        if self.remaining is not None:
            self.remaining -= 1
        return True


class Script:
    """The injected faults in the order of injection; at most one hits a write, the earliest that fits."""

    def __init__(self) -> None:
        self._faults: list[Injected] = []

    def add(self, fault: Fault, times: int | None, lines: LinePredicate | None) -> Injected:
        """Inject a fault and return its handle."""
        injected = Injected(fault, times, lines)
        self._faults.append(injected)
        return injected

    def clear(self) -> None:
        """Lift everything."""
        for injected in self._faults:
            injected.lift()
        self._faults.clear()

    def next(self, lines: Sequence[str]) -> Fault | None:
        """Return the fault for a write of these lines, and count it."""
        return next((injected.fault for injected in self._faults if injected.take(lines)), None)

    def next_before_body(self) -> bool:
        """Tell whether the next write is to be reset while its body is still coming, and count it."""
        for injected in self._faults:
            if injected.remaining != 0:
                return injected.fault == Reset() and injected.lines is None and injected.take([])
        return False
