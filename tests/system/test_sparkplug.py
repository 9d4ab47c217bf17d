"""A Sparkplug edge node behind a real broker: asked for its birth, it gives it, and each reading is stored once."""

import asyncio
import time
from typing import Self

import aiomqtt
import pytest

from firmware_sim.devices.sparkplug_b import EdgeNode
from firmware_sim.patience import patience
from firmware_sim.servers.servers import Mosquitto
from firmware_sim.truth.compare import compare
from firmware_sim.truth.ledger import Truth
from tests.system.conftest import Gateway, Rig, State

pytestmark = pytest.mark.system


class ReadOnly(Mosquitto):
    """A broker on which nobody may command."""

    def _command(self) -> list[str]:
        command = super()._command()
        rules = [f"topic readwrite spBv1.0/+/{verb}/#" for verb in ("NBIRTH", "DBIRTH", "NDATA", "DDATA")]
        permissions = self.directory / "acl"
        permissions.write_text("\n".join([*rules, "topic read spBv1.0/+/NCMD/+"]) + "\n", encoding="utf-8")
        with (self.directory / "mosquitto.conf").open("a", encoding="utf-8") as configuration:
            configuration.write(f"acl_file {permissions.resolve()}\n")
        return command


class OnTheAir:
    """An edge node that publishes with QoS 0, as the standard says, and obeys at once.

    What it says before its birth number ``heard_from`` is nobody's.
    """

    def __init__(self, node: EdgeNode, broker: Mosquitto) -> None:
        self.node = node
        self.heard_from = 1
        self.commands = 0
        self._began = time.monotonic()
        self._client = aiomqtt.Client("127.0.0.1", broker.port)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        await self._client.subscribe(self.node.commands)
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._client.__aexit__(None, None, None)

    async def turns(self, count: int) -> None:
        for _ in range(count):
            for message in self.node.tick(time.monotonic() - self._began, time.time_ns()):
                await self._client.publish(message.topic, message.payload, qos=0)
                message.heard(self.node.births >= self.heard_from)
            await asyncio.sleep(0.01)

    async def until_born(self, births: int) -> None:
        async with asyncio.timeout(patience()):
            while self.node.births < births:
                await self.turns(1)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            self.commands += 1
            assert self.node.receive(str(message.topic), message.payload), "not a command as the standard has it"


async def _listening(rig: Rig, broker: Mosquitto) -> Gateway:
    gateway = await rig.gateway(f'[sources.edge]\ntype = "mqtt"\nurl = "{broker.url}"\ndriver = "sparkplug_b"\n')
    await gateway.listening()
    return gateway


async def _stored(gateway: Gateway, truth: Truth) -> None:
    """Wait until everything has come, and compare it."""
    await gateway.until(lambda state: state["sources"]["edge"]["readings"] >= len(truth))
    await gateway.stop()
    report = compare(truth, gateway.spooled())
    assert report.exact, report.differences
    assert report.stored == len(truth) > 20
    assert not gateway.logged(level="error")


async def test_a_gateway_that_comes_late_asks_for_a_birth_and_stores_each_reading_once(rig: Rig) -> None:
    broker, truth = await rig.serve(Mosquitto), Truth()
    async with OnTheAir(EdgeNode("koper", "edge-1", truth, "seed", interval=0.05), broker) as edge:
        edge.heard_from = 2
        await edge.turns(20)
        gateway = await _listening(rig, broker)
        await edge.until_born(2)
        await edge.turns(100)
        state = await gateway.state()
        assert (edge.commands, state["sources"]["edge"]["commands"]) == (1, 1)
        await _stored(gateway, truth)


async def test_after_a_message_was_lost_the_node_is_asked_for_all_again_and_nothing_is_doubled(rig: Rig) -> None:
    broker, truth = await rig.serve(Mosquitto), Truth()
    async with OnTheAir(EdgeNode("koper", "edge-1", truth, "seed", interval=0.05), broker) as edge:
        gateway = await _listening(rig, broker)
        await edge.turns(100)
        edge.node.lose(1)
        edge.heard_from = 2
        await edge.until_born(2)
        await edge.turns(100)
        assert edge.commands == 1
        await _stored(gateway, truth)


async def test_a_broker_on_which_we_may_not_publish_is_read_all_the_same(rig: Rig) -> None:
    broker, truth = await rig.serve(ReadOnly), Truth()
    async with OnTheAir(EdgeNode("koper", "edge-1", truth, "seed", interval=0.05), broker) as edge:
        edge.heard_from = 2
        await edge.turns(20)
        gateway = await _listening(rig, broker)
        async with asyncio.timeout(patience()):
            while not _read_again(state := await gateway.state()):
                await edge.turns(10)
        assert (edge.commands, state["sources"]["edge"]["commands"]) == (0, 1)
        edge.node.reboot()
        await edge.turns(100)
        await _stored(gateway, truth)
        assert len(gateway.logged(event="link down")) <= 1


def _read_again(state: State) -> bool:
    """Tell whether it is read well after our command, for which Mosquitto 2.0.11 ends the connection once."""
    source = state["sources"]["edge"]
    return bool(source["up"] and source["rejects"].get("unsupported", 0) > 20)
