"""``prehod spool`` beside a running gateway: it agrees with the health page, and touches nothing."""

import asyncio
import csv
import io
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.servers.servers import Mosquitto, VictoriaMetrics
from tests.system.conftest import Gateway, Rig

pytestmark = pytest.mark.system

DELIVERED, WAITING = 3_000, 500


async def spool(gateway: Gateway, *arguments: str) -> bytes:
    """Run ``prehod spool`` and return what it prints; it must find nothing wrong."""
    command = gateway.command("spool", *arguments)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b""), arguments
    return output


def everything(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Return the time of change and the content of every file."""
    files = [path for path in sorted(directory.rglob("*")) if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


async def test_looking_into_the_spool_agrees_with_the_health_page_and_changes_nothing(rig: Rig) -> None:
    broker, database = await rig.serve(Mosquitto), await rig.serve(VictoriaMetrics)
    gateway = await rig.gateway(rig.stream_source(broker.url), rig.sink(database))
    await gateway.listening()
    stream = rig.stream(broker.url)
    stream.send(DELIVERED)
    await gateway.holds(DELIVERED)
    database.freeze()
    stream.send(WAITING)
    await gateway.until(lambda state: state["spool"]["readings"] == DELIVERED + WAITING)
    before = everything(gateway.spool)

    status: dict[str, Any] = json.loads(await spool(gateway, "status", "--json"))
    assert "3,500" in (await spool(gateway, "status")).decode()
    verified = json.loads(await spool(gateway, "verify", "--json"))
    printed = await spool(gateway, "cat")
    lines = [json.loads(line) for line in (await spool(gateway, "export", "--format", "jsonl")).splitlines()]
    rows = list(csv.DictReader(io.StringIO((await spool(gateway, "export", "--format", "csv")).decode())))
    page = (await gateway.state())["spool"]

    assert everything(gateway.spool) == before
    pending = {name: sink["pending"] for name, sink in status.pop("sinks").items()}
    assert pending == page.pop("pending") == {"victoria-metrics": WAITING}
    del page["free_bytes"]
    assert {name: status[name] for name in page if name in status} == {
        name: value for name, value in page.items() if name in status
    }
    assert verified == {"readings": DELIVERED + WAITING, "damaged": [], "problems": []}
    assert printed == _zcat(gateway.spool)
    truth = stream.truth()
    assert Counter(line["fields"]["pm25"] for line in lines) == Counter(truth.values())
    assert Counter(float(row["value"]) for row in rows if row["field"] == "pm25") == Counter(truth.values())
    assert {row["sensor"] for row in rows} == {station for station, _ in truth}

    database.thaw()
    await gateway.holds(DELIVERED + WAITING)


async def test_verify_takes_a_commit_under_way_for_no_damage(rig: Rig) -> None:
    broker = await rig.serve(Mosquitto)
    gateway = await rig.gateway(rig.stream_source(broker.url))
    await gateway.listening()
    stream = rig.stream(broker.url, rate=2_000)
    stream.send(6_000)
    found = [json.loads(await spool(gateway, "verify", "--json"))["readings"] for _ in range(4)]
    assert found == sorted(found)
    await gateway.holds(6_000)
    assert json.loads(await spool(gateway, "verify", "--json"))["readings"] == 6_000


def _zcat(directory: Path) -> bytes:
    return subprocess.run(["zcat", *sorted(directory.glob("*.lp.gz"))], check=True, capture_output=True).stdout
