"""Which HTTP proxy a request goes through: the configured one, or what the environment names, as for curl."""

import re
from typing import Annotated
from urllib import request
from urllib.parse import urlsplit

from pydantic import AfterValidator

_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1", re.IGNORECASE)


def _proxy(value: str) -> str:
    try:
        parts = urlsplit(value)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right or value != value.strip() or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError("write it as http://host:port, or http://name:password@host:port")
    return value


ProxyUrl = Annotated[str, AfterValidator(_proxy)]
"""The address of an HTTP proxy, which may hold a name and a password for it."""


def proxy_for(url: str, configured: str | None) -> str | None:
    """Return the proxy for a URL; None for none.

    Without a configured one, ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY`` hold, but for the hosts of
    ``NO_PROXY`` and for this machine itself.
    """
    if configured is not None:
        return configured
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = request.getproxies_environment()
    proxy = found.get(parts.scheme) or found.get("all")
    if not proxy or _LOOPBACK.fullmatch(host):
        return None
    where = f"{host}:{parts.port}" if parts.port else host
    if request.proxy_bypass_environment(where, found):  # type: ignore[attr-defined]
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def without_credentials(text: str) -> str:
    """Return a text, with the names and passwords of the URLs in it masked."""
    return _USERINFO.sub("***@", text)
