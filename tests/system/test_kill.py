"""kill -9 again and again while messages flow: each reading is stored once, and none is missing."""

import asyncio
from random import Random

import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.influx import line_protocol
from firmware_sim.servers.readback import read_victoria_metrics
from firmware_sim.servers.servers import Mosquitto, VictoriaMetrics
from firmware_sim.truth.points import StoredPoint
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

KILLS = 10
BETWEEN = 2_000
"""Messages from one kill to the next."""
RATE = 2_500.0


async def test_ten_kills_in_a_stream_of_20_000_messages_lose_nothing_and_double_nothing(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream, moments = rig.stream(broker.url, RATE), Random(20_000)  # noqa: S311 -- repeatable, not secret
    for _ in range(KILLS):
        stream.send(BETWEEN)
        await asyncio.sleep(moments.uniform(0.02, BETWEEN / RATE))  # any moment will do
        gateway.kill()
        await gateway.start()
        await stream.sent()
    await gateway.holds(KILLS * BETWEEN)

    assert stream.differences(gateway.spooled()) == {}, "in the spool: what the broker sent again was stored again"
    # VictoriaMetrics keeps a point as often as it is sent.
    stored = await read_victoria_metrics(database.url)
    assert stream.differences(stored) == {}, "in the database: the spool is right, and sent something again"


@pytest.mark.parametrize("known", [0, 10], ids=["all of them", "half of them"])
async def test_lines_of_unknown_sensors_are_held_exactly_once_through_ten_kills(rig: Rig, known: int) -> None:
    broker = await rig.serve(Mosquitto)
    sensors = [f'[sensors.s{station}]\nid = "s{station}"' for station in range(known)]
    gateway = await rig.gateway(rig.stream_source(broker.url, unknown_sensors="hold"), *sensors)
    gateway.commit_interval = "20ms"  # many commits, so that kills fall into one
    await gateway.restart()
    await gateway.listening()
    stream, moments = rig.stream(broker.url, RATE), Random(known)  # noqa: S311 -- repeatable, not secret
    for _ in range(KILLS):
        stream.send(BETWEEN)
        await asyncio.sleep(moments.uniform(0.02, BETWEEN / RATE))  # any moment will do
        gateway.kill()
        await gateway.start()
        await stream.sent()
    async with asyncio.timeout(patience()):
        while len(held(gateway)) + len(gateway.spooled(torn=True)) < KILLS * BETWEEN:  # noqa: ASYNC110 -- no event
            await asyncio.sleep(0.2)
    await gateway.stop()
    assert len(gateway.spooled()) == KILLS * BETWEEN * known // stream.STATIONS
    assert stream.differences([*gateway.spooled(), *held(gateway)]) == {}


def held(gateway: Gateway) -> list[StoredPoint]:
    """Return what lies in the quarantine of unknown sensors; a torn last line is still being written."""
    file = gateway.spool / "quarantine" / "unknown.lp"
    found = line_protocol.parse(file.read_bytes(), default_time=0) if file.exists() else []
    return [point for point in found if isinstance(point, StoredPoint)]
