"""What a database can do to a sink: nothing is lost, nothing is doubled, and the live view does not notice."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import aiomqtt
import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.influx.endpoint import InfluxEndpoint
from firmware_sim.servers.influx.faults import Fault, Hang, Poison, Redirect, Refusal, Reset, Slow
from firmware_sim.servers.servers import Mosquitto
from tests.support.until import until
from tests.system.conftest import Gateway, Rig, State, Stream

pytestmark = pytest.mark.system

MANY = 100_000
"""An hour of 28 readings a second."""
MEGABYTE = 1_000_000
AWAY = "sink down; readings are pending in the spool"


def sink(endpoint: InfluxEndpoint, **settings: str | int) -> str:
    """Return the sink for the endpoint, named ``db``."""
    given: dict[str, str | int] = {"type": "influxdb", "url": endpoint.url}
    if "api" not in settings:
        given |= {"org": "koper", "bucket": "city"}
    return "[sinks.db]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in (given | settings).items())


def live(broker: Mosquitto) -> str:
    return f'[sinks.live]\ntype = "mqtt"\nurl = "{broker.url}"\n'


def problem(state: State) -> str:
    return str(state["sinks"]["db"]["problem"])


def quarantined(gateway: Gateway) -> list[str]:
    """Return the lines in the quarantine; comments are the words of the server."""
    file = gateway.spool / "quarantine" / "db.lp"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def memory(pid: int, *, peak: bool = False) -> int:
    """Return a process's resident bytes; asking for the present ones makes the peak begin anew (see proc(5))."""
    if not peak:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    wanted = "VmHWM:" if peak else "VmRSS:"
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(wanted))


@pytest.fixture
async def database() -> AsyncIterator[InfluxEndpoint]:
    async with InfluxEndpoint(buckets=["city"]) as endpoint:
        yield endpoint


@asynccontextmanager
async def streaming(rig: Rig, *parts: str) -> AsyncIterator[tuple[Gateway, Stream]]:
    """Start a gateway on a broker, and a stream to it."""
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url), *parts)
    await gateway.listening()
    yield gateway, rig.stream(broker.url)


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (Refusal(429, retry_after=1), 2),
        (Refusal(503, retry_after=datetime.now(UTC) + timedelta(seconds=3)), 1),
        (Refusal(503), 3),
        (Refusal(500), 1),
        (Hang(), 2),
        (Slow(3.5), 2),
        (Reset(), 3),
        (Reset(after_storing=True), 2),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, Fault) else "",
)
async def test_what_passes_costs_nothing_and_is_said_once(
    rig: Rig, database: InfluxEndpoint, fault: Fault, times: int
) -> None:
    database.fail_with(fault, times=times)
    async with streaming(rig, sink(database, timeout="3s")) as (gateway, stream):
        stream.send(2_000)
        await until(lambda: gateway.logged(event=AWAY))
        await stream.sent()
        await gateway.holds(2_000)
        assert stream.differences(database.points("city")) == {}
        assert quarantined(gateway) == []
        state = await gateway.state()
        assert state["problems"] == []
        told = gateway.logged(event=AWAY)
        assert len({entry["problem"] for entry in told}) == len(told)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Refusal(401), "401, the database refuses our token or password: unauthorized access"),
        (Refusal(403), "403, the database refuses our token or password"),
        (Refusal(404, 'bucket "city" not found'), '404, no such organisation, bucket or database: bucket "city"'),
        (Refusal(400, "database is required"), "400, and not because of a reading"),
        (Redirect("http://elsewhere.example/api/v2/write"), "307, the server sends us to http://elsewhere.example"),
    ],
)
async def test_our_own_wrong_setting_holds_everything_and_alarms_and_quarantines_nothing(
    rig: Rig, database: InfluxEndpoint, fault: Fault, words: str
) -> None:
    database.fail_with(fault)
    async with streaming(rig, sink(database)) as (gateway, stream):
        stream.send(500)
        state = await gateway.until(lambda state: words in problem(state))
        assert any(one.startswith("db: ") and words in one for one in state["problems"])
        await gateway.until(lambda state: state["spool"]["pending"] == {"db": 500})
        assert quarantined(gateway) == []
        database.recover()
        await gateway.restart()  # sooner than its own next try, half a minute later
        await gateway.holds(500)
        assert stream.differences(database.points("city")) == {}


async def test_a_token_that_is_wrong_and_put_right_needs_no_restart(
    rig: Rig, database: InfluxEndpoint, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("old", encoding="utf-8")
    database.token = "new"
    async with streaming(rig, sink(database, token_file=str(token))) as (gateway, stream):
        stream.send(100)
        await gateway.until(lambda state: "401" in problem(state))
        token.write_text("new\n", encoding="utf-8")
        await gateway.holds(100)
        assert stream.differences(database.points("city")) == {}


async def test_a_body_that_is_too_large_goes_in_smaller_ones_each_once(rig: Rig, database: InfluxEndpoint) -> None:
    database.max_body = 10_000  # about a hundred readings
    async with streaming(rig, sink(database)) as (gateway, stream):
        stream.send(3_000)
        await stream.sent()
        await gateway.holds(3_000)
        assert stream.differences(database.points("city")) == {}
        assert set(database.write_counts.values()) == {1}
        assert quarantined(gateway) == []


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("rest_stored", [True, False])
async def test_exactly_the_bad_lines_are_put_aside_with_the_servers_words(
    rig: Rig, database: InfluxEndpoint, api: str, rest_stored: bool
) -> None:
    database.fail_with(Poison(lambda line: "sensor=s7" in line, "points beyond retention policy", rest_stored))
    settings = {"api": "v1", "database": "city"} if api == "v1" else {}
    async with streaming(rig, sink(database, **settings)) as (gateway, stream):
        stream.send(400)
        await stream.sent()
        await gateway.holds(400)
        lines = quarantined(gateway)
        bad = [line for line in lines if not line.startswith("#")]
        assert len(bad) == 20
        assert all("sensor=s7 " in line for line in bad)
        assert len(set(bad)) == 20
        assert sum("points beyond retention policy" in line for line in lines) == 20
        stored = stream.differences(database.points("city"))
        assert stored == {"lost": 20}
        assert (await gateway.state())["sinks"]["db"]["quarantined"] == 20


async def test_kills_in_the_search_for_bad_lines_put_none_of_them_aside_twice(
    rig: Rig, database: InfluxEndpoint
) -> None:
    bad = ("sensor=s3 ", "sensor=s11 ")
    async with streaming(rig) as (gateway, stream):
        stream.send(600)
        await stream.sent()
        await gateway.holds(600)
    database.fail_with(Poison(lambda line: any(name in line for name in bad), rest_stored=False))
    moments = random.Random(7)  # noqa: S311 -- repeatable, not secret
    gateway._parts += sink(database)
    for _ in range(8):
        await gateway.restart()
        before = len(quarantined(gateway))
        async with asyncio.timeout(patience()):
            while len(quarantined(gateway)) < before + 4:  # noqa: ASYNC110 -- a file tells nobody
                await asyncio.sleep(0.001)
        await asyncio.sleep(moments.uniform(0, 0.02))  # any moment will do
        gateway.kill()
    await gateway.restart()
    await gateway.holds(600)
    lines = [line for line in quarantined(gateway) if not line.startswith("#")]
    assert len(lines) == 60
    assert len(set(lines)) == 60
    assert stream.differences(database.points("city")) == {"lost": 60}


async def test_while_a_long_outage_is_made_up_for_the_newest_readings_are_shown_at_once(
    rig: Rig, database: InfluxEndpoint
) -> None:
    broker = await rig.serve(Mosquitto)
    await database.stop()
    # A backlog of 12 s. A batch whose answer is late by more than the time-out would be sent twice.
    parts = rig.stream_source(broker.url), sink(database, max_rate=8_000, timeout="120s"), live(broker)
    gateway = await rig.gateway(*parts)
    await gateway.until(lambda state: state["sources"]["stream"]["up"] and state["sinks"]["live"]["up"])
    stream = rig.stream(broker.url)
    for _ in range(2):  # as much as a publisher holds at a time
        stream.send(MANY // 2)
        await stream.sent()
    await gateway.until(lambda state: state["spool"]["readings"] == MANY)
    before = memory(gateway.pid)
    await database.start()
    await gateway.until(lambda state: 0 < state["sinks"]["db"]["pending"] < MANY)

    delays = []
    async with asyncio.timeout(patience()), aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe("prehod/+/air_quality/fresh")
        for number in range(40):
            published = time.monotonic()
            reading = {"ts": time.time_ns() // 1_000_000, "pm25": float(number)}
            await client.publish("stream/fresh/air", json.dumps(reading), qos=1)
            async for message in client.messages:
                shown = json.loads(message.payload)
                assert shown["fields"]["pm25"] == number, "in their order, and none is left out"
                break
            delays.append(time.monotonic() - published)
            await asyncio.sleep(0.02)  # spread them over the backlog
    state = await gateway.state()
    told = f"shown after {median(delays) * 1000:.0f} ms, at worst {max(delays) * 1000:.0f} ms"
    assert state["sinks"]["db"]["pending"] > 1_000, f"the backlog was gone before the last was shown: {told}"

    await gateway.holds(MANY + 40)
    assert memory(gateway.pid, peak=True) - before <= 20 * MEGABYTE
    missing = stream.differences(point for point in database.points("city") if point.tags["sensor"] != "fresh")
    assert missing == {}
    assert set(database.write_counts.values()) == {1}


async def test_a_rate_holds_over_the_whole_of_a_backlog(rig: Rig, database: InfluxEndpoint) -> None:
    await database.stop()
    async with streaming(rig, sink(database, max_rate=500)) as (gateway, stream):
        stream.send(2_500)
        await stream.sent()
        await gateway.until(lambda state: state["spool"]["readings"] == 2_500)
        await database.start()
        await gateway.holds(2_500)
        # The first second's worth goes at once, and the last does not wait for what follows it.
        took = database.writes[-1].arrived - database.writes[0].arrived
        assert took >= (2_500 - 500 - 500) / 500
        assert max(len(write.lines) for write in database.writes) <= 500
        assert stream.differences(database.points("city")) == {}


async def test_a_database_restored_from_nothing_gets_what_is_new_and_a_replay_brings_the_rest(
    rig: Rig, database: InfluxEndpoint
) -> None:
    async with streaming(rig, sink(database)) as (gateway, stream):
        stream.send(500)
        await stream.sent()
        await gateway.holds(500)
        database.empty()
        stream.send(500)
        await stream.sent()
        await gateway.holds(1_000)
        # Nothing tells a gateway that a server forgot what it had confirmed: a person does.
        assert stream.differences(database.points("city")) == {"lost": 500}
        asked = await asyncio.create_subprocess_exec(
            *gateway.command("spool", "replay", "--sink", "db", "--since", "2h")
        )
        assert await asyncio.wait_for(asked.wait(), patience()) == 0
        assert stream.differences(database.points("city")) == {}
