"""What a message that a driver refused seems to be, and which setting would read it. Pure.

The driver has the last word: its refusal is told with what follows from the message's beginning, and never replaced.
"""

import re

from gateway.contract import Reject
from gateway.sources.compression import looks_like

_BEGINNING = 512
"""Bytes that are looked at."""

_BARE = re.compile(rb"\s*(?:[+-]?[\d.]+|[A-Za-z]+)\s*")
_VALUE = 'driver = "value"'
_FORMS = (
    (re.compile(rb"\s*<"), "XML", 'the driver "text" reads it by a pattern'),
    (re.compile(rb'\s*(?:\{\s*"|\[\s*[{\[\d"])'), "JSON", 'driver = "json"'),
    (re.compile(rb"[\w.%+-]+=[^&\s]*(?:&[\w.%+-]+=[^&\s]*)+\s*"), "a form", 'driver = "form", or "text" with pairs'),
    (
        re.compile(rb"[^\s,=]+(?:,[^\s,=]+=[^\s,=]+)* [^\s,=]+=[^\s,=]+(?:,[^\s,=]+=[^\s,=]+)*(?: \d+)?\s*(?:\n.*)?"),
        "InfluxDB line protocol",
        'driver = "line_protocol"',
    ),
    (_BARE, "a bare value", _VALUE),
    (re.compile(rb"[\x09\x0a\x0d\x20-\x7e]*[=:,;\t ][\x09\x0a\x0d\x20-\x7e]*"), "text", 'driver = "text"'),
)
"""Beginning, name and remedy, the surer ones first."""


def explain_refusal(reject: Reject, payload: bytes, driver: str) -> Reject:
    """Return a driver's refusal with what the message seems to be, where that is not what the driver reads.

    Another driver is recommended in place of ``driver``, and none where that is "".
    """
    # A bare number is JSON, and says nothing that a description of JSON could ask for.
    if reject.reason == "unsupported" and driver and _BARE.fullmatch(payload[:_BEGINNING]):
        return _told(reject, driver, "a bare value", _VALUE)
    if reject.reason not in {"noise", "length"}:
        return reject
    if (packed := looks_like(payload)) is not None:
        return reject._replace(
            detail=f'this is {packed}: set compression = "{packed}" on the source; {reject.detail}'
        )
    if reject.reason == "length" or not driver:
        return reject
    for form, name, remedy in _FORMS:
        whole = form.fullmatch if name not in {"XML", "JSON"} else form.match
        if whole(payload[:_BEGINNING]):
            return _told(reject, driver, name, remedy)
    return reject


def _told(reject: Reject, driver: str, name: str, remedy: str) -> Reject:
    known = f'"{driver}"' in remedy or name in reject.detail
    return reject if known else reject._replace(detail=f"{reject.detail}; this looks like {name}: {remedy}")
