"""Brokers as sites have them: what works is heard, and what cannot work is told with its remedy on the health page.

Ids are those of `tests.support.message_cases`.
"""

import asyncio
import json
import ssl
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
import pytest

from firmware_sim.bench.toml import table
from firmware_sim.servers.servers import Mosquitto, Tls
from tests.support.brokers import front, named_protocol, old_version
from tests.support.certificates import Authority, Certificates
from tests.support.requirements import require_program
from tests.support.until import until
from tests.system.conftest import Rig, State

pytestmark = pytest.mark.system

OPTIONS = {"kind": "air_quality", "sensor": "topic:1", "fields": {"temperature": "t"}}


def source(name: str, url: str, **more: object) -> str:
    common = {"type": "mqtt", "url": url, "driver": "json", "topics": [f"ref/{name}"], "options": OPTIONS}
    return table(f"sources.{name}", **common, **more)


def server_context(file: Path, key: Path, *protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


async def everybody(_: object) -> bytes:
    return b""


async def test_each_way_to_a_broker_is_heard_or_told_with_its_remedy(
    rig: Rig, certificates: Certificates, tmp_path: Path
) -> None:
    tls = Tls(certificates.server, certificates.server_key, certificates.authority)
    broker = await rig.serve(Mosquitto, tls=tls)
    (tmp_path / "made").mkdir()
    authority = Authority(tmp_path / "made")
    elsewhere = authority.certify("broker", host="DNS:broker.internal")
    alone = Authority(tmp_path / "made", "alone", "subjectAltName=IP:127.0.0.1")
    alone_context = server_context(alone.file, tmp_path / "made" / "alone.key")
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(
            front(
                broker.port,
                named_protocol,
                server_context(certificates.server, certificates.server_key, "x-amzn-mqtt-ca"),
            )
        )
        other = await stack.enter_async_context(front(broker.port, everybody, server_context(*elsewhere)))
        signed = await stack.enter_async_context(front(broker.port, everybody, alone_context))
        old = await stack.enter_async_context(front(broker.port, old_version))
        ca, others_ca = {"ca_file": str(certificates.authority)}, {"ca_file": str(authority.file)}
        heard = {
            "g65": source("g65", f"mqtts://127.0.0.1:{aws}", **ca, alpn="x-amzn-mqtt-ca"),
            "g66": source("g66", f"mqtts://127.0.0.1:{broker.tls_port}", **ca),
            "g67": source("g67", f"mqtts://127.0.0.1:{signed}", ca_file=str(alone.file)),
            "g67-name": source("g67-name", f"mqtts://127.0.0.1:{other}", **others_ca, server_name="broker.internal"),
            "g68": source("g68", f"mqtt://127.0.0.1:{old}", protocol="3.1.1"),
        }
        told = {
            "tls-to-plain": (f"mqtts://127.0.0.1:{broker.port}", ca, "this port is not encrypted: write mqtt://"),
            "plain-to-tls": (f"mqtt://127.0.0.1:{broker.tls_port}", {}, "this port speaks TLS: write mqtts://"),
            "unknown": (f"mqtts://127.0.0.1:{signed}", {}, "ca_file"),
            "name": (f"mqtts://127.0.0.1:{other}", others_ca, "server_name"),
            "version": (f"mqtt://127.0.0.1:{old}", {}, 'set protocol = "3.1.1"'),
        }
        gateway = await rig.gateway(
            *heard.values(), *(source(name, url, **more) for name, (url, more, _) in told.items())
        )

        def missing(state: State) -> list[str]:
            lacking = [f"{name} is down" for name in heard if not state["sources"][name]["up"]]
            for name, (_, _, words) in told.items():
                said = [problem for problem in state["problems"] if problem.startswith(f"{name}: ")]
                lacking += [] if any(words in one for one in said) else [f"{name}: told {said}, not {words!r}"]
            return lacking

        await gateway.until(lambda state: not missing(state))
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            for number, name in enumerate(heard):
                await client.publish(f"ref/{name}", json.dumps({"t": number}), qos=1)
        await gateway.holds(len(heard))
        assert {point.tags["sensor"] for point in gateway.spooled(torn=True)} == set(heard)


async def test_qos_2_is_refused_with_what_may_be_written(rig: Rig) -> None:
    gateway = rig.make_gateway(source("g69", "mqtt://127.0.0.1", qos=2))
    gateway.directory.mkdir()
    gateway._command()
    done = await asyncio.to_thread(
        subprocess.run, gateway.command("check"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "sources.g69.qos: 2: 0 or 1; with 1 the gateway itself stores each message exactly once" in done.stderr


async def test_a_password_keeps_its_spaces_and_its_file_may_end_in_a_newline(rig: Rig, tmp_path: Path) -> None:
    require_program("mosquitto_passwd")
    known, password = tmp_path / "known", tmp_path / "password"
    make = ["mosquitto_passwd", "-b", "-c", str(known), "prehod", " sp ace "]
    await asyncio.to_thread(subprocess.run, make, check=True)
    password.write_text(" sp ace \n", encoding="utf-8")
    broker = await rig.serve(Mosquitto, password_file=known)
    gateway = await rig.gateway(source("g72", broker.url, username="prehod", password_file=str(password)))
    await gateway.listening()
    async with aiomqtt.Client("127.0.0.1", broker.port, username="prehod", password=" sp ace ") as client:
        await client.publish("ref/g72", b'{"t": 7}', qos=1)
    await until(lambda: [point.fields["temperature"] for point in gateway.spooled(torn=True)] == [7.0])
