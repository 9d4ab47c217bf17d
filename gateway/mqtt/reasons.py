"""What a broker means when it refuses or ends a connection: our words for it, and how long to wait. Pure.

A source and a live sink meet the same brokers, so both ask here. It is `errors.LinkRefused` where a person has to
change something; ``wait`` is the least back-off, so that two clients do not fight over a session:

==============================  ======  =====================================================================
another client has our id       300 s   each new connection ends the other's: two that hurry would never rest
another server                   60 s   the url is to be corrected; we do not follow by ourselves
an administrator, or not ours    60 s   a person decided so, and may change that
busy, over quota, too fast       60 s   the broker wants less of us
everything else                         the supervisor's own waits
==============================  ======  =====================================================================

Source: MQTT 5.0 (OASIS 2019), 2.4, 3.2.2.2 and 3.14.2.1; MQTT 3.1.1, 3.1.4 for the takeover.
"""

from gateway.errors import LinkDown, LinkDropped, LinkRefused

TAKEN_OVER_WAIT = 300.0
WAIT = 60.0

ABRUPT_ENDS = 5
"""So many connections in a row, accepted and soon dropped without a word, look like another client with our id."""

SOON = 90.0
"""Seconds; longer than `WAIT`, so that two who wait alike still see each other."""

_UNAVAILABLE, _BUSY, _TAKEN_OVER, _RATE, _QUOTA, _ADMINISTRATOR = 0x88, 0x89, 0x8E, 0x96, 0x97, 0x98
_USE_ANOTHER, _MOVED, _CONNECTION_RATE = 0x9C, 0x9D, 0x9F
_NOT_AUTHORIZED, _BANNED, _VERSION = 0x87, 0x8A, 0x84


def connection_refused(code: int, words: str, *, protocol: str, server: str = "") -> LinkDown:
    """Return what a CONNACK with this reason means; ``words`` are the broker's, ``server`` the one it names.

    ``protocol`` is the version that we spoke.
    """
    if code in (_USE_ANOTHER, _MOVED):
        return _elsewhere(words, server)
    if code in (_UNAVAILABLE, _BUSY, _QUOTA, _CONNECTION_RATE):
        return LinkDown(f"the broker refused us for now: {words}", wait=WAIT)
    if code == _VERSION:
        other = "3.1.1" if protocol == "5" else "5"
        return LinkRefused(f'the broker does not speak MQTT {protocol}: set protocol = "{other}" ({words})')
    return LinkRefused(f"the broker refused us: {words}", wait=WAIT if code == _BANNED else 0.0)


def connection_ended(code: int, words: str, *, client_id: str, server: str = "") -> LinkDown:
    """Return what a DISCONNECT by the broker with this reason means."""
    if code in (_USE_ANOTHER, _MOVED):
        return _elsewhere(words, server)
    if code == _TAKEN_OVER:
        return LinkRefused(
            f"another client uses the id {client_id!r} and took our session: give each its own client_id",
            wait=TAKEN_OVER_WAIT,
        )
    if code in (_ADMINISTRATOR, _NOT_AUTHORIZED):
        return LinkRefused(f"the broker ended the connection on purpose: {words}", wait=WAIT)
    if code in (_BUSY, _RATE, _QUOTA, _CONNECTION_RATE):
        return LinkDown(f"the broker ended the connection, it wants less of us: {words}", wait=WAIT)
    return LinkDown(f"the broker ended the connection: {words}")


class Takeovers:
    """Notices another client with our id where the broker does not say so: MQTT 3.1.1 has no word for it.

    Such a broker (and Mosquitto 2.0.11 in MQTT 5) just drops the older connection, again and again, soon after it
    accepted us. One that is restarted drops us too, and as silently; but not so often.
    """

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._abrupt = 0

    def judge(self, error: LinkDown, lasted: float | None) -> LinkDown:
        """Return why a connection ended: that is ``error``, or what the last few ends together mean.

        ``lasted`` is the seconds since the broker accepted us, None where it did not.
        """
        soon = lasted is not None and lasted < SOON
        self._abrupt = self._abrupt + 1 if soon and isinstance(error, LinkDropped) else 0
        if self._abrupt < ABRUPT_ENDS:
            return error
        return LinkRefused(
            f"the broker drops us soon after it accepted us, {ABRUPT_ENDS} times now or more: does another client use"
            f" the id {self._client_id!r}?",
            wait=WAIT,
        )


def _elsewhere(words: str, server: str) -> LinkDown:
    to = f"to {server}" if server else "elsewhere and does not say where"
    return LinkRefused(f"the broker sends us {to} ({words}): correct the url", wait=WAIT)
