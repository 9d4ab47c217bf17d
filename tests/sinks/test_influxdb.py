"""What a database answers, and what we make of it; against the InfluxDB-shaped endpoint and bare sockets."""

import asyncio
import gzip
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from firmware_sim.patience import patience
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Hang, Poison, Redirect, Refusal, Reset
from gateway.errors import BatchRefused, BatchTooLarge, SinkAway, SinkBlocked, SinkError, SinkSlow
from gateway.sinks.influxdb import InfluxSink
from tests.support.certificates import Certificates
from tests.support.clock import NOW, FakeClock
from tests.support.influx import influx_settings

LINE = b"air_quality,sensor=aq-1 pm25=12.5,quality=0i 1732281600000000000\n"
BODY = gzip.compress(LINE)


@pytest.fixture
async def endpoint() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint(token="secret", buckets=["city"]) as endpoint:
        yield endpoint


MakeSink = Callable[..., InfluxSink]


@pytest.fixture
async def make(endpoint: InfluxEndpoint, tmp_path: Path) -> AsyncIterator[MakeSink]:
    """Make sinks for the endpoint, with the right token unless said otherwise; all are closed afterwards."""
    token = tmp_path / "token"
    token.write_text("secret\n", encoding="utf-8")
    made: list[InfluxSink] = []

    def build(**settings: Any) -> InfluxSink:  # noqa: ANN401 -- any setting
        own = {} if "database" in settings else {"org": "koper", "bucket": "city"}
        given: dict[str, Any] = {**own, "token_file": token, **settings}
        made.append(InfluxSink(influx_settings(endpoint.url, **given), FakeClock()))
        return made[-1]

    yield build
    for sink in made:
        await sink.close()


async def _refusal(sink: InfluxSink, body: bytes = BODY) -> SinkError:
    with pytest.raises(SinkError) as caught:
        await sink.send(body)
    return caught.value


async def test_a_body_is_stored_and_went_out_as_it_was(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    await make().send(BODY)
    (point,) = endpoint.points("city")
    assert (point.fields, point.time) == ({"pm25": 12.5, "quality": 0}, 1_732_281_600_000_000_000)
    (write,) = endpoint.writes
    assert (write.api, write.gzip_members, write.headers["Content-Encoding"]) == ("v2", 1, "gzip")
    assert write.headers["Content-Length"] == str(len(BODY))
    assert write.headers["Content-Type"].startswith("text/plain")


async def test_several_gzip_members_are_not_touched(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    other = gzip.compress(LINE.replace(b"aq-1", b"aq-2"))
    await make().send(BODY + other)
    assert endpoint.writes[0].gzip_members == 2
    assert len(endpoint.points("city")) == 2


async def test_many_writes_use_one_connection(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    sink = make()
    for _ in range(5):
        await sink.send(BODY)
    assert len(endpoint.writes) == 5
    assert sink._client is not None
    pool = sink._client.rest_client.pool_manager.connector
    assert len(pool._conns) + len(pool._acquired) <= 1


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, SinkBlocked, "400, and not because of a reading; are address and names right? the servers words"),
        (422, BatchRefused, "422: the servers words"),
        (401, SinkBlocked, "401, the database refuses our token or password: the servers words"),
        (403, SinkBlocked, "403, the database refuses our token or password: the servers words"),
        (404, SinkBlocked, "404, no such organisation, bucket or database: the servers words"),
        (413, BatchTooLarge, "413: the servers words"),
        (429, SinkAway, "429: the servers words"),
        (500, SinkAway, "500: the servers words"),
        (503, SinkAway, "503: the servers words"),
    ],
)
@pytest.mark.parametrize("api", ["v1", "v2"])
async def test_each_answer_has_its_meaning_and_the_servers_words(  # noqa: PLR0917 -- a table of answers
    make: MakeSink, endpoint: InfluxEndpoint, status: int, kind: type[SinkError], words: str, api: str
) -> None:
    sink = make(database="city", username="prehod", token_file=None) if api == "v1" else make()
    if api == "v1":
        endpoint.token = None
    endpoint.fail_with(Refusal(status, "the servers words"), times=1)
    error = await _refusal(sink)
    assert type(error) is kind
    assert str(error).endswith(words)
    await sink.send(BODY)
    assert len(endpoint.points("city")) == 1


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        # InfluxDB 1.x and 2.x about lines
        ("partial write: points beyond retention policy dropped=1", BatchRefused),
        ("unable to parse 'air pm25=': missing field value", BatchRefused),
        ('partial write: field type conflict: input field "pm25" is type integer dropped=1', BatchRefused),
        ("failure writing points to database: max-values-per-tag limit exceeded", BatchRefused),
        ("time outside range -9223372036854775806 - 9223372036854775806: timestamp", BatchRefused),
        # InfluxDB 3
        ("partial write of line protocol occurred", BatchRefused),
        ("parsing failed for write_lp endpoint", BatchRefused),
        # about us
        ("database is required", SinkBlocked),
        ("gzipped HTTP body contains an invalid header", SinkBlocked),
        ("unexpected EOF", SinkBlocked),
        ("invalid precision; valid precision units are ns, us, ms, and s", SinkBlocked),
    ],
)
async def test_readings_are_refused_only_where_the_words_are_about_them(
    make: MakeSink, endpoint: InfluxEndpoint, words: str, kind: type[SinkError]
) -> None:
    endpoint.fail_with(Refusal(400, words), times=1)
    assert type(await _refusal(make())) is kind


async def test_a_retention_policy_that_is_not_there_holds_the_sink(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    endpoint.fail_with(Refusal(500, "retention policy not found: year"), times=1)
    error = await _refusal(make())
    assert isinstance(error, SinkBlocked)
    assert str(error).endswith("retention policy not found: year")


async def test_real_refusals_carry_the_names_that_are_wrong(
    make: MakeSink, endpoint: InfluxEndpoint, tmp_path: Path
) -> None:
    assert 'bucket "wrong" not found' in str(await _refusal(make(bucket="wrong")))
    v1 = make(database="wrong", username="u", password_file=tmp_path / "token", token_file=None)
    assert 'database not found: "wrong"' in str(await _refusal(v1))
    await make().send(BODY)
    conflict = gzip.compress(LINE.replace(b"12.5", b"12i"))
    error = await _refusal(make(), conflict)
    assert isinstance(error, BatchRefused)
    assert 'field type conflict: input field "pm25"' in str(error)
    malformed = await _refusal(make(), gzip.compress(b"no line at all\n"))
    assert isinstance(malformed, BatchRefused)
    assert len(endpoint.points("city")) == 1


async def test_a_partial_write_is_a_refusal(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    endpoint.fail_with(Poison(lambda line: "aq-2" in line, "points beyond retention policy"))
    error = await _refusal(make(), gzip.compress(LINE + LINE.replace(b"aq-1", b"aq-2")))
    assert isinstance(error, BatchRefused)
    assert "points beyond retention policy dropped=1" in str(error)


async def test_a_changed_token_is_read_after_a_refusal(
    make: MakeSink, endpoint: InfluxEndpoint, tmp_path: Path
) -> None:
    sink = make()
    await sink.send(BODY)
    endpoint.token = "rotated"
    assert isinstance(await _refusal(sink), SinkBlocked)
    (tmp_path / "token").write_text("rotated", encoding="utf-8")
    await sink.send(BODY)


@pytest.mark.parametrize("setting", ["token_file", "password_file", "ca_file"])
async def test_a_file_that_cannot_be_read_holds_the_sink_by_its_name(
    make: MakeSink, tmp_path: Path, setting: str
) -> None:
    missing = tmp_path / "missing"
    v1 = {"database": "city", "username": "prehod", "token_file": None} if setting == "password_file" else {}
    error = await _refusal(make(**v1, **{setting: missing}))
    assert isinstance(error, SinkBlocked)
    assert f"{setting}: {missing}: no such file; create it, or correct the path" in str(error)


async def test_v1_signs_in_with_a_name_and_a_password(
    make: MakeSink, endpoint: InfluxEndpoint, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n", encoding="utf-8")
    sink = make(database="city", retention_policy="year", username="prehod", password_file=password, token_file=None)
    await sink.send(BODY)
    (write,) = endpoint.writes
    assert (write.api, write.bucket, write.gzip_members) == ("v1", "city", 1)
    assert write.headers["Authorization"] == "Basic cHJlaG9kOnNlY3JldA=="
    password.write_text("wrong", encoding="utf-8")
    await sink.close()
    assert isinstance(await _refusal(sink), SinkBlocked)


async def test_without_a_token_none_is_sent(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    endpoint.token = None
    await make(token_file=None).send(BODY)
    assert "Authorization" not in endpoint.writes[0].headers


@pytest.mark.parametrize(("wish", "seconds"), [(17, 17.0), (0, 0.0), (86400, 3600.0)])
async def test_a_retry_after_in_seconds_is_passed_on_within_an_hour(
    make: MakeSink, endpoint: InfluxEndpoint, wish: int, seconds: float
) -> None:
    endpoint.fail_with(Refusal(429, retry_after=wish))
    error = await _refusal(make())
    assert isinstance(error, SinkAway)
    assert error.retry_after == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(60, 60.0), (-60, 0.0), (7200, 3600.0)])
async def test_a_retry_after_as_a_date_becomes_seconds(
    make: MakeSink, endpoint: InfluxEndpoint, ahead: int, seconds: float
) -> None:
    endpoint.fail_with(Refusal(503, retry_after=datetime.fromtimestamp(NOW / 1e9 + ahead, UTC)))
    error = await _refusal(make())
    assert isinstance(error, SinkAway)
    assert error.retry_after == seconds


async def test_no_retry_after_is_none(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    endpoint.fail_with(Refusal(503))
    error = await _refusal(make())
    assert isinstance(error, SinkAway)
    assert error.retry_after is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(make: MakeSink, endpoint: InfluxEndpoint, status: int) -> None:
    async with InfluxEndpoint() as elsewhere:
        endpoint.fail_with(Redirect(f"{elsewhere.url}/api/v2/write?bucket=city", status))
        error = await _refusal(make())
        assert isinstance(error, SinkBlocked)
        assert elsewhere.url in str(error)
        assert not elsewhere.writes


async def test_a_portal_that_says_fine_to_everything_is_no_database(unused_tcp_port: int) -> None:
    async def welcome(_: web.Request) -> web.Response:
        return web.Response(text="<h1>Welcome to our WiFi</h1>", content_type="text/html")

    application = web.Application()
    application.add_routes([web.post("/{any:.*}", welcome)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    sink = InfluxSink(influx_settings(f"http://127.0.0.1:{unused_tcp_port}"), FakeClock())
    try:
        with pytest.raises(SinkBlocked, match="200 where a database answers 204"):
            await sink.send(BODY)
    finally:
        await sink.close()
        await runner.cleanup()


async def test_a_server_that_hangs_is_away_after_the_time_out(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    endpoint.fail_with(Hang(), times=1)
    sink = make(timeout="2s")  # enough for the answer that comes, on a loaded machine
    began = time.monotonic()
    error = await _refusal(sink)
    assert isinstance(error, SinkSlow)
    assert error.in_doubt
    assert str(error) == f"{endpoint.url}: no answer within 2 s"
    assert time.monotonic() - began >= 2.0
    await sink.send(BODY)


@pytest.mark.parametrize("after_storing", [False, True])
async def test_a_connection_that_breaks_is_away(
    make: MakeSink, endpoint: InfluxEndpoint, after_storing: bool
) -> None:
    endpoint.fail_with(Reset(after_storing=after_storing), times=1)
    sink = make()
    assert isinstance(await _refusal(sink), SinkAway)
    await sink.send(BODY)
    assert len(endpoint.points("city")) == 1


async def test_a_server_that_is_not_there_is_away_by_its_address(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    await endpoint.stop()
    error = await _refusal(make())
    assert isinstance(error, SinkAway)
    assert endpoint.url in str(error)
    await endpoint.start()


async def test_closing_twice_and_going_on_afterwards_is_fine(make: MakeSink, endpoint: InfluxEndpoint) -> None:
    sink = make()
    await sink.close()
    await sink.send(BODY)
    await sink.close()
    await sink.close()
    await sink.send(BODY)
    assert len(endpoint.writes) == 2


# what is no InfluxDB at all


@asynccontextmanager
async def _answering(answer: bytes) -> AsyncIterator[str]:
    """Answer every connection with the same bytes, whatever it says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


_PAGE = b"<html>400: The plain HTTP request was sent to HTTPS port</html>"


def _http(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])
    return head.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (_http("400 Bad Request", _PAGE), SinkBlocked),  # readings must not be quarantined for a proxy's page
        (_http("422 Unprocessable", b""), SinkBlocked),
        (_http("413 Too Large", _PAGE), BatchTooLarge),
        (_http("502 Bad Gateway", _PAGE), SinkAway),
        (_http("503 Busy", b"", "Retry-After: soon"), SinkAway),
        (_http("503 Busy", b"", "Retry-After: \u00b2"), SinkAway),
        (_http("405 Not Allowed", _PAGE), SinkAway),
        (b"HTTP/1.1 204 No Content\r\nbroken header", SinkAway),
        (b"220 mail.example ESMTP\r\n", SinkAway),
        (b"", SinkAway),
    ],
)
async def test_what_is_no_database_stores_nothing_and_loses_nothing(answer: bytes, kind: type[SinkError]) -> None:
    async with _answering(answer) as url:
        sink = InfluxSink(influx_settings(url, timeout=f"{patience()}s"), FakeClock())
        error = await _refusal(sink)
        await sink.close()
        assert type(error) is kind
        assert len(str(error)) < 700


@pytest.mark.parametrize(
    ("trusted", "says"),
    [
        (False, r"TLS: the server's certificate is not trusted: .*; name the authority that signed it in ca_file"),
        (True, None),
    ],
)
async def test_a_servers_certificate_is_checked_by_the_authority_that_is_named(
    certificates: Certificates, unused_tcp_port: int, trusted: bool, says: str | None
) -> None:
    async def stored(_: web.Request) -> web.Response:
        return web.Response(status=204)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    application = web.Application()
    application.router.add_post("/api/v2/write", stored)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port, ssl_context=context).start()
    authority = certificates.authority if trusted else certificates.stranger
    sink = InfluxSink(influx_settings(f"https://127.0.0.1:{unused_tcp_port}", ca_file=authority), FakeClock())
    try:
        if says is None:
            await sink.send(BODY)
        else:
            error = await _refusal(sink)
            assert isinstance(error, SinkAway)
            assert re.search(says, str(error))
    finally:
        await sink.close()
        await runner.cleanup()
