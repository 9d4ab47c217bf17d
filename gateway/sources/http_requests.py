"""From an HTTP request to the message that a driver reads: its topic and its payload. Pure.

===============================  =====================================================================================
who sends                        what becomes of it
===============================  =====================================================================================
whatever posts a body            the body; its topic is the path below the source's, or the source's name
ChirpStack                       ``?event=up`` goes to the topic's end, as on MQTT: ``.../event/up``
Sensor.Community                 the header ``X-Sensor`` (``esp8266-1844542``) names the chip, where no path does
Ambient, Weather Underground     a GET: its query is the payload, a form. Stations that add ``&name=value`` to the
                                 path as it was typed in, without a question mark, are understood
what writes to InfluxDB          ``/write``, ``/api/v2/write``, ``/api/v3/write_lp``: times are made nanoseconds by
                                 ``precision``; the topic is the bucket or database. ``/ping``, ``/health`` and
                                 ``CREATE DATABASE`` are answered, since clients ask before they write
===============================  =====================================================================================

Source: ChirpStack's HTTP integration, the airrohr firmware's custom API, Ecowitt's and Ambient's custom servers, the
InfluxDB API references.
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from gateway import line_protocol
from gateway.links.http.exchange import Answer, Request

INFLUX_DRIVER = "line_protocol"
INFLUX_BODY = 4 * 1024 * 1024
"""Bytes of line protocol in one request: clients send thousands of lines at a time, and few split what is refused."""

TOKEN_KEYS = ("token", "p")
"""Parameters of a query that may hold the token: for senders that cannot send a header (InfluxDB 1.x has ``p``)."""

_WRITE = re.compile(r"(?:^|/)(?:write|api/v2/write|api/v3/write_lp)$")
_UNITS = {
    **dict.fromkeys(("", "n", "ns", "nanosecond"), 1),
    **dict.fromkeys(("u", "us", "microsecond"), 1_000),
    **dict.fromkeys(("ms", "millisecond"), 1_000_000),
    **dict.fromkeys(("s", "second"), 1_000_000_000),
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LONGEST_TOPIC = 1024
_MOST_PARAMETERS = 500
_TIME = re.compile(rb" (-?[0-9]{1,19})[ \r]*$")
_VERSION = {"X-Influxdb-Version": "2.7.0", "X-Influxdb-Build": "prehod"}


class HttpMessage(NamedTuple):
    """What a driver reads, and whether the sender takes no text for an answer, as clients of InfluxDB."""

    topic: str
    payload: bytes
    silent: bool = False


def parameters(query: str) -> dict[str, str]:
    """Return the parameters of a query; of several with one name the last."""
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS))
    except ValueError:
        return {}


def greeting(driver: str, request: Request, below: str) -> Answer | None:
    """Return the answer to what clients of InfluxDB ask before they write; None for anything else."""
    if driver != INFLUX_DRIVER or request.method not in {"GET", "HEAD", "POST"}:
        return None
    if below == "ping":
        return Answer(204, "", _VERSION)
    if below == "health":
        return Answer(200, '{"name":"influxdb","status":"pass","message":"prehod"}', _VERSION, "application/json")
    if below == "query":
        asked = parameters(request.query).get("q", "CREATE DATABASE" if request.method == "POST" else "")
        if asked.lstrip().upper().startswith("CREATE DATABASE"):
            return Answer(200, '{"results":[{"statement_id":0}]}', _VERSION, "application/json")
        return Answer(501, "this gateway takes readings and answers no queries: ask the database behind it")
    return None


def message_of(driver: str, source: str, request: Request, below: str) -> HttpMessage | Answer:
    """Return the message in a request to a source; ``below`` is the path under the source's own."""
    query = request.query
    if request.method == "GET":
        below, ampersand, typed_in = below.partition("&")
        query = "&".join(part for part in (typed_in if ampersand else "", query) if part)
    asked = parameters(query)
    silent = False
    if request.method == "GET":
        payload = _without_tokens(query).encode()
        if not payload:
            return Answer(405, "there is nothing to store in this request: POST a message", {"Allow": "POST, PUT"})
    elif driver == INFLUX_DRIVER:
        unit = _UNITS.get(asked.get("precision", ""))
        if unit is None:
            return Answer(400, "invalid precision; valid precision units are ns, us, ms, and s")
        payload, silent = in_nanoseconds(request.body, unit), True
        below = _WRITE.sub("", below) or asked.get("bucket") or asked.get("db") or ""
    else:
        payload = request.body
    topic = below or _station(request) or source
    if event := asked.get("event") if request.method != "GET" else None:
        topic = f"{topic}/event/{event}"
    if len(topic) > _LONGEST_TOPIC or not topic.isprintable():
        return Answer(400, f"a path has at most {_LONGEST_TOPIC} printable characters")
    return HttpMessage(topic, payload, silent)


def pieces(text: bytes, longest: int) -> list[bytes]:
    """Cut line protocol between lines into pieces of at most ``longest`` bytes; a longer line is one by itself."""
    if len(text) <= longest:
        return [text]
    found: list[bytes] = []
    gathered: list[bytes] = []
    size = 0
    for line in line_protocol.split(text):
        if gathered and size + len(line) + 1 > longest:
            found.append(b"\n".join(gathered))
            gathered, size = [], 0
        gathered.append(line)
        size += len(line) + 1
    return [*found, b"\n".join(gathered)]


def in_nanoseconds(text: bytes, unit: int) -> bytes:
    """Return line protocol with its times in nanoseconds; ``unit`` is how many are in one of its own."""
    if unit == 1:
        return text
    lines = line_protocol.split(text)
    return b"".join([_TIME.sub(lambda found: b" %d" % (int(found[1]) * unit), line) + b"\n" for line in lines])


def _without_tokens(query: str) -> str:
    """Return the query of a GET, which is the payload, without what only lets it in."""
    kept = [part for part in query.split("&") if part and unquote(part.partition("=")[0]) not in TOKEN_KEYS]
    return "&".join(kept)


def _station(request: Request) -> str:
    """Return the chip that an airrohr station names in its header, without its kind."""
    return request.headers.get("x-sensor", "").rpartition("-")[2]
