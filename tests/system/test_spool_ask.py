"""``prehod spool`` changes something beside a running gateway, and without one: each reading is stored once."""

import asyncio
import json
import shutil
from collections import Counter
from typing import Any

import pytest

from firmware_sim.patience import patience
from firmware_sim.servers.readback import read_victoria_metrics
from firmware_sim.servers.servers import Mosquitto, VictoriaMetrics
from tests.support.until import until
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

HELD, MORE = 400, 2_000


async def spool(gateway: Gateway, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 -- whatever it answers
    """Run ``prehod spool ... --json`` and return its answer."""
    [answer] = await lines_of(gateway, *arguments, code=code)
    return answer


async def lines_of(gateway: "Gateway", *arguments: str, code: int = 0) -> list[Any]:
    """Run ``prehod spool ... --json`` and return what it prints, line by line."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *gateway.command("spool", *arguments, "--json"), stdout=pipe, stderr=pipe
    )
    output, errors = await asyncio.wait_for(process.communicate(), patience())
    assert (process.returncode, errors) == (code, b""), (arguments, output)
    return [json.loads(line) for line in output.splitlines()]


async def test_what_was_held_goes_to_the_database_once_while_readings_come_in_and_the_gateway_is_killed(
    rig: Rig,
) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(
        rig.stream_source(broker.url, unknown_sensors="hold"), rig.sink(database), '[sensors.s1]\nid = "s1"\n'
    )
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(HELD)
    await stream.sent()
    await until((gateway.spool / "quarantine" / "unknown.lp").exists)  # they come there by way of the spool
    found: dict[str, Any] = {}
    while sum(one["readings"] for one in found.values()) < HELD * 19 // 20:
        found = await spool(gateway, "quarantine", "list", code=1)
    assert found["unknown"]["reasons"]["unknown sensor s7"] == HELD // 20
    assert len((await gateway.state())["sensors"]["not_configured"]) == 19

    # Somebody configures them, starts the gateway anew, and asks for one sensor and then for all; it is killed then.
    await gateway.stop()
    gateway._parts = rig.stream_source(broker.url) + rig.sink(database)
    await gateway.start()
    await gateway.listening()
    answer = await spool(gateway, "quarantine", "requeue", "unknown", "--match", "sensor s7")
    assert answer["readings"] == HELD // 20
    stream.send(MORE)
    asked = asyncio.create_task(spool(gateway, "quarantine", "requeue", "unknown"))
    await until(lambda: any((gateway.spool / "requests").glob("*.json")) or asked.done())
    gateway.kill()
    await gateway.start()
    assert (await asked)["readings"] == HELD * 18 // 20
    await stream.sent()
    await gateway.holds(HELD + MORE)
    assert stream.differences(gateway.spooled()) == {}
    assert stream.differences(await read_victoria_metrics(database.url)) == {}
    assert await spool(gateway, "quarantine", "list") == {}
    assert await spool(gateway, "losses") == []


async def test_a_replay_fills_the_holes_of_a_database_and_doubles_nothing(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(MORE)
    await gateway.holds(MORE)

    # As if the database had never got any of it, and then as if it had lost nothing.
    await database.stop()
    shutil.rmtree(database.directory / "data")
    await database.start()
    for _ in range(2):
        done = (await lines_of(gateway, "replay", "--sink", database.name, "--since", "2h"))[-1]
        assert (done["sent"], done["total"], done["done"]) == (MORE, MORE, True)
        assert stream.differences(await read_victoria_metrics(database.url)) == {}


async def test_a_repair_beside_the_gateway_sets_damage_aside_and_says_what_it_cost(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url))
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(MORE)
    await gateway.holds(MORE)
    [segment] = gateway.spool.glob("*.lp.gz")
    data = bytearray(segment.read_bytes())
    data[90] ^= 1  # within the first member
    with segment.open("r+b") as file:
        file.write(data)

    [place] = (await spool(gateway, "verify", "--repair"))["set_aside"]
    assert place.startswith(segment.name)
    [loss] = await spool(gateway, "losses", code=1)
    assert (loss["rule"], loss["from"]) == ("damaged", 0)
    await gateway.until(lambda state: state["spool"]["lost_readings"] == loss["count"])

    # Without a gateway the command does it itself, and closes the hole.
    gateway.kill()
    assert (await spool(gateway, "verify", "--repair"))["set_aside"] == []
    assert (await spool(gateway, "verify"))["readings"] == MORE - loss["count"]
    kept = Counter(point.fields["pm25"] for point in gateway.spooled())
    assert kept == Counter(list(stream.truth().values())[loss["count"] :])
