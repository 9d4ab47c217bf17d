"""Messages that are posted while the gateway is killed: each that was answered is stored, and each is stored once."""

import asyncio
import json
import random
import time
from collections import Counter
from functools import partial

import aiohttp
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.http_page import HttpPage
from firmware_sim.servers.process import free_port
from tests.support.until import until
from tests.system.conftest import Rig
from tests.system.gateway import Gateway, State

pytestmark = pytest.mark.system

SOURCE = """
[sources.posts]
type = "http"
listen = "127.0.0.1:{port}"
driver = "json"
options = {{ kind = "air_quality", sensor = "id", fields = {{ pm25 = "v" }} }}
"""


MESSAGES = 250


class Stations:
    """Real clients that post message after message, each until it is answered 2xx, as a collector does."""

    def __init__(self, port: int, count: int, messages: int) -> None:
        self.answered: Counter[int] = Counter()
        self.done = 0
        self._url = f"http://127.0.0.1:{port}/posts"
        self._count = count
        self._messages = messages

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for station in range(self._count):
                tasks.create_task(self._post_all(station))

    async def _post_all(self, station: int) -> None:
        timeout = aiohttp.ClientTimeout(total=patience(5))
        async with aiohttp.ClientSession(timeout=timeout) as client:
            for number in range(self._messages):
                # No time of its own: nothing but the gateway tells a repeat from a new reading.
                body = {"id": f"aq-{station}", "v": number}
                while not await self._post(client, body):  # noqa: ASYNC110 -- a sender tries again
                    await asyncio.sleep(0.05)
                self.done += 1

    async def _post(self, client: aiohttp.ClientSession, body: dict[str, object]) -> bool:
        try:
            async with client.post(self._url, json=body) as answer:
                await answer.read()
                self.answered[answer.status] += 1
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


def stored(gateway: Gateway) -> Counter[tuple[str, object]]:
    return Counter((point.tags["sensor"], point.fields["pm25"]) for point in gateway.spooled())


async def test_kills_in_a_stream_of_posts_lose_nothing_and_double_nothing(rig: Rig) -> None:
    port = free_port()
    gateway = await rig.gateway(SOURCE.format(port=port))
    await gateway.listening()
    chance = random.Random(9)  # noqa: S311 -- when to kill
    stations = Stations(port, count=20, messages=MESSAGES)
    posting = asyncio.create_task(stations.run())
    kills = 0
    while not posting.done() and kills < 8:
        goal = stations.done + 400
        while not posting.done() and stations.done < goal:  # noqa: ASYNC110 -- nobody is told
            await asyncio.sleep(0.01)
        if posting.done():
            break
        await asyncio.sleep(chance.uniform(0.0, 0.15))
        gateway.kill()
        kills += 1
        await gateway.start()
    await asyncio.wait_for(posting, patience(120))
    assert kills >= 5, "the kills lie within the stream"
    await gateway.until(lambda state: state["spool"]["readings"] >= 20 * MESSAGES)
    expected = Counter({(f"aq-{station}", float(number)): 1 for station in range(20) for number in range(MESSAGES)})
    assert stored(gateway) == expected
    assert set(stations.answered) <= {200, 503}


async def test_a_post_that_the_kill_caught_between_the_disk_and_the_answer_is_stored_once(rig: Rig) -> None:
    port = free_port()
    gateway = rig.make_gateway(SOURCE.format(port=port))
    gateway.commit_interval = "1ms"
    await gateway.start()
    await gateway.listening()
    url, body = f"http://127.0.0.1:{port}/posts", b'{"id": "aq-1", "v": 7}'
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /posts HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await gateway.until(lambda state: state["spool"]["readings"] == 1)
    gateway.kill()
    writer.close()
    await gateway.start()
    async with aiohttp.ClientSession() as client:
        async with client.post(url, data=body) as answer:
            assert (answer.status, await answer.text()) == (200, "stored before\n")
        async with client.post(url, data=body) as answer:
            assert (answer.status, await answer.text()) == (200, "stored 1 reading\n")
    assert stored(gateway) == {("aq-1", 7.0): 2}, "after an answer, the same is a new reading"


def _has_readings(count: int, state: State) -> bool:
    return bool(state["spool"]["readings"] == count)


def _was_asked(page: HttpPage, times: int) -> bool:
    return len(page.statuses) >= times


async def test_a_page_that_is_polled_through_kills_gives_each_of_its_readings_once(rig: Rig) -> None:
    now = time.time_ns() // 10**6 - 60_000
    async with HttpPage(versioned=True) as page:
        gateway = await rig.gateway(
            f"""
[sources.roof]
type = "http_poll"
url = "{page.url}/json?key=s3cret"
interval = "1s"
driver = "json"
options = {{ kind = "air_quality", sensor = "id", fields = {{ pm25 = "v" }}, time = "t", time_format = "ms" }}
"""
        )
        for number in range(4):
            page.body = json.dumps({"id": "aq-1", "v": number, "t": now + number}).encode()
            asked = len(page.statuses)
            await gateway.until(partial(_has_readings, number + 1))
            gateway.kill()
            await gateway.start()
            await until(partial(_was_asked, page, asked + 2))
        await gateway.until(lambda state: state["sources"]["roof"]["repeated"] >= 1)
    assert stored(gateway) == Counter({("aq-1", float(number)): 1 for number in range(4)})
    assert not [entry for entry in gateway.logged() if "s3cret" in json.dumps(entry)]
    state = await gateway.until(lambda state: state["problems"], 60)
    assert "s3cret" not in json.dumps(state)


async def test_messages_that_name_no_sensor_are_of_the_one_that_the_source_names(rig: Rig) -> None:
    port = free_port()
    driver = 'driver = "json"\noptions = { kind = "air_quality", fields = { pm25 = "v" } }'
    async with HttpPage(b'{"v": 1}') as page:
        gateway = await rig.gateway(
            f'[sources.posts]\ntype = "http"\nlisten = "127.0.0.1:{port}"\nsensor = "box"\n{driver}',
            f'[sources.page]\ntype = "http_poll"\nurl = "{page.url}"\ninterval = "1h"\nsensor = "roof"\n{driver}',
            '[sensors.box]\nid = "aq-tito-square"\ntags = { street = "titov-trg" }',
        )
        await gateway.listening()
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"http://127.0.0.1:{port}/posts", data=b'{"v": 2}') as answer,
        ):
            assert answer.status == 200
        await gateway.holds(2)
    points = {point.tags["sensor"]: point for point in gateway.spooled()}
    assert points.keys() == {"aq-tito-square", "roof"}
    assert points["aq-tito-square"].tags["street"] == "titov-trg"
    assert (points["aq-tito-square"].fields["pm25"], points["roof"].fields["pm25"]) == (2.0, 1.0)
