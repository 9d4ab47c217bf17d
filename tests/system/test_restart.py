"""Stopping in good order, leaving at once, and what a kill leaves half done between the disk and the broker."""

import signal

import pytest

from firmware_sim.servers.readback import read_victoria_metrics
from firmware_sim.servers.servers import Mosquitto, VictoriaMetrics
from tests.system.conftest import Rig

pytestmark = pytest.mark.system


async def test_a_stop_in_a_stream_flushes_and_the_next_start_goes_on(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream = rig.stream(broker.url, rate=2_000)
    for _ in range(3):
        stream.send(2_000)
        await gateway.until(lambda state: state["readings"]["committed"] > 500)
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 0
        assert gateway.logged(event="stopped")[-1]["pending"] == {database.name: 0}
        await gateway.start()
        await stream.sent()
    await gateway.holds(6_000)
    assert stream.differences(gateway.spooled()) == {}
    assert stream.differences(await read_victoria_metrics(database.url)) == {}


async def test_a_stop_while_a_backlog_goes_to_the_database_leaves_the_rest_to_the_next_start(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    source, sink = rig.stream_source(broker.url), rig.sink(database)
    # Lines a second: the five seconds that a stop gives the database are too few.
    gateway = await rig.gateway(source, sink, "max_rate = 1000")
    await gateway.listening()
    await database.stop()
    stream = rig.stream(broker.url)
    stream.send(10_000)
    await gateway.until(lambda state: state["spool"]["readings"] == 10_000)
    await database.start()
    await gateway.until(lambda state: 0 < state["spool"]["pending"][database.name] < 10_000)
    gateway.signal(signal.SIGTERM)
    assert await gateway.ended() == 0
    assert 0 < gateway.logged(event="stopped")[-1]["pending"][database.name] < 10_000, "it stopped beside the backlog"

    gateway._parts = source + sink
    await gateway.start()
    assert (await gateway.state())["last_run"] == "stopped in good order"
    await gateway.holds(10_000)
    assert stream.differences(gateway.spooled()) == {}
    assert stream.differences(await read_victoria_metrics(database.url)) == {}


async def test_a_second_signal_leaves_at_once(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream = rig.stream(broker.url)
    database.freeze()  # the first signal waits for it
    stream.send(100)
    await gateway.until(lambda state: state["spool"]["readings"] == 100)
    gateway.signal(signal.SIGTERM)
    await gateway.says("STOPPING=1")
    gateway.signal(signal.SIGTERM)
    assert await gateway.ended() == 1, "0 would mean that it waited"
    database.thaw()
    await gateway.start()
    await gateway.holds(100)
    assert stream.differences(gateway.spooled()) == {}


async def test_messages_stored_but_not_acknowledged_are_known_again_after_a_kill(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    wire = await rig.wire(broker.port)
    gateway = await rig.gateway(rig.stream_source(f"mqtt://127.0.0.1:{wire.port}"))
    await gateway.listening()
    stream = rig.stream(broker.url)
    wire.deaf = True
    stream.send(500)
    await gateway.holds(500)
    gateway.kill()
    wire.cut()
    await gateway.start()
    state = await gateway.until(lambda state: state["sources"]["stream"]["messages"] == 500)
    assert state["sources"]["stream"]["repeated"] == 500
    assert stream.differences(gateway.spooled()) == {}

    # They were acknowledged this time: the broker has room for others, and does not send them a third time.
    stream.send(1_500)
    await gateway.holds(2_000)
    await gateway.restart()
    await gateway.listening()
    stream.send(1)
    state = await gateway.until(lambda state: state["sources"]["stream"]["messages"])
    assert state["sources"]["stream"]["repeated"] == 0
    await gateway.holds(2_001)
    assert stream.differences(gateway.spooled()) == {}


async def test_messages_stored_but_not_acknowledged_are_known_again_after_a_broken_connection(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    wire = await rig.wire(broker.port)
    gateway = await rig.gateway(rig.stream_source(f"mqtt://127.0.0.1:{wire.port}"))
    await gateway.listening()
    stream = rig.stream(broker.url)
    wire.deaf = True
    stream.send(500)
    await gateway.holds(500)
    wire.cut()
    state = await gateway.until(lambda state: state["sources"]["stream"]["messages"] == 1_000)
    assert state["sources"]["stream"]["repeated"] == 500
    assert stream.differences(gateway.spooled()) == {}


async def test_messages_that_a_kill_caught_before_the_disk_are_stored_when_they_come_again(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url))
    await gateway.stop()
    gateway.commit_interval = "60s"
    await gateway.start()
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(10)  # fewer than make the window look full, and hasten the commit
    state = await gateway.until(lambda state: state["sources"]["stream"]["messages"] == 10)
    assert state["readings"]["committed"] == 0
    gateway.kill()
    gateway.commit_interval = "100ms"
    await gateway.start()
    state = await gateway.holds(10)
    assert state["sources"]["stream"]["repeated"] == 0
    assert stream.differences(gateway.spooled()) == {}
