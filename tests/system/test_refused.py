"""A wrong configuration costs nothing: what it refused is kept through kills, and read again once, under kills."""

import asyncio
import json
import subprocess
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import aiomqtt
import pytest

from firmware_sim.servers.servers import Mosquitto
from tests.support.until import until
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

MESSAGES = 600


def source(url: str, path: str, topics: str = '["ref/+"]') -> str:
    return f"""
[sources.broker]
type = "mqtt"
url = "{url}"
driver = "json"
topics = {topics}
options = {{ kind = "air_quality", sensor = "topic:1", fields = {{ co2 = "{path}" }} }}
"""


def reading(number: int) -> bytes:
    return json.dumps({"v": number}).encode()


async def publish(
    broker: Mosquitto, numbers: range, topic: str = "ref/s", payload: Callable[[int], bytes] = reading
) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        for number in numbers:
            await client.publish(f"{topic}{number % 7}", payload(number), qos=1)


FLOOD: dict[str, Callable[[int], bytes]] = {
    "a reading": reading,
    "another name": lambda number: json.dumps({"w": number}).encode(),
    "no number": lambda number: json.dumps({"v": f"n/a {number}"}).encode(),
    "cut short": lambda number: json.dumps({"v": number, "more": "x"}).encode()[:-3],
    "no text": lambda number: b"\xff\x00\x80" + number.to_bytes(4, "big"),
    "too long": lambda number: json.dumps({"v": number}).encode() + b" " * 300_000,
}
"""Kinds of messages, and one of each kind that no other message is like."""
OF_EACH = 50


def mixed(number: int) -> bytes:
    return [*FLOOD.values()][number % len(FLOOD)](number)


async def kept(gateway: Gateway, **wanted: Any) -> int:  # noqa: ANN401 -- what a group says
    def look() -> int:
        said = subprocess.run(gateway.command("refused", "list", "--json"), capture_output=True, check=False)
        groups = json.loads(said.stdout or "[]")
        return sum(group["messages"] for group in groups if wanted.items() <= group.items())

    return await asyncio.to_thread(look)


async def until_kept(gateway: Gateway, count: int) -> None:
    async with asyncio.timeout(120):
        while await kept(gateway) < count:  # noqa: ASYNC110 -- a command is asked
            await asyncio.sleep(0.3)


def values(gateway: Gateway) -> Counter[object]:
    return Counter(point.fields["co2"] for point in gateway.spooled() if "co2" in point.fields)


async def test_what_a_wrong_path_refused_is_stored_once_after_it_was_mended_under_kills(rig: Rig) -> None:
    broker, moments = await rig.serve(Mosquitto), Random(9)  # noqa: S311 -- repeatable, not secret
    gateway = await rig.gateway(source(broker.url, "wrong"))
    gateway.commit_interval = "20ms"
    await gateway.restart()
    await gateway.listening()
    for part in range(3):
        sending = asyncio.create_task(publish(broker, range(part * MESSAGES // 3, (part + 1) * MESSAGES // 3)))
        await asyncio.sleep(moments.uniform(0.02, 0.3))  # any moment will do
        gateway.kill()
        await gateway.start()
        await sending
    await until_kept(gateway, MESSAGES)
    assert await kept(gateway) == MESSAGES, "what the broker sent again was kept again"
    assert values(gateway) == Counter()
    logged = gateway.logged(event="message refused", often="new")
    assert {(entry["source"], entry["detail"]) for entry in logged} == {("broker", "co2: nothing at wrong")}

    gateway.configuration.write_text(gateway.configuration.read_text().replace("wrong", "v"), encoding="utf-8")
    gateway._parts = gateway._parts.replace("wrong", "v")
    await gateway.restart()
    for _ in range(3):
        asking = await asyncio.create_subprocess_exec(
            *gateway.command("refused", "retry"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        await asyncio.sleep(moments.uniform(0.3, 1.5))  # the same
        gateway.kill()
        await gateway.start()
        await asking.wait()
    again = await asyncio.to_thread(subprocess.run, gateway.command("refused", "retry"), check=False)
    assert again.returncode == 0
    assert values(gateway) == Counter(range(MESSAGES))
    assert await kept(gateway) == 0


async def test_each_message_of_a_mixed_flood_is_a_reading_or_kept_once_under_kills(rig: Rig) -> None:
    broker, moments = await rig.serve(Mosquitto), Random(7)  # noqa: S311 -- repeatable, not secret
    gateway = await rig.gateway(source(broker.url, "v"))
    gateway.commit_interval = "20ms"
    await gateway.restart()
    await gateway.listening()
    count = OF_EACH * len(FLOOD)
    for part in range(5):
        numbers = range(part * count // 5, (part + 1) * count // 5)
        sending = asyncio.create_task(publish(broker, numbers, payload=mixed))
        await asyncio.sleep(moments.uniform(0.02, 0.3))  # any moment will do
        gateway.kill()
        await gateway.start()
        await sending
    refused = count - OF_EACH
    await until_kept(gateway, refused)
    assert values(gateway) == Counter(range(0, count, len(FLOOD)))
    assert await kept(gateway) == refused, "what the broker sent again was kept again, or read again"
    for reason, kinds in (("unsupported", 1), ("range", 1), ("noise", 2), ("length", 1)):
        assert await kept(gateway, reason=reason) == kinds * OF_EACH, reason


async def test_a_topic_that_left_the_configuration_is_not_stored_any_more(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    both = '["old/+", "ref/+"]'
    gateway = await rig.gateway(source(broker.url, "v", both))
    await gateway.listening()
    await gateway.stop()
    gateway._parts = gateway._parts.replace(both, '["ref/+"]')
    await publish(broker, range(11, 12), "old/s")
    await gateway.start()
    await gateway.listening()
    await publish(broker, range(12, 13), "old/s")
    await publish(broker, range(13, 14))
    await until(lambda: 13 in values(gateway))
    assert values(gateway) == Counter([13])
    assert await kept(gateway) == 1, "the one that the broker had for us already; it was told to send no more"


async def test_a_retained_message_without_a_time_is_told_with_what_to_set(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish("ref/s1", '{"v": 7}', qos=1, retain=True)
    gateway = await rig.gateway(source(broker.url, "v"))
    await gateway.until(lambda state: any("retained = " in problem for problem in state["problems"]))
    assert values(gateway) == Counter()
