"""Every error that Prehod raises on purpose.

::

    PrehodError
    |-- ConfigurationError        the configuration file; carries every problem at once
    |-- CredentialsError          a file with a password, a token or a certificate cannot be used
    |-- LinkDown                  a port or a broker is away; the supervisor tries again
    |   |-- LinkDropped           the other side closed a connection without a word
    |   `-- LinkRefused           it answered, and refused us: wrong password, topic, port held by another
    |-- SpoolError                the disk
    |   |-- SpoolFull             no room within the bounds, or ENOSPC: acknowledgements stop until there is
    |   |   `-- QuarantineFull    the quarantine's own bound: readings are not concerned
    |   `-- SpoolLocked           another daemon owns the directory
    |-- ReplayStopped             a replay that a person started cannot go on: the sink is blocked
    `-- SinkError                 a database or broker did not take a batch
        |-- SinkAway              not now: network, 5xx, 429; send the same batch again after `retry_after`
        |   `-- SinkSlow          no answer in time; perhaps to less there would be one
        |-- SinkBlocked              not with these settings: 401, 403, 404; keep everything and tell a person
        |-- BatchTooLarge         413; send it in halves
        `-- BatchRefused          400, 422: some of its lines can never be stored; find and quarantine them

Bytes that make no sense are no errors: a decoder returns them as `gateway.contract.Reject`.
"""

from collections.abc import Sequence
from typing import NamedTuple


class PrehodError(Exception):
    """Base of all of them."""


class ConfigurationError(PrehodError):
    """The configuration cannot be used; ``problems`` holds a line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class CredentialsError(PrehodError):
    """A file with a password, a token or a certificate cannot be used; the message names it and the remedy."""


class LinkDown(PrehodError):
    """A link ended or could not be opened; trying again later may help.

    ``wait`` is for how many seconds that makes no sense, by the other side's wish or by what it means.
    """

    def __init__(self, message: str, *, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class LinkDropped(LinkDown):
    """The other side closed the connection and did not say why."""


class LinkRefused(LinkDown):
    """The other side answered and refused; trying again helps only after somebody changes something."""


class SpoolError(PrehodError):
    """The spool could not do what was asked."""


class SpoolFull(SpoolError):
    """There is no room, by our own bounds or by the disk's."""


class QuarantineFull(SpoolFull):
    """The quarantine has reached its own bound; readings are not concerned."""


class SpoolLocked(SpoolError):
    """Another process owns the spool directory; ``pid`` is its process id, or ``None`` when it cannot be told."""

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class SinkError(PrehodError):
    """A sink did not take a batch.

    ``answered`` tells that the server itself said so, and may have meant this batch alone: not the network, not a
    proxy whose server is away, not a server that is busy.
    """

    answered = False


class SinkAway(SinkError):
    """The sink cannot take it now; ``retry_after`` is the server's own wish in seconds, where it stated one.

    ``in_doubt`` tells that the batch may have been stored all the same: only the answer is missing.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, in_doubt: bool = False, answered: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.in_doubt = in_doubt
        self.answered = answered


class SinkSlow(SinkAway):
    """The sink took a request and did not answer in time."""

    def __init__(self, message: str) -> None:
        super().__init__(message, in_doubt=True)


class SinkBlocked(SinkError):
    """Our own settings are wrong (token, bucket, address): nothing is dropped, nothing goes out, somebody is told."""

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class ReplayStopped(PrehodError):
    """A replay cannot go on before a person changes a setting; not a `SinkError`, for nothing tries again."""


class BatchTooLarge(SinkError):
    """The server wants smaller bodies."""


class RefusedLine(NamedTuple):
    """A line that a server refused by its number in the body, from 1 on; ``shown`` is how the server shows it."""

    number: int
    shown: str
    words: str


class BatchRefused(SinkError):
    """The server will never take at least one line of this batch; the message carries its words.

    ``lines`` are those that it named; none where it did not say which they are.
    """

    def __init__(self, message: str, lines: Sequence[RefusedLine] = ()) -> None:
        super().__init__(message)
        self.lines = tuple(lines)
