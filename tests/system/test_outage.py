"""What is away comes back: a database, a broker, a serial line."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from firmware_sim.bench.city import City, Pace, Size
from firmware_sim.patience import patience
from firmware_sim.servers.readback import read_influxdb
from firmware_sim.servers.servers import Influxd, Mosquitto
from firmware_sim.truth.compare import compare
from tests.support.until import until
from tests.system.conftest import Gateway, Rig
from tests.system.gateway import LONG

pytestmark = pytest.mark.system


MANY = 100_000
MEGABYTE = 1_000_000


async def test_a_database_that_hangs_dies_and_comes_back_gets_everything_in_order(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(Influxd)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(1_000)
    await gateway.holds(1_000)

    database.freeze()
    stream.send(MANY // 2)
    await stream.sent()
    database.kill()
    stream.send(MANY // 2)
    await stream.sent()
    # The broker sends a thousand unacknowledged messages and no more: all of them came, so all were acknowledged.
    await gateway.until(lambda state: state["readings"]["committed"] == MANY + 1_000)
    assert stream.differences(gateway.spooled()) == {}

    told = _told(gateway)
    assert len(set(told)) == len(told) <= 3, "it hung, it broke off, it was away: each is told once"
    before = _memory(gateway.pid)
    await database.start()
    looks = await _watch_the_order(database, until_stored=MANY + 1_000)
    await gateway.holds(MANY + 1_000)
    assert looks > 1, "nobody looked while it drained"
    assert _memory(gateway.pid, peak=True) - before <= 20 * MEGABYTE

    assert stream.differences(await read_influxdb(database.url, database.database)) == {}
    assert set(_told(gateway)) == set(told), "a slow machine may see the same again, but nothing else"


def _told(gateway: Gateway) -> list[str]:
    entries = gateway.logged(event="sink down; readings are pending in the spool")
    return [entry["problem"] for entry in entries]


async def _watch_the_order(database: Influxd, until_stored: int) -> int:
    """Watch it fill, and see that no station has a reading before all its earlier ones; return the looks taken."""
    looks = 0
    async with asyncio.timeout(patience(LONG)), aiohttp.ClientSession(database.url) as client:
        while True:
            newest = await _by_station(client, database, "last")
            stored = await _by_station(client, database, "count")
            for station, value in newest.items():
                first_missing = (round(value * 100) - int(station.removeprefix("s"))) // 20 + 1
                assert first_missing <= stored[station], f"{station} has {value} without all before it"
            looks += 1
            if sum(stored.values()) >= until_stored:
                return looks


async def _by_station(client: aiohttp.ClientSession, database: Influxd, what: str) -> dict[str, float]:
    query = f'SELECT {what}("pm25") FROM "air_quality" GROUP BY "sensor"'  # noqa: S608 -- no outsider's words
    async with client.get("/query", params={"db": database.database, "q": query}) as answer:
        document: dict[str, Any] = await answer.json()
    found = document["results"][0].get("series", [])
    return {series["tags"]["sensor"]: series["values"][0][1] for series in found}


def _memory(pid: int, *, peak: bool = False) -> int:
    """Return a process's resident bytes; asking for the present ones makes the peak begin anew (see proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    name = "VmHWM:" if peak else "VmRSS:"
    if not peak:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name))


async def test_a_broker_that_is_killed_and_comes_back_loses_nothing_that_it_had_saved(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    wire = await rig.wire(broker.port)
    gateway = await rig.gateway(rig.stream_source(f"mqtt://127.0.0.1:{wire.port}"))
    await gateway.listening()
    stream = rig.stream(broker.url)
    wire.deaf = True  # the broker will not know that these are stored
    stream.send(1_500)
    await stream.sent()
    await gateway.holds(1_000)  # as many as it sends without an acknowledgement
    saved = broker.directory / "mosquitto.db"
    saved.unlink(missing_ok=True)
    broker._signal(signal.SIGUSR1)  # save now
    await until(saved.exists)
    broker.kill()
    wire.cut()
    await broker.start()

    await gateway.holds(1_500)
    state = await gateway.state()
    assert state["sources"]["stream"]["repeated"] == 1_000
    assert stream.differences(gateway.spooled()) == {}


async def test_a_broker_that_restarts_while_it_is_drained_costs_nothing(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url))
    await gateway.listening()
    stream = rig.stream(broker.url)
    for round_ in range(1, 4):
        gateway.freeze()  # or it would have drained the broker before the last message is sent
        stream.send(5_000)
        await stream.sent()  # else the publisher itself might say something twice
        gateway.thaw()
        await broker.restart()
        await gateway.holds(round_ * 5_000)
    assert stream.differences(gateway.spooled()) == {}


async def test_a_serial_line_that_is_unplugged_and_plugged_again_resumes(rig: Rig, tmp_path: Path) -> None:
    city = City(7, tmp_path / "city", size=Size(dust_sensors=1, radars=0, spots=0, stations=0), pace=Pace(rate=20))
    async with city:
        gateway = await rig.gateway(city.sources_toml())
        line = city.lines["aq-01"]
        await gateway.until(lambda state: state["spool"]["readings"] >= 20)
        line.unplug()
        await gateway.until(lambda state: "no such port" in state["sources"]["aq-01"]["problem"])
        line.plug()
        await gateway.until(lambda state: state["sources"]["aq-01"]["up"])
        before = len(city.truth)
        await gateway.until(lambda state: state["spool"]["readings"] > before + 20)
        assert await city.stop_measuring()
        await gateway.until(lambda state: state["readings"]["committed"] == state["sources"]["aq-01"]["readings"])
        reasons = [entry["problem"].partition(": ")[2] for entry in gateway.logged(event="link down", link="aq-01")]
        assert reasons == ["the device is gone (unplugged?)", "no such port; is it plugged in?"]
        assert len(gateway.logged(event="link up", link="aq-01")) == 2  # at the start, and after the plug
    report = compare(city.truth, gateway.spooled())
    assert report.exact, report.differences
