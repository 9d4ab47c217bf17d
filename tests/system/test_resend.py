"""Where nobody knows whether a batch has arrived, a database that keeps duplicates gets it once all the same."""

from pathlib import Path

import pytest

from firmware_sim.servers.readback import read_victoria_metrics
from firmware_sim.servers.servers import Mosquitto, VictoriaMetrics
from tests.support.until import until
from tests.system.conftest import Rig

pytestmark = pytest.mark.system


async def test_a_batch_that_the_database_took_as_we_died_is_not_sent_again(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream = rig.stream(broker.url)
    database.freeze()
    stream.send(500)
    await until(lambda: _unread(database.port))
    gateway.kill()
    database.thaw()
    await until(lambda: not _unread(database.port))
    await gateway.start()
    await stream.sent()
    await gateway.holds(500)
    assert stream.differences(await read_victoria_metrics(database.url)) == {}


async def test_a_batch_that_a_hanging_database_takes_as_we_ask_for_it_is_not_sent_again(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream = rig.stream(broker.url)
    database.freeze()
    stream.send(500)
    await until(lambda: _unread(database.port))
    gateway.kill()
    sent = _unread(database.port)
    await gateway.start()
    await until(lambda: _unread(database.port) > sent)  # what we ask stands behind what we had sent
    database.thaw()
    await stream.sent()
    await gateway.holds(500)
    assert stream.differences(await read_victoria_metrics(database.url)) == {}


async def test_a_batch_that_the_database_took_after_we_gave_up_waiting_is_not_sent_again(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database, timeout="500ms"))
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(500)
    await gateway.holds(500)
    database.freeze()
    stream.send(500)
    await gateway.until(lambda state: "no answer" in state["sinks"][database.name]["problem"])
    database.thaw()
    await gateway.holds(1_000)
    assert stream.differences(await read_victoria_metrics(database.url)) == {}


def _unread(port: int) -> int:
    """Return how many bytes wait for whoever serves a TCP port (see proc_net_tcp in the kernel's documentation)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ours = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] != "0A"]
    return sum(int(row[4].partition(":")[2], 16) for row in ours)
