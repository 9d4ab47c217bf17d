"""The live topics: readings as they come, a status that tells the truth, and ``prehod watch``."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiomqtt
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.servers import Mosquitto
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

STATUS = "prehod/koper-test/status"
READINGS = "prehod/koper-test/air_quality/+"


@pytest.fixture
async def broker(rig: Rig) -> Mosquitto:
    return await rig.serve(Mosquitto)


@pytest.fixture
async def gateway(rig: Rig, broker: Mosquitto) -> Gateway:
    gateway = await rig.gateway(rig.stream_source(broker.url), f'[sinks.live]\ntype = "mqtt"\nurl = "{broker.url}"\n')
    await gateway.until(lambda state: state["sources"]["stream"]["up"] and state["sinks"]["live"]["up"])
    return gateway


@asynccontextmanager
async def listening(broker: Mosquitto, topic: str) -> AsyncIterator[AsyncIterator[aiomqtt.Message]]:
    """Subscribe; what comes must come within `patience`."""
    async with asyncio.timeout(patience()), aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(topic)
        yield client.messages


def content(message: aiomqtt.Message) -> dict[str, Any]:
    assert isinstance(message.payload, bytes)
    found: dict[str, Any] = json.loads(message.payload)
    return found


async def test_every_reading_appears_on_its_topic_as_it_was_measured(
    rig: Rig, broker: Mosquitto, gateway: Gateway
) -> None:
    stream = rig.stream(broker.url)
    shown: dict[tuple[str, str], float] = {}
    async with listening(broker, READINGS) as messages:
        stream.send(200)
        async for message in messages:
            reading = content(message)
            assert not message.retain
            assert reading["measurement"] == "air_quality"
            assert reading["quality"] == 0
            shown[message.topic.value.rpartition("/")[2], reading["time"]] = reading["fields"]["pm25"]
            if len(shown) == 200:
                break
    assert shown == {(station, _iso(time)): value for (station, time), value in stream.truth().items()}
    await gateway.until(lambda state: state["sinks"]["live"]["readings"] == len(shown))


async def test_the_status_says_online_and_after_a_kill_offline(broker: Mosquitto, gateway: Gateway) -> None:
    async with listening(broker, STATUS) as messages:
        told = await anext(messages)
        assert told.retain
        assert content(told)["online"] is True
        assert content(told)["gateway"] == "koper-test"
        gateway.kill()
        while content(message := await anext(messages))["online"]:
            pass
        assert content(message) == {"online": False}
    async with listening(broker, STATUS) as messages:
        told = await anext(messages)
        assert told.retain, "who comes later must hear it too"
        assert content(told)["online"] is False
    await gateway.start()
    async with listening(broker, STATUS) as messages:
        while not content(await anext(messages))["online"]:
            pass


async def test_the_status_says_offline_after_a_stop_in_good_order(broker: Mosquitto, gateway: Gateway) -> None:
    gateway.signal(signal.SIGTERM)
    assert await gateway.ended() == 0
    async with listening(broker, STATUS) as messages:
        told = await anext(messages)
        assert told.retain
        assert content(told)["online"] is False
        assert content(told)["gateway"] == "koper-test", "its own goodbye, not the last will"


@pytest.mark.parametrize("form", ["--plain", "--json"])
async def test_watch_prints_what_appears(rig: Rig, broker: Mosquitto, gateway: Gateway, form: str) -> None:
    stream = rig.stream(broker.url, rate=200)
    stream.send(100_000)  # for as long as it takes a program to start, and the three seconds
    watching = await asyncio.create_subprocess_exec(
        *gateway.command("watch", form, "--seconds", "3"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await watching.communicate()
    stream.stop()
    assert (watching.returncode, errors) == (0, b"")
    lines = output.decode().splitlines()
    status = [line for line in lines if STATUS in line]
    readings = [line for line in lines if STATUS not in line]
    assert status
    assert len(readings) > 20
    for line in readings:
        if form == "--plain":
            assert re.fullmatch(r"\d\d:\d\d:\d\d prehod/koper-test/air_quality/s\d+ pm25=\S+ .*", line), line
        else:
            entry = json.loads(line)
            assert datetime.fromisoformat(entry["time"]).tzinfo == UTC
            assert entry["topic"].startswith("prehod/koper-test/air_quality/s")
            assert entry["value"]["fields"]["pm25"] in stream.truth().values()


def _iso(time: int) -> str:
    milliseconds = time // 1_000_000
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"
