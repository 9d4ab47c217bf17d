"""The ways to a broker: both versions of MQTT, passwords, and certificates on both sides."""

import subprocess
from pathlib import Path

import pytest

from firmware_sim.servers.servers import Mosquitto, Tls
from tests.support.certificates import Certificates
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


async def test_a_stream_arrives_encrypted_with_certificates_on_both_sides(
    rig: Rig, certificates: Certificates
) -> None:
    broker = await rig.serve(Mosquitto, tls=_demanding(certificates))
    settings = _both_sides(certificates)
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
    rig: Rig, certificates: Certificates, missing: str, said: str
) -> None:
    broker = await rig.serve(Mosquitto, tls=_demanding(certificates))
    settings = _both_sides(certificates)
    del settings[missing]
    gateway = await rig.gateway(rig.stream_source(f"mqtts://127.0.0.1:{broker.tls_port}", **settings))
    state = await gateway.until(lambda state: said in state["sources"]["stream"]["problem"])
    assert not state["sources"]["stream"]["up"]


def _demanding(files: Certificates) -> Tls:
    return Tls(files.server, files.server_key, files.authority, client_certificates=True)


def _both_sides(files: Certificates) -> dict[str, str]:
    return {
        "ca_file": str(files.authority),
        "certificate_file": str(files.client),
        "key_file": str(files.client_key),
    }


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
