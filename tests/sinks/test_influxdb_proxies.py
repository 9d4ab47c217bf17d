"""What stands before a database: a site's HTTP proxy, and a proxy before the server that asks for a password."""

import base64
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from firmware_sim.servers.http_proxy import HttpProxy
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from gateway.errors import SinkAway, SinkBlocked, SinkError
from gateway.http.proxy import proxy_for, without_credentials
from gateway.sinks.influxdb import InfluxSink
from gateway.sinks.settings import InfluxSettings
from tests.support.clock import FakeClock

BODY = gzip.compress(b"air_quality,sensor=aq-1 pm25=12.5,quality=0i 1732281600000000000\n")
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def endpoint() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint(token="secret") as endpoint:
        yield endpoint


@pytest.fixture
def token(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("secret", encoding="utf-8")
    return tmp_path / "token"


async def _send(url: str, token: Path, **settings: Any) -> SinkError | None:  # noqa: ANN401 -- any setting
    sink = InfluxSink(InfluxSettings(url=url, org="o", bucket="city", token_file=token, **settings), FakeClock())
    try:
        await sink.send(BODY)
    except SinkError as error:
        return error
    finally:
        await sink.close()
    return None


@pytest.mark.parametrize("said", ["setting", "environment", "environment without a scheme"])
async def test_a_database_that_only_the_proxy_knows_is_reached_through_it(
    endpoint: InfluxEndpoint, token: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    async with HttpProxy(names={"influx.invalid": ("127.0.0.1", endpoint.port)}) as proxy:
        settings = {}
        if said == "setting":
            settings["proxy"] = proxy.url
        else:
            monkeypatch.setenv("HTTP_PROXY", proxy.url if said == "environment" else f"127.0.0.1:{proxy.port}")
        assert await _send("http://influx.invalid:8086", token, **settings) is None
        assert proxy.requests == [
            "POST http://influx.invalid:8086/api/v2/write?org=o&bucket=city&precision=ns HTTP/1.1"
        ]
    assert len(endpoint.points()) == 1


async def test_the_proxys_own_password_goes_to_the_proxy_and_into_no_message(
    endpoint: InfluxEndpoint, token: Path
) -> None:
    async with HttpProxy("me:hunter2", {"influx.invalid": ("127.0.0.1", endpoint.port)}) as proxy:
        right = proxy.url.replace("//", "//me:hunter2@")
        assert await _send("http://influx.invalid", token, proxy=right) is None
        (write,) = endpoint.writes
        assert not [name for name in write.headers if name.lower().startswith("proxy")]
        assert write.headers["Authorization"] == "Token secret"
        wrong = await _send("http://influx.invalid", token, proxy=proxy.url.replace("//", "//me:guessed@"))
        assert proxy.refused == 1
    assert isinstance(wrong, SinkBlocked)
    assert f"407, the HTTP proxy http://***@127.0.0.1:{proxy.port} refuses our name or password" in str(wrong)
    away = await _send("http://influx.invalid", token, proxy=right)
    assert isinstance(away, SinkAway)
    assert "the HTTP proxy http://***@" in str(away)
    assert "hunter2" not in str(away)


async def test_tls_goes_through_the_proxy_unread(token: Path, certificates: Any) -> None:  # noqa: ANN401 -- a fixture
    import ssl  # noqa: PLC0415 -- for this test alone

    async def stored(_: web.Request) -> web.Response:
        return web.Response(status=204)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    application = web.Application()
    application.router.add_post("/api/v2/write", stored)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with HttpProxy("me:hunter2") as proxy:
            given = {"ca_file": certificates.authority}
            right = proxy.url.replace("//", "//me:hunter2@")
            assert await _send(f"https://127.0.0.1:{port}", token, proxy=right, **given) is None
            assert proxy.requests == [f"CONNECT 127.0.0.1:{port} HTTP/1.1"]
            refused = await _send(f"https://127.0.0.1:{port}", token, proxy=proxy.url, **given)
            assert isinstance(refused, SinkBlocked)
            assert "407, the HTTP proxy" in str(refused)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("http://db.example", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("http://db.example", {"http_proxy": "http://p:1"}, "http://p:1"),
        ("https://db.example", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://db.example", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://db.example", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("http://db.example", {"HTTP_PROXY": "http://p:1", "NO_PROXY": "other,.example"}, None),
        ("http://db.example", {"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ("http://db.example:8086", {"HTTP_PROXY": "http://p:1", "NO_PROXY": "db.example:8086"}, None),
        ("http://127.0.0.1:8086", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://localhost:8086", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://[::1]:8086", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://db.example", {}, None),
    ],
)
def test_the_environment_says_which_proxy_as_it_does_to_curl(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], proxy: str | None
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url, None) == proxy
    assert proxy_for(url, "http://configured:2") == "http://configured:2"


def test_credentials_are_masked_wherever_they_stand() -> None:
    text = "http://me:a:b@p:1 and https://you@q/x?at=a@b, and http://r/@"
    assert without_credentials(text) == "http://***@p:1 and https://***@q/x?at=a@b, and http://r/@"


# A proxy before the database that asks for a password


@pytest.fixture
async def guarded(endpoint: InfluxEndpoint) -> AsyncIterator[str]:
    """A proxy that asks for a password, and gives the database the token that it finds in X-Authorization."""
    import aiohttp  # noqa: PLC0415 -- for this fixture alone

    async def passed_on(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Basic " + base64.b64encode(b"prehod:second").decode():
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"}, text="<html>401</html>")
        headers = {
            "Authorization": request.headers.get("X-Authorization", "Token secret"),
            "Content-Encoding": "gzip",
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{endpoint.url}{request.rel_url}", data=await request.read(), headers=headers) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())

    application = web.Application()
    application.router.add_post("/{any:.*}", passed_on)
    runner = web.AppRunner(application, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_password_goes_beside_the_token(
    guarded: str, endpoint: InfluxEndpoint, token: Path, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("second\n", encoding="utf-8")
    login = {"username": "prehod", "password_file": tmp_path / "password"}
    assert await _send(guarded, token, **login) is None
    assert len(endpoint.points()) == 1
    refused = await _send(guarded, token)
    assert isinstance(refused, SinkBlocked)
    assert str(refused).endswith("set username and password_file")
    endpoint.token = "rotated"
    assert isinstance(await _send(guarded, token, **login), SinkBlocked)


async def test_a_proxy_that_knows_the_token_gets_the_password_alone(
    guarded: str, endpoint: InfluxEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("second\n", encoding="utf-8")
    settings = InfluxSettings(
        url=guarded, org="o", bucket="city", username="prehod", password_file=tmp_path / "password"
    )
    sink = InfluxSink(settings, FakeClock())
    await sink.send(BODY)
    await sink.close()
    assert len(endpoint.points()) == 1


async def test_headers_of_our_own_go_with_every_write(endpoint: InfluxEndpoint, token: Path) -> None:
    assert await _send(endpoint.url, token, headers={"X-Scope-OrgID": "koper"}) is None
    assert endpoint.writes[0].headers["X-Scope-OrgID"] == "koper"
