"""What HTTP says to whoever asks: why there was no connection, and when to come again."""

import email.utils
import ssl
from collections.abc import Mapping

import aiohttp

from gateway.credentials import tls_problem

LONGEST_RETRY_AFTER = 3600.0
"""Seconds: a server that asks for more is asked again after an hour."""


def why_not_connected(error: aiohttp.ClientConnectorError) -> str:
    """Return why a server could not be reached, and what to do, in words."""
    match error:
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as cause):
            return tls_problem(cause, "the server's")
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError() as cause):
            return tls_problem(cause, "the server's")
        case _:
            return str(error)


def retry_after(headers: Mapping[str, str] | None, now: float) -> float | None:
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
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
