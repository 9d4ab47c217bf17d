"""A certificate that is refused is refused in words, with the remedy: after an upgrade of Python above all."""

import asyncio
import gzip
import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.credentials import tls_error, tls_problem
from gateway.errors import LinkRefused, SinkAway
from gateway.links.mqtt.connection import Connection
from gateway.links.mqtt.settings import MqttSettings
from gateway.sinks.influxdb import InfluxSink
from gateway.sinks.live_mqtt import LiveSink
from gateway.sinks.settings import InfluxSettings, LiveSettings
from tests.support.certificates import KEY_USAGE, STRICT, Authority, Certificate, without_key_usage
from tests.support.clock import FakeClock

HEADING = "Certificates of your own"
GUIDE = f'docs/install.md, "{HEADING}"'
NO_KEY_USAGE = (
    "not trusted: CA cert does not include key usage extension; make the authority (ca_file) anew with keyUsage, as"
    f" Python 3.13 and later require: {GUIDE}"
)


def handshake(
    server: Certificate, authority: Path, name: str = "127.0.0.1", *, strict: bool = True
) -> ssl.SSLError | None:
    """Let a client that trusts an authority meet a server; return what it says of the certificate, or None."""
    ours, theirs = ssl.create_default_context(cafile=authority), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(*server)
    ours.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if strict:
        ours.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (ours.wrap_bio(back, there, server_hostname=name), theirs.wrap_bio(there, back, server_side=True))
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error
    assert ends[0].getpeercert(), "the handshake is over"
    return None


def commands() -> list[str]:
    """Return the blocks of commands under the guide's heading: the certificates, and the authority made anew."""
    guide = (Path(__file__).parents[1] / "docs" / "install.md").read_text(encoding="utf-8")
    section = guide.split(f"## {HEADING}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def run(script: str, where: Path) -> None:
    subprocess.run(["sh", "-ec", script], cwd=where, check=True, capture_output=True)


@pytest.mark.requires("openssl")
def test_certificates_made_as_the_guide_makes_them_are_good_enough_and_an_old_authority_can_be_made_anew(
    tmp_path: Path,
) -> None:
    make, make_anew = commands()
    authority, server = tmp_path / "ca.pem", Certificate(tmp_path / "broker.pem", tmp_path / "broker.key")
    run(make, tmp_path)
    assert handshake(server, authority, "broker.example") is None
    careless = make.replace(f"-addext {KEY_USAGE} ", "")
    assert careless != make
    run(careless, tmp_path)
    assert handshake(server, authority, "broker.example") is not None
    run(make_anew, tmp_path)
    assert handshake(server, authority, "broker.example") is None


def test_an_authority_without_key_usage_is_refused_by_a_strict_python_alone_and_told_how_to_mend_it(
    tmp_path: Path,
) -> None:
    authority = without_key_usage(tmp_path)
    server = authority.certify("broker")
    assert handshake(server, authority.file, strict=False) is None
    error = handshake(server, authority.file)
    assert error is not None
    assert tls_problem(error, "the broker's") == f"TLS: the broker's certificate is {NO_KEY_USAGE}"


@pytest.mark.parametrize(
    ("authority", "server", "said"),
    [
        ("basicConstraints=CA:TRUE", (), "Basic Constraints of CA cert not marked critical"),
        ("", ("authorityKeyIdentifier=none",), "Missing Authority Key Identifier"),
    ],
)
def test_what_else_a_strict_python_refuses_is_told_with_the_guide(
    tmp_path: Path, authority: str, server: tuple[str, ...], said: str
) -> None:
    made = Authority(tmp_path, "authority", KEY_USAGE, *filter(None, [authority]))
    error = handshake(made.certify("broker", *server), made.file)
    assert error is not None
    assert tls_problem(error, "the server's") == (
        f"TLS: the server's certificate is not trusted: {said};"
        f" make the certificates anew, Python 3.13 and later are strict: {GUIDE}"
    )


def test_a_stranger_is_told_with_another_remedy(tmp_path: Path) -> None:
    error = handshake(Authority(tmp_path).certify("broker"), Authority(tmp_path, "stranger").file)
    assert error is not None
    assert tls_problem(error, "the broker's") == (
        "TLS: the broker's certificate is not trusted: unable to get local issuer certificate;"
        " name the authority that signed it in ca_file"
    )


def test_what_has_nothing_to_do_with_tls_is_no_tls_error() -> None:
    assert tls_error(OSError("gone")) is None
    assert tls_error(None) is None


# --- whoever speaks TLS says it


@pytest.fixture
async def careless(tmp_path: Path) -> AsyncIterator[tuple[int, Path]]:
    """A server whose authority has no keyUsage; its port and the authority."""
    authority = without_key_usage(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certify("server"))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1], authority.file
    server.close()
    await server.wait_closed()


async def _source(port: int, authority: Path) -> None:
    connection = Connection(MqttSettings(url=f"mqtts://127.0.0.1:{port}", topics=("#",), ca_file=authority))
    try:
        await connection.open()
    finally:
        connection.close()


async def _live(port: int, authority: Path) -> None:
    settings = LiveSettings(url=f"mqtts://127.0.0.1:{port}", ca_file=authority)
    await LiveSink(settings, "status", dict, lambda _: None, clock=FakeClock()).run(lambda: None)


async def _database(port: int, authority: Path) -> None:
    settings = InfluxSettings(url=f"https://127.0.0.1:{port}", org="koper", bucket="city", ca_file=authority)
    sink = InfluxSink(settings, FakeClock())
    try:
        await sink.send(gzip.compress(b"air_quality pm25=1 1\n"))
    finally:
        await sink.close()


@STRICT
@pytest.mark.parametrize(
    ("connect", "kind", "other"),
    [(_source, LinkRefused, "broker"), (_live, LinkRefused, "broker"), (_database, SinkAway, "server")],
)
async def test_a_hand_made_authority_is_told_how_to_mend_by_whoever_meets_it(
    careless: tuple[int, Path], connect: Callable[[int, Path], Awaitable[None]], kind: type[Exception], other: str
) -> None:
    port, authority = careless
    said = f"127.0.0.1:{port}: TLS: the {other}'s certificate is {NO_KEY_USAGE}"
    with pytest.raises(kind, match=re.escape(said)):
        await connect(port, authority)


@STRICT
async def test_who_watches_its_live_topics_is_told_too(
    careless: tuple[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port, authority = careless
    path = tmp_path / "prehod.toml"
    path.write_text(
        '[gateway]\nid = "koper-01"\ncity = "Koper"\n'
        f'[sinks.live]\ntype = "mqtt"\nurl = "mqtts://127.0.0.1:{port}"\nca_file = "{authority}"\n',
        encoding="utf-8",
    )
    assert await asyncio.to_thread(main, ["watch", "--config", str(path), "--plain"]) == 1
    assert f"broker 127.0.0.1:{port}: TLS: the broker's certificate is {NO_KEY_USAGE}" in capsys.readouterr().err
