"""The ways to a broker: both versions of MQTT, passwords, and certificates on both sides."""

import subprocess
from pathlib import Path

import pytest

from firmware_sim.servers.servers import Mosquitto, Tls
from tests.support.requirements import require_program
from tests.system.conftest import Rig

pytestmark = pytest.mark.system


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_a_stream_arrives_over_either_version_of_mqtt(rig: Rig, protocol: str) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url, protocol=protocol))
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(1_000)
    await gateway.holds(1_000)
    await gateway.stop()
    stream.send(1_500)  # for an absent client: its session is kept
    await stream.sent()
    await gateway.start()
    await gateway.holds(2_500)
    assert stream.differences(gateway.spooled()) == {}
    # Mosquitto writes its own number for the version: 2 is MQTT 3.1.1.
    assert f"as prehod-koper-test-stream (p{5 if protocol == '5' else 2}," in broker.log.read_text(encoding="utf-8")


async def test_a_stream_arrives_with_a_password_and_a_wrong_one_is_said_in_words(rig: Rig, tmp_path: Path) -> None:
    passwords, mine = tmp_path / "passwords", tmp_path / "password"
    passwords.touch(mode=0o600)
    _run("mosquitto_passwd", "-b", str(passwords), "prehod", "sol in morje")
    mine.write_text("poper", encoding="utf-8")
    broker = await rig.serve(Mosquitto, password_file=passwords)
    source = rig.stream_source(broker.url, username="prehod", password_file=str(mine))
    gateway = await rig.gateway(source)
    state = await gateway.until(lambda state: "refused" in state["sources"]["stream"]["problem"])
    assert "sol" not in str(state)
    await gateway.stop()

    mine.write_text("sol in morje\n", encoding="utf-8")
    await gateway.start()
    await gateway.listening()
    stream = rig.stream(broker.url, username="prehod", password="sol in morje")
    stream.send(500)
    await gateway.holds(500)
    assert stream.differences(gateway.spooled()) == {}


async def test_a_stream_arrives_encrypted_with_certificates_on_both_sides(rig: Rig, tmp_path: Path) -> None:
    require_program("openssl")
    authority = _certify(tmp_path, "authority")
    server = _certify(tmp_path, "server", by=authority)
    client = _certify(tmp_path, "client", by=authority)
    tls = Tls(server[0], server[1], authority[0], client_certificates=True)
    broker = await rig.serve(Mosquitto, tls=tls)
    settings = {"ca_file": str(authority[0]), "certificate_file": str(client[0]), "key_file": str(client[1])}
    gateway = await rig.gateway(rig.stream_source(f"mqtts://127.0.0.1:{broker.tls_port}", **settings))
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(5_000)
    await gateway.holds(5_000)
    assert stream.differences(gateway.spooled()) == {}


@pytest.mark.parametrize(
    ("missing", "said"), [("ca_file", "not trusted"), ("certificate_file", "certificate required")]
)
async def test_where_one_side_does_not_trust_the_other_that_is_said_in_words(
    rig: Rig, tmp_path: Path, missing: str, said: str
) -> None:
    require_program("openssl")
    authority = _certify(tmp_path, "authority")
    server = _certify(tmp_path, "server", by=authority)
    client = _certify(tmp_path, "client", by=authority)
    broker = await rig.serve(Mosquitto, tls=Tls(server[0], server[1], authority[0], client_certificates=True))
    settings = {"ca_file": str(authority[0]), "certificate_file": str(client[0]), "key_file": str(client[1])}
    del settings[missing]
    gateway = await rig.gateway(rig.stream_source(f"mqtts://127.0.0.1:{broker.tls_port}", **settings))
    state = await gateway.until(lambda state: said in state["sources"]["stream"]["problem"])
    assert not state["sources"]["stream"]["up"]


def _certify(directory: Path, name: str, by: tuple[Path, Path] | None = None) -> tuple[Path, Path]:
    """Make a key and a certificate for 127.0.0.1, signed by an authority or by itself; return certificate and key."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    command = ["openssl", "req", "-x509", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", f"/CN={name}", "-out", str(certificate), "-keyout", str(key)]
    if by is not None:
        command += ["-CA", str(by[0]), "-CAkey", str(by[1]), "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    _run(*command)
    return certificate, key


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
