"""Databases as sites have them: behind a path, a proxy or a second password, and what their versions answer.

Ids are those of `tests.support.message_cases`. Readings are posted: each is in the spool once it is answered.
"""

import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from firmware_sim.bench.toml import table
from firmware_sim.servers.http_proxy import HttpProxy
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Poison
from firmware_sim.servers.process import free_port
from firmware_sim.servers.readback import read_influxdb
from firmware_sim.servers.servers import Influxd
from firmware_sim.truth.points import StoredPoint
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

DAY = 86_400
V1 = {"type": "influxdb", "api": "v1", "database": "city"}
V2 = {"type": "influxdb", "org": "o", "bucket": "city"}


@asynccontextmanager
async def before(server: str, path: str = "", login: str | None = None) -> AsyncIterator[str]:
    """Stand before a server as a reverse proxy does: below ``path``, and for who shows ``name:password`` alone."""
    wanted = None if login is None else "Basic " + base64.b64encode(login.encode()).decode()

    async def passed_on(request: web.Request) -> web.Response:
        if wanted not in (None, request.headers.get("Authorization")):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="site"'})
        if not request.path.startswith(f"{path}/"):
            return web.Response(status=404, text="<html><title>404 Not Found</title>nginx</html>")
        headers = {name: value for name, value in request.headers.items() if name in ("Content-Encoding", "Accept")}
        if token := request.headers.get("X-Authorization"):
            headers["Authorization"] = token
        url, data = server + request.path_qs.removeprefix(path), await request.read()
        async with client.request(request.method, url, data=data, headers=headers) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    application = web.Application(client_max_size=1 << 26)
    application.router.add_route("*", "/{any:.*}", passed_on)
    runner = web.AppRunner(application, access_log=None, auto_decompress=False)
    async with aiohttp.ClientSession() as client:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
        finally:
            await runner.cleanup()


def posts(port: int) -> str:
    options = {"kind": "air_quality", "sensor": "id", "fields": {"pm25": "v"}, "time": "t", "time_format": "s"}
    listen = f"127.0.0.1:{port}"
    return table("sources.posts", type="http", listen=listen, driver="json", options=options)


async def post(port: int, **ages: int) -> None:
    """Post a reading of each sensor, so many seconds old."""
    now = int(time.time())
    async with aiohttp.ClientSession() as client:
        for sensor, age in ages.items():
            body = json.dumps({"id": sensor, "v": 1.5, "t": now - age})
            async with client.post(f"http://127.0.0.1:{port}/posts", data=body) as answer:
                assert answer.status == 200, await answer.text()


async def query(influxd: Influxd, words: str) -> None:
    async with (
        aiohttp.ClientSession(influxd.url) as client,
        client.post("/query", data={"q": words}) as answer,
    ):
        assert "error" not in await answer.text()


async def delivered(gateway: Gateway, count: int) -> None:
    await gateway.until(
        lambda state: state["spool"]["readings"] == count and not any(state["spool"]["pending"].values())
    )


def sensors(points: list[StoredPoint]) -> list[str]:
    return sorted(point.tags["sensor"] for point in points)


def quarantine(gateway: Gateway, sink: str) -> str:
    file = gateway.spool / "quarantine" / f"{sink}.lp"
    return file.read_text(encoding="utf-8") if file.exists() else ""


async def test_each_way_to_a_database_leads_there(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    (tmp_path / "password").write_text("second\n", encoding="utf-8")
    influxd = await rig.serve(Influxd)
    token = {"token_file": str(tmp_path / "token")}
    login = {"username": "prehod", "password_file": str(tmp_path / "password")}
    port = free_port()
    async with (
        InfluxEndpoint(token="secret") as endpoint,
        before(influxd.url, "/influx") as below,
        before(endpoint.url, login="prehod:second") as guarded,
        HttpProxy(names={"influx.invalid": ("127.0.0.1", influxd.port)}) as proxy,
    ):
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        names = {"g75": "g75", "g75-slash": "g75 slash", "g76": "g76", "g83": "city data"}
        for name in names.values():
            await query(influxd, f'CREATE DATABASE "{name}"')
        sinks: Mapping[str, Mapping[str, object]] = {
            "g75": {**V1, "url": below, "database": names["g75"]},
            "g75-slash": {**V1, "url": f"{below}/", "database": names["g75-slash"]},
            "g76": {**V1, "url": "http://influx.invalid:8086", "database": names["g76"]},
            "g83": {**V1, "url": influxd.url, "database": names["g83"]},
            "g72-token": {**V2, "url": endpoint.url, "bucket": "newline", **token},
            "g77": {**V2, "url": guarded, "bucket": "guarded", **token, **login},
            "g79": {"type": "influxdb", "api": "v3", "url": endpoint.url, "database": "three", **token},
            "g83-bucket": {**V2, "url": endpoint.url, "bucket": "mesto Škofja Loka/2026", **token},
        }
        parts = [table(f"sinks.{name}", **settings) for name, settings in sinks.items()]
        gateway = await rig.gateway(posts(port), *parts)
        await gateway.listening()
        await post(port, a=2, b=1)
        await delivered(gateway, 2)
        found = {name: sensors(await read_influxdb(influxd.url, name)) for name in names.values()}
        found |= {
            name: sensors(endpoint.points(name)) for name in ("newline", "guarded", "three", "mesto Škofja Loka/2026")
        }
        assert {name for name, stored in found.items() if stored != ["a", "b"]} == set(), found
        assert any(one.startswith("POST http://influx.invalid:8086/write") for one in proxy.requests)


async def test_a_wrong_way_is_told_with_its_remedy(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    port = free_port()
    token = {"token_file": str(tmp_path / "token")}
    async with (
        InfluxEndpoint(token="secret") as endpoint,
        before(endpoint.url, "/influx") as below,
        before(endpoint.url, login="prehod:second") as guarded,
    ):
        wrong = {
            "path": ({**V2, "url": below.removesuffix("/influx"), **token}, "is the path in the url right?"),
            "guarded": ({**V2, "url": guarded, **token}, "set username and password_file"),
        }
        gateway = await rig.gateway(posts(port), *(table(f"sinks.{name}", **one) for name, (one, _) in wrong.items()))
        await gateway.listening()
        await post(port, a=0)
        await gateway.until(
            lambda state: all(
                any(problem.startswith(name) and words in problem for problem in state["problems"])
                for name, (_, words) in wrong.items()
            )
        )


async def test_readings_that_a_version_refuses_are_put_aside_with_its_words(rig: Rig) -> None:
    influxd = await rig.serve(Influxd)
    await query(influxd, 'ALTER RETENTION POLICY "autogen" ON "city" DURATION 1d SHARD DURATION 1h')
    port = free_port()
    beyond = "points beyond retention policy"
    other = "invalid column type for column 'pm25', expected float, got string"
    old = {"g80": other, "g80-v2": other, "g81": beyond}
    async with InfluxEndpoint() as three, InfluxEndpoint(influxdb3=True) as as_two, InfluxEndpoint() as two:
        for endpoint, status in ((three, None), (as_two, None), (two, 500)):
            reason = beyond if endpoint is two else other
            endpoint.fail_with(Poison(lambda line: "sensor=old" in line, reason, status=status))
        sinks: Mapping[str, Mapping[str, object]] = {
            "g80": {"type": "influxdb", "api": "v3", "url": three.url, "database": "city"},
            "g80-v2": {**V2, "url": as_two.url},
            "g81": {**V2, "url": two.url},
            "g82": {**V1, "url": influxd.url},
        }
        gateway = await rig.gateway(posts(port), *(table(f"sinks.{name}", **one) for name, one in sinks.items()))
        await gateway.listening()
        await post(port, a=2, old=9 * DAY, b=1)
        await delivered(gateway, 3)
        for endpoint in (three, as_two, two):
            assert sensors(endpoint.points()) == ["a", "b"]
        assert sensors(await read_influxdb(influxd.url, "city")) == ["a", "b"]
        for sink in sinks:
            said = quarantine(gateway, sink)
            assert [line for line in said.splitlines() if line and not line.startswith("#")] != []
            assert old.get(sink, "retention policy") in said, said
            assert said.count("sensor=old") == 1, said
