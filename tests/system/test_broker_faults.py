"""What a broker and the network before it can do to a source, and what is said of it: one sentence, and no war."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import time
from functools import partial
from pathlib import Path

import aiomqtt
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from firmware_sim.patience import patience
from firmware_sim.servers.servers import Mosquitto
from tests.support.requirements import require, require_own_network
from tests.system.conftest import Gateway, Rig, State

pytestmark = pytest.mark.system

NOW = 1_732_281_600_000
KEEP_ALIVE = 5
"""Seconds: a test waits for their end, and nobody on a loaded machine is late by as many."""
PLUGINS = sorted(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))


class Configured(Mosquitto):
    """Mosquitto with a few lines more in its configuration."""

    def __init__(self, directory: Path, *, more: str, persistence: bool = True) -> None:
        super().__init__(directory, persistence=persistence)
        self.more = more

    def _command(self) -> list[str]:
        command = super()._command()
        path = Path(command[-1])
        path.write_text(path.read_text(encoding="utf-8") + self.more, encoding="utf-8")
        return command


class Elsewhere(Mosquitto):
    """Mosquitto in a network of its own, at the far end of a cable that can be pulled."""

    HERE, THERE = "10.213.77.1", "10.213.77.2"

    @property
    def url(self) -> str:
        """Where it is reached over the cable."""
        return f"mqtt://{self.THERE}:{self.port}"

    def pull(self) -> None:
        """Cut the network: nobody is told."""
        self._inside("ip", "link", "set", self._far, "down")

    def plug(self) -> None:
        """Mend it."""
        self._inside("ip", "link", "set", self._far, "up")

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Lay the cable, then wait for the broker at its far end."""
        deadline = time.monotonic() + patience(seconds)
        while _network(self.pid) == _network(os.getpid()):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        near = f"p{os.getpid()}n"
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", self._far)
        _run("ip", "link", "set", self._far, "netns", str(self.pid))
        _run("ip", "address", "add", f"{self.HERE}/30", "dev", near)
        _run("ip", "link", "set", near, "up")
        self._inside("ip", "address", "add", f"{self.THERE}/30", "dev", self._far)
        self.plug()
        while not await self._answers():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    @property
    def _far(self) -> str:
        return f"p{os.getpid()}f"

    def _inside(self, *command: str) -> None:
        _run("nsenter", "-t", str(self.pid), "-n", *command)

    def _command(self) -> list[str]:
        command = super()._command()
        path = Path(command[-1])
        path.write_text(path.read_text(encoding="utf-8").replace("127.0.0.1", "0.0.0.0"), encoding="utf-8")  # noqa: S104 -- of a network of its own
        unshare = shutil.which("unshare")
        assert unshare is not None
        return [unshare, "--net", *command]

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self.THERE, self.port)
        except OSError:
            return False
        writer.close()
        return True


def _network(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/net").readlink())


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def problem(state: State) -> str:
    return str(state["sources"]["stream"]["problem"])


def told(gateway: Gateway, event: str, words: str) -> int:
    """Count the entries of the log about the source that hold these words."""
    entries = gateway.logged(event=event, link="stream")
    return sum(words in entry.get("problem", "") for entry in entries)


async def test_a_cut_that_says_nothing_is_noticed_by_the_keep_alive_and_costs_nothing(rig: Rig) -> None:
    require_own_network()
    broker = await rig.serve(Elsewhere)
    gateway = await rig.gateway(rig.stream_source(broker.url, keepalive=f"{KEEP_ALIVE}s"))
    await gateway.listening()
    stream = rig.stream(broker.url, rate=500)
    stream.send(2_000)
    await gateway.until(lambda state: state["readings"]["committed"] > 200)
    broker.pull()
    await gateway.until(lambda state: not state["sources"]["stream"]["up"])
    broker.plug()
    await gateway.listening()
    await stream.sent()
    await gateway.holds(2_000)
    assert stream.differences(gateway.spooled()) == {}
    assert len(gateway.logged(event="link up", link="stream")) == 2


async def test_a_broker_that_hangs_is_noticed_and_when_it_goes_on_nothing_is_lost(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url, keepalive=f"{KEEP_ALIVE}s"))
    await gateway.listening()
    stream = rig.stream(broker.url, rate=500)
    stream.send(1_000)
    await gateway.until(lambda state: state["readings"]["committed"] > 100)
    broker.freeze()
    state = await gateway.until(lambda state: not state["sources"]["stream"]["up"])
    assert problem(state) == f"no answer for {KEEP_ALIVE} s: the network is cut, or the broker hangs"
    assert any(f"no answer for {KEEP_ALIVE} s" in one for one in state["problems"])
    broker.thaw()
    await gateway.listening()
    await stream.sent()
    await gateway.holds(1_000)
    assert stream.differences(gateway.spooled()) == {}


async def test_a_broker_that_is_killed_and_keeps_nothing_loses_its_session_and_no_reading_is_doubled(
    rig: Rig,
) -> None:
    broker = await rig.serve(Mosquitto, persistence=False)
    gateway = await rig.gateway(rig.stream_source(broker.url))
    for count in (500, 1_000):
        await gateway.listening()
        stream = rig.stream(broker.url)
        stream.send(500)
        await stream.sent()
        await gateway.holds(count)
        stream.close()
        broker.kill()
        await gateway.until(lambda state: not state["sources"]["stream"]["up"])
        await broker.start()
    await gateway.listening()
    state = await gateway.state()
    assert state["spool"]["readings"] == 1_000
    assert state["sources"]["stream"]["repeated"] == 0


async def test_a_password_that_is_changed_and_changed_back_needs_no_restart(rig: Rig, tmp_path: Path) -> None:
    passwords, mine = tmp_path / "passwords", tmp_path / "password"
    passwords.touch(mode=0o600)
    mine.write_text("sol", encoding="utf-8")
    _run("mosquitto_passwd", "-b", str(passwords), "prehod", "sol")
    broker = await rig.serve(Mosquitto, password_file=passwords)
    gateway = await rig.gateway(rig.stream_source(broker.url, username="prehod", password_file=str(mine)))
    await gateway.listening()

    _run("mosquitto_passwd", "-b", str(passwords), "prehod", "poper")
    await broker.restart()
    await gateway.until(lambda state: "refused us: Not authorized" in problem(state))
    mine.write_text("poper\n", encoding="utf-8")  # the gateway's own is changed in its turn
    await gateway.listening()
    assert told(gateway, "link down", "refused us") == 1
    stream = rig.stream(broker.url, username="prehod", password="poper")
    stream.send(100)
    await gateway.holds(100)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_subscription_that_is_refused_is_said_with_its_topic_until_it_is_granted(
    rig: Rig, tmp_path: Path, protocol: str
) -> None:
    require(PLUGINS, "mosquitto has no plugin for access control")
    rights = tmp_path / "rights.json"
    more = f"plugin {PLUGINS[0]}\nplugin_opt_config_file {rights}\n"
    _allow(rights, subscribe=False)
    broker = await rig.serve(Configured, more=more)
    gateway = await rig.gateway(rig.stream_source(broker.url, protocol=protocol))
    await gateway.until(lambda state: "refused the subscription to stream/+/air (" in problem(state))
    _allow(rights, subscribe=True)
    await broker.restart()
    await gateway.listening()
    assert told(gateway, "link down", "refused the subscription") == 1


def _allow(rights: Path, *, subscribe: bool) -> None:
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": subscribe, "unsubscribe": True}
    rights.write_text(json.dumps({"defaultACLAccess": access}), encoding="utf-8")


async def test_a_broker_that_grants_less_than_asked_for_is_a_problem_although_readings_come(rig: Rig) -> None:
    broker = await rig.serve(Configured, more="max_qos 0\n")
    gateway = await rig.gateway(rig.stream_source(broker.url))
    state = await gateway.until(lambda state: state["sources"]["stream"]["up"])
    (said,) = [one for one in state["problems"] if one.startswith("stream: ")]
    assert "the broker grants QoS 0 where we asked for 1" in said
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish("stream/s1/air", json.dumps({"ts": NOW, "pm25": 1.5}))
    await gateway.holds(1)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_two_clients_of_one_id_fight_no_war_and_the_id_is_named(rig: Rig, protocol: str) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url, protocol=protocol))
    await gateway.listening()
    rival = paho.Client(CallbackAPIVersion.VERSION2, "prehod-koper-test-stream", clean_session=False)
    rival.reconnect_delay_set(0.2, 0.2)  # type: ignore[arg-type] # paho itself takes fractions
    rival.connect("127.0.0.1", broker.port)
    rival.loop_start()
    try:
        # Mosquitto 2.0.11 just drops us; newer ones give MQTT 5 clients the reason.
        words = re.compile("another client uses? the id 'prehod-koper-test-stream'")
        state = await gateway.until(lambda state: words.search(problem(state)))
        assert state["sources"]["stream"]["restarts"] <= 6
        assert any(words.search(one) for one in state["problems"])
    finally:
        rival.disconnect()
        rival.loop_stop()


async def test_a_retained_reading_that_comes_with_every_connection_is_stored_once(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish("stream/s1/air", json.dumps({"ts": NOW, "pm25": 1.5}), qos=1, retain=True)
        wire = await rig.wire(broker.port)
        # MQTT 3.1.1 has no way to ask for retained messages with a new subscription only.
        gateway = await rig.gateway(rig.stream_source(f"mqtt://127.0.0.1:{wire.port}", protocol="3.1.1"))
        await gateway.holds(1)
        await client.publish("stream/s1/air", json.dumps({"ts": NOW + 1, "pm25": 3.5}), qos=1)
        await gateway.holds(2)
        for repeats in (1, 2):
            wire.cut()
            await gateway.until(partial(_repeated, repeats))
    assert [point.fields["pm25"] for point in gateway.spooled()] == [1.5, 3.5]


def _repeated(count: int, state: State) -> bool:
    return bool(state["sources"]["stream"]["repeated"] >= count)


async def test_a_broker_that_dies_while_the_disk_is_full_is_seen_to_be_away(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = rig.make_gateway(rig.stream_source(broker.url))
    gateway.more = 'max_bytes = "64KiB"\non_full = "refuse_new"'
    await gateway.start()
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(60_000)
    await gateway.until(lambda state: any(one.startswith("spool: ") for one in state["problems"]))
    assert (await gateway.state())["sources"]["stream"]["up"], "it goes on hearing its broker"
    broker.kill()
    state = await gateway.until(lambda state: not state["sources"]["stream"]["up"])
    assert any(one.startswith("stream: ") for one in state["problems"])
    await broker.start()
    await gateway.listening()
