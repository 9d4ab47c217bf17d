"""Asking what a database has: a real VictoriaMetrics in all its places, and servers that are none."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import structlog
from aiohttp import web

from firmware_sim.patience import patience
from firmware_sim.servers.readback import read_victoria_metrics
from firmware_sim.servers.servers import Influxd, VictoriaMetrics
from gateway.errors import SinkAway
from gateway.sinks.duplicates import DuplicateGuard
from gateway.sinks.influxdb import InfluxSink
from gateway.sinks.settings import InfluxSettings
from tests.support.clock import FakeClock
from tests.support.influx import influx_settings
from tests.support.requirements import require_program

NOW = 1_732_281_600_000_000_000
FIRST = b"air_quality,gateway=g,sensor=a pm25=1.5,quality=0i %d\n" % NOW
SECOND = b"air_quality,gateway=g,sensor=a pm25=2.5,quality=0i %d\n" % (NOW + 10**9)
BOTH = gzip.compress(FIRST + SECOND)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(settings: InfluxSettings) -> DuplicateGuard:
    """Return a database with its guard; nothing is waited for."""
    clock = FakeClock(jumps=True)
    return DuplicateGuard(InfluxSink(settings, clock), clock)


class Locked(VictoriaMetrics):
    """One that lets nobody in without a name and a password."""

    def _command(self) -> list[str]:
        return [*super()._command(), "-httpAuth.username=prehod", "-httpAuth.password=secret"]


@asynccontextmanager
async def _victoria_metrics(
    directory: Path, kind: type[VictoriaMetrics] = VictoriaMetrics
) -> AsyncIterator[VictoriaMetrics]:
    require_program(kind.name)
    async with kind(directory / "vm") as server:
        yield server


@asynccontextmanager
async def _serving(handler: Handler) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(
        application, access_log=None, auto_decompress=False, handler_cancellation=True, shutdown_timeout=0.01
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _missing_of_both(settings: InfluxSettings) -> bytes:
    """Store the first of two readings, and ask what is missing of both."""
    sink = guarded(settings)
    await sink.send(gzip.compress(FIRST))
    try:
        return gzip.decompress(await sink.missing(BOTH))
    finally:
        await sink.close()


@pytest.mark.system
@pytest.mark.parametrize("path", ["", "/", "/influx"])
@pytest.mark.parametrize("database", [None, "city"])
async def test_only_what_is_missing_is_sent_again_by_whatever_path_and_api(
    tmp_path: Path, path: str, database: str | None
) -> None:
    async with _victoria_metrics(tmp_path) as server:
        assert await _missing_of_both(influx_settings(server.url + path, database=database)) == SECOND


@pytest.mark.system
async def test_who_must_sign_in_to_write_signs_in_to_ask(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret", encoding="utf-8")
    async with _victoria_metrics(tmp_path, Locked) as server:
        settings = influx_settings(server.url, database="city", username="prehod", password_file=password)
        assert await _missing_of_both(settings) == SECOND


@pytest.mark.system
async def test_a_cluster_behind_one_address_is_asked_where_it_is_read(tmp_path: Path) -> None:
    async with _victoria_metrics(tmp_path) as server, aiohttp.ClientSession(server.url) as client:

        async def vmauth(request: web.Request) -> web.Response:
            for outside, inside in (("/insert/7/influx", "/influx"), ("/select/7/prometheus", "")):
                if request.path.startswith(outside):
                    where, body = inside + request.path.removeprefix(outside), await request.read()
                    headers = {"Content-Encoding": request.headers.get("Content-Encoding", "identity")}
                    async with client.get("/internal/force_flush"):
                        pass
                    query = request.query
                    async with client.request(
                        request.method, where, params=query, data=body, headers=headers
                    ) as answer:
                        kind = answer.headers.get("Content-Type", "")
                        content = await answer.read()
                        return web.Response(status=answer.status, body=content, headers={"Content-Type": kind})
            return web.Response(status=400, text="missing route")

        async with _serving(vmauth) as url:
            assert await _missing_of_both(influx_settings(f"{url}/insert/7/influx")) == SECOND


@pytest.mark.system
async def test_many_series_over_a_long_time_are_compared_within_bounds(tmp_path: Path) -> None:
    async with _victoria_metrics(tmp_path) as server:
        sink = guarded(influx_settings(server.url))
        # 200 sensors over 30 days; of the batch that is asked about, each second reading is there.
        line = b"air_quality,gateway=g,sensor=s%d pm25=1,quality=0i %d\n"
        hour = 3600 * 10**9
        crowd = [line % (sensor, NOW + at * hour) for sensor in range(200) for at in range(0, 720, 7)]
        batch = [line % (number % 200, NOW + number * hour // 7 + 1_000_000) for number in range(5000)]
        await sink.send(gzip.compress(b"".join(crowd)))
        await sink.send(gzip.compress(b"".join(batch[::2])))
        assert gzip.decompress(await sink.missing(gzip.compress(b"".join(batch)))) == b"".join(batch[1::2])
        await sink.close()


@pytest.mark.system
@pytest.mark.requires("influxd")
async def test_influxdb_is_sent_everything_again_and_not_asked_twice(tmp_path: Path) -> None:
    async with Influxd(tmp_path / "influxd") as server:
        sink = guarded(influx_settings(server.url, database=server.database))
        await sink.send(gzip.compress(FIRST))
        assert await sink.missing(BOTH) == BOTH
        await server.stop()
        assert await sink.missing(BOTH) == BOTH, "it is known by now"
        await sink.close()


@pytest.mark.parametrize("status", [401, 403, 302])
async def test_who_does_not_let_us_ask_gets_everything_and_the_log_says_so_once(status: int) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with _serving(refuse) as url:
        sink = guarded(influx_settings(url))
        with structlog.testing.capture_logs() as logs:
            assert await sink.missing(BOTH) == BOTH
            assert await sink.missing(BOTH) == BOTH
        await sink.close()
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert "if it keeps duplicates" in logs[0]["event"]


async def test_a_victoria_metrics_at_another_address_is_not_taken_for_influxdb() -> None:
    async def no_such_path(_: web.Request) -> web.Response:
        return web.Response(status=400, headers={"X-Server-Hostname": "vminsert-1"})

    async with _serving(no_such_path) as url:
        sink = guarded(influx_settings(url))
        with structlog.testing.capture_logs() as logs:
            assert await sink.missing(BOTH) == BOTH
        await sink.close()
    assert logs


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_who_cannot_answer_now_is_asked_again_later(status: int) -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.Response(status=status)

    async with _serving(busy) as url:
        sink = guarded(influx_settings(url))
        with pytest.raises(SinkAway, match=f"{status}, asked which readings it has") as caught:
            await sink.missing(BOTH)
        await sink.close()
    assert caught.value.in_doubt


async def test_an_answer_that_breaks_off_or_makes_no_sense_stores_nothing_and_loses_nothing() -> None:
    async def torn(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/stream+json"})
        await answer.prepare(request)
        await answer.write(b'{"metric": {"__name__"')
        if request.path.endswith("export") and request.query["start"]:
            assert request.transport is not None
            request.transport.abort()
        return answer

    async with _serving(torn) as url:
        sink = guarded(influx_settings(url, timeout=f"{patience()}s"))
        with pytest.raises(SinkAway) as caught:
            await sink.missing(BOTH)
        await sink.close()
    assert caught.value.in_doubt


async def test_a_server_that_never_answers_is_away() -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with _serving(hang) as url:
        sink = guarded(influx_settings(url, timeout="100ms"))
        with pytest.raises(SinkAway):
            await sink.missing(BOTH)
        await sink.close()


@pytest.mark.system
async def test_what_is_missing_and_sent_again_is_there_once(tmp_path: Path) -> None:
    async with _victoria_metrics(tmp_path) as server:
        sink = guarded(influx_settings(server.url, database="city"))
        await sink.send(gzip.compress(FIRST))
        for _ in range(2):
            await sink.send(BOTH, in_doubt=True)
        assert await sink.missing(BOTH) == b""
        await sink.close()
        assert len(await read_victoria_metrics(server.url)) == 4, "two readings of two fields"


async def test_only_a_body_in_doubt_is_asked_about_and_goes_on_without_what_is_there() -> None:
    asked: list[str] = []
    written: list[bytes] = []
    series = {"metric": {"__name__": "air_quality_quality", "gateway": "g", "sensor": "a"}, "values": [0]}

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            written.append(gzip.decompress(await request.read()))
            return web.Response(status=204)
        asked.append(request.path)
        body = json.dumps({**series, "timestamps": [NOW // 1_000_000]})
        return web.Response(text=body, content_type="application/stream+json")

    async with _serving(answer) as url:
        sink = guarded(influx_settings(url))
        await sink.send(BOTH)
        assert (written, asked) == ([FIRST + SECOND], [])
        await sink.send(BOTH, in_doubt=True)
        assert written[1:] == [SECOND]
        await sink.send(gzip.compress(FIRST), in_doubt=True)
        await sink.close()
    assert len(written) == 2, "there was nothing left to be sent"
    assert asked.count("/api/v1/export") == 2
