"""Asking a database which readings it has, where that matters: see `resend`.

Only VictoriaMetrics is asked, through ``/api/v1/export``; whatever answers otherwise overwrites, as InfluxDB does.

=========================================  ===========================================================================
the url of the sink                        where the export is
=========================================  ===========================================================================
``http://vm:8428``, with a path or not     ``http://vm:8428/api/v1/export``
``http://vm:8428/influx``                  the same: that path is for writing only
``http://proxy/insert/0/influx``           ``http://proxy/select/0/prometheus/api/v1/export``: a cluster behind one
                                           address (vmauth). Where vmselect has an address of its own, nobody can ask
=========================================  ===========================================================================

Source: VictoriaMetrics' documentation, "How to export data in JSON line format" and "URL format" (cluster).
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, NamedTuple

import aiohttp

from gateway.clock import Clock
from gateway.sinks.duplicates import Comparison

SETTLE = 1.0
"""Seconds for a server that was stuck to deal with what was sent before; it may answer us before it has."""
UNFLUSHED = 3.0
"""The same where it cannot be told to make new samples searchable, as it does by itself every second or two."""

_CLUSTER = re.compile(r"/insert/([^/]+)/influx\Z")
_NO_SUCH_PAGE = {400, 404, 405}
_REFUSED = {401, 403}


class Busy(NamedTuple):
    """The server cannot answer now; its status."""

    status: int


Answer = list[bytes] | Busy | Literal["overwrites", "not told"]
"""The lines it lacks; or that it cannot say now, that it overwrites, or that it does not let us ask."""


async def ask(
    session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], lines: Sequence[bytes], clock: Clock
) -> Answer:
    """Return what a database lacks of ``lines``; raises ``aiohttp.ClientError`` and ``TimeoutError``."""
    base, cluster = _where(url.rstrip("/"))
    if cluster:
        await clock.sleep(UNFLUSHED)
    elif await _flush(session, base, headers):
        await clock.sleep(SETTLE)
        await _flush(session, base, headers)
    comparison = Comparison(lines)
    for question in comparison.questions():
        request = session.get(f"{base}/api/v1/export", params=question, headers=headers, allow_redirects=False)
        async with request as answer:
            kind = answer.headers.get("Content-Type", "")
            if answer.status == 200 and kind.startswith("application/stream+json"):
                async for line in _long_lines(answer):
                    comparison.add(line)
            elif answer.status in _REFUSED or 300 <= answer.status < 400:
                return "not told"
            elif answer.status < 300 or answer.status in _NO_SUCH_PAGE:
                # VictoriaMetrics gives its name with every answer; then it is the address that we do not know.
                return "not told" if cluster or "X-Server-Hostname" in answer.headers else "overwrites"
            else:
                return Busy(answer.status)
    return comparison.missing()


def _where(url: str) -> tuple[str, bool]:
    """Return the address below which the export is, and whether it is a cluster's."""
    if found := _CLUSTER.search(url):
        return f"{url[: found.start()]}/select/{found[1]}/prometheus", True
    return url.removesuffix("/influx"), False


async def _flush(session: aiohttp.ClientSession, base: str, headers: Mapping[str, str]) -> bool:
    """Make samples searchable that have just come; return whether the server did so."""
    async with session.get(f"{base}/internal/force_flush", headers=headers, allow_redirects=False) as answer:
        return answer.status == 200


async def _long_lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of a body, however long; aiohttp's own reader refuses beyond 64 KiB."""
    held = b""
    async for chunk in answer.content.iter_any():
        *complete, held = (held + chunk).split(b"\n")
        for line in complete:
            if line:
                yield line
    if held:
        yield held
